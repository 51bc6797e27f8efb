# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## One session's stream, from its creation to its end: broken, it is taken up again; with the server gone, the session
## is resumed; and if that is refused, a session of our own is begun anew. One thread's.

enum Doing { NOTHING, CREATING, RESUMING, LISTENING, PAUSING, WAITING }

const Backoff := preload("res://addons/segue/core/session/backoff.gd")
const Call := preload("res://addons/segue/core/net/call.gd")
const Codec := preload("res://addons/segue/core/wire/codec.gd")
const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const Decoder := preload("res://addons/segue/core/audio/decoder.gd")
const Ladder := preload("res://addons/segue/core/audio/ladder.gd")
const Link := preload("res://addons/segue/core/session/link.gd")
const Options := preload("res://addons/segue/core/session/options.gd")
const Reception := preload("res://addons/segue/core/session/reception.gd")
const Reporter := preload("res://addons/segue/core/session/reporter.gd")
const Schema := preload("res://addons/segue/core/wire/schema.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

## How long a beginning may be silent where there is a fallback.
const WELCOME_S: float = 1.5
## Without audio for so long, the stream having run dry, another stream is begun: reports may get through where the
## stream does not.
const HUNGRY_S: float = 3.0

## Called with each Event, as it arrives.
var arrived: Callable = Callable()
## Called with sentences for the developer.
var warned: Callable = Callable()
## Called when the server says what the session is: with fields of Session.
var ready: Callable = Callable()
## Called when another timeline begins; gives the state to begin in.
var restarted: Callable = Callable()
## Times that the stream was taken up again.
var reconnects: int = 0
## Times that the session was brought back by its resume point.
var resumes: int = 0

var _link: Link
var _reporter: Reporter
var _saved: Dictionary = {}
var _doing: Doing = Doing.NOTHING
var _call: Call = null
var _create: Dictionary = {}
var _create_tries: int = 0
var _stream: RefCounted = null
var _has_heard: bool = false
var _since_s: float = 0.0
var _began_s: float = 0.0
var _pause_end_s: float = 0.0
var _then: Callable = Callable()
var _fed_s: float = 0.0
var _restarts: bool = false


## saved: fields of a ResumeRequest to begin from; {} for none.
func _init(link: Link, reporter: Reporter, saved: Dictionary) -> void:
	_link = link
	_reporter = reporter
	_saved = saved


func begin(now_s: float) -> void:
	_began_s = now_s
	_enter(ConnectionState.State.CONNECTING)
	if _link.id.is_empty():
		_begin_creating(_saved, "")
	else:
		_begin_listening(now_s)


## Whether the answer to a creation is waited for.
func is_creating() -> bool:
	return _doing == Doing.CREATING


## Stops listening, for good.
func end() -> void:
	if _stream != null:
		_stream.call(&"cancel")
	_stream = null
	if _doing != Doing.CREATING:
		_doing = Doing.NOTHING


func step(now_s: float) -> void:
	if _link.state == ConnectionState.State.CONNECTING and now_s - _began_s > WELCOME_S:
		_link.playout.ladder.wants_fallback = true
	match _doing:
		Doing.CREATING:
			if _call.done:
				_created(now_s)
		Doing.RESUMING:
			if _call.done:
				_resumed(now_s)
		Doing.LISTENING:
			_listen(now_s)
		Doing.PAUSING:
			if now_s >= _pause_end_s:
				_then.call()
		Doing.WAITING:
			if _link.goes_on:
				_link.goes_on = false
				_enter(ConnectionState.State.RECONNECTING)
				_begin_listening(now_s)


## What is to be done next, after what was done is over.
func _go(next: Reception.Next, now_s: float) -> void:
	# What can't be taken up again is begun anew, if it was begun here: music of the same kind rather than none.
	var error: Status = _link.error
	var is_lost: bool = error != null and (error.is_unknown_session or error.reason == "RESUME_REFUSED")
	if next == Reception.Next.GIVE_UP and _link.is_ours and is_lost:
		_restart()
		return
	match next:
		Reception.Next.LISTEN:
			_begin_listening(now_s)
		Reception.Next.RESUME:
			_begin_resuming()
		Reception.Next.WAIT:
			_doing = Doing.WAITING
			_link.goes_on = false
			_enter(ConnectionState.State.SUSPENDED)
		Reception.Next.END:
			_doing = Doing.NOTHING
			if _link.reception.next_sample != Reception.LIVE_EDGE:
				_link.playout.ladder.end = _link.reception.next_sample
			_enter(ConnectionState.State.STOPPED)
		Reception.Next.GIVE_UP:
			_doing = Doing.NOTHING
			_enter(ConnectionState.State.FAILED)


func _pause(seconds: float, now_s: float, then: Callable) -> void:
	_doing = Doing.PAUSING
	_pause_end_s = now_s + seconds
	_then = then


## Seconds to wait before the next try.
func _before(next: Reception.Next) -> float:
	var tries: int = _link.reception.tries
	if next == Reception.Next.RESUME and tries == 0:
		return 0.0
	var seconds: float = Backoff.before(tries)
	var told: float = _link.error.retry_after_ms / 1000.0 if _link.error != null else 0.0
	return told + Backoff.before(2) if told > seconds else seconds


#region The stream


func _begin_listening(now_s: float) -> void:
	_link.error = null
	_reporter.alive()
	_has_heard = false
	_since_s = now_s
	_fed_s = now_s
	_stream = _link.channel.call(
		&"stream", "StreamAudio", &"StreamAudioRequest", _link.reception.request(_link.id), _link.token
	)
	_doing = Doing.LISTENING


func _listen(now_s: float) -> void:
	for bytes: PackedByteArray in _stream.call(&"take_messages"):
		_has_heard = true
		var message: Variant = Codec.decode(&"StreamAudioResponse", bytes)
		if message == null or not _take(message, now_s):
			_broken(Status.make(Status.UNAVAILABLE, "the server sent what is not the protocol"), now_s)
			return
	if _stream.get(&"done"):
		var status: Status = _stream.get(&"status")
		if status.ok:
			_ended(now_s)
		else:
			_broken(status, now_s)
	elif (not _has_heard and now_s - _since_s > Link.TIMEOUT_S) or _reporter.is_cut_off() or _is_hungry(now_s):
		_broken(Status.make(Status.UNAVAILABLE, "nothing came for too long"), now_s)


func _is_hungry(now_s: float) -> bool:
	return _has_heard and _link.playout.ladder.mode == Ladder.Mode.STARVED and now_s - _fed_s > HUNGRY_S


func _ended(now_s: float) -> void:
	_stream = null
	var next: Reception.Next = _link.reception.after_end()
	var goodbye: Dictionary = _link.reception.goodbye
	if not goodbye.is_empty() and next != Reception.Next.END:
		# Another server may be there at once; the one that goes says by itself how long to wait.
		var reason: String = str(Schema.GoodbyeReason.find_key(goodbye.get("reason", 0)))
		var text: String = goodbye.get("message", "")
		_link.error = Status.make(Status.UNAVAILABLE, text if not text.is_empty() else reason)
		_link.error.reason = reason
	_after(next, now_s)


func _broken(status: Status, now_s: float) -> void:
	_stream.call(&"cancel")
	_stream = null
	_link.error = status
	_after(_link.reception.after_error(status), now_s)


func _after(next: Reception.Next, now_s: float) -> void:
	if next == Reception.Next.LISTEN or next == Reception.Next.RESUME:
		reconnects += 1
		_enter(ConnectionState.State.RECONNECTING)
		_pause(_before(next), now_s, _again.bind(next))
	else:
		_go(next, now_s)


func _again(next: Reception.Next) -> void:
	_link.reception.tries += 1
	_go(next, _pause_end_s)


## False if it is not the protocol.
func _take(message: Dictionary, now_s: float) -> bool:
	_reporter.alive()
	if message.has("audio"):
		var chunk: Dictionary = message["audio"]
		var frames: Variant = Decoder.to_frames(
			_link.reception.encoding,
			chunk.get("payload", PackedByteArray()),
			chunk.get("sample_count", 0),
			chunk.get("skip_samples", 0)
		)
		_fed_s = now_s
		if _link.reception.contradicts(chunk):
			_link.reception.forget()
			_restarts = true
			return false
		if frames == null:
			return false
		_link.playout.ladder.put(chunk.get("first_sample", 0), frames, chunk.get("take", 0), _restarts)
		_restarts = false
		_link.reception.take(message)
		_enter(ConnectionState.State.PLAYING)
	elif message.has("event"):
		arrived.call(message["event"])
	elif message.has("warning"):
		warned.call(message["warning"].get("message", ""))
	else:
		_link.reception.take(message)
		if message.has("ready"):
			_reporter.every(message["ready"].get("report_every_ms", 0))
			# Somebody else may have brought the session back, to somewhere else.
			_link.token = message["ready"].get("session_token", _link.token)
			if message["ready"].has("session"):
				ready.call(message["ready"]["session"])
				_enter(ConnectionState.State.PLAYING)
	return true


#endregion
#region Creating and resuming


func _begin_creating(from: Dictionary, state: String) -> void:
	var options: Options = _link.options
	var name: String = Options.unguessable()
	_create = options.request(name, state) if from.is_empty() else options.resume_request(name, from)
	_create_tries = 0
	_call_create()


func _call_create() -> void:
	_doing = Doing.CREATING
	_call = _link.begin_with(_link.options.client_token, &"CreateSession", _create)


func _created(now_s: float) -> void:
	var call: Call = _call
	_call = null
	if call.status.ok:
		for warning: Dictionary in call.response.get("warnings", []):
			warned.call(warning.get("message", ""))
		_link.id = call.response.get("session", {}).get("session_id", "")
		_link.token = call.response.get("session_token", "")
		_begin_listening(now_s)
		return
	_link.error = call.status
	if not Reception.is_passing(call.status):
		# Another try with the same request would end in the same way.
		_doing = Doing.NOTHING
		_enter(ConnectionState.State.FAILED)
		return
	_link.playout.ladder.wants_fallback = true
	_pause(_before(Reception.Next.LISTEN), now_s, _call_create)
	_create_tries += 1
	_link.reception.tries = _create_tries


func _begin_resuming() -> void:
	_enter(ConnectionState.State.RESUMING)
	var from: Dictionary = _link.reception.resume(_link.token)
	var fields: Dictionary = _link.options.resume_request(Options.unguessable(), from)
	fields.erase("paused")
	_doing = Doing.RESUMING
	_call = _link.begin(&"CreateSession", fields)


func _resumed(now_s: float) -> void:
	var call: Call = _call
	_call = null
	if call.status.ok:
		# The same token, by the way to where the session is now.
		_link.token = call.response.get("session_token", _link.token)
		resumes += 1
		_begin_listening(now_s)
		return
	_link.error = call.status
	if not Reception.is_passing(call.status):
		_go(Reception.Next.GIVE_UP, now_s)
		return
	_pause(_before(Reception.Next.LISTEN), now_s, _again.bind(Reception.Next.RESUME))


func _restart() -> void:
	_link.reception = Reception.new(_link.options)
	_restarts = true
	_begin_creating({}, restarted.call())


#endregion


func _enter(state: ConnectionState.State) -> void:
	_link.state = state
	match state:
		ConnectionState.State.RECONNECTING, ConnectionState.State.RESUMING, ConnectionState.State.FAILED:
			_link.playout.ladder.wants_fallback = true
		ConnectionState.State.STOPPED:
			_link.playout.ladder.wants_fallback = false
