# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## One soundtrack: listens, steers, comes back by itself. `step` and what is said to be so belong to one thread, which
## is the pump's; the rest may be used from anywhere.

const Channel := preload("res://addons/segue/core/net/channel.gd")
const Codec := preload("res://addons/segue/core/wire/codec.gd")
const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const Controls := preload("res://addons/segue/core/session/controls.gd")
const EventQueue := preload("res://addons/segue/core/session/event_queue.gd")
const Fallback := preload("res://addons/segue/core/session/fallback.gd")
const Link := preload("res://addons/segue/core/session/link.gd")
const Listening := preload("res://addons/segue/core/session/listening.gd")
const Options := preload("res://addons/segue/core/session/options.gd")
const Outcome := preload("res://addons/segue/core/session/outcome.gd")
const Playout := preload("res://addons/segue/core/session/playout.gd")
const Reading := preload("res://addons/segue/core/session/reading.gd")
const Reception := preload("res://addons/segue/core/session/reception.gd")
const Reporter := preload("res://addons/segue/core/session/reporter.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

## How long freeing the session on the server may take.
const FAREWELL_S: float = 2.0

var _link: Link
var _listening: Listening
var _controls: Controls
var _reporter: Reporter
var _fallback: Fallback
var _events: EventQueue = EventQueue.new()
var _has_begun: bool = false
var _leave_s: float = -1.0
var _is_leaving: bool = false
var _farewell: RefCounted = null
var _published: Array = []

# Shared under the lock.
var _lock: Mutex = Mutex.new()
var _commands: Array[Callable] = []
var _answers: Array[Callable] = []
var _warnings: PackedStringArray = PackedStringArray()
var _reading: Reading = Reading.new()


## channel: a channel.gd, or what is like one. id and token: of a session that somebody else created; empty for a new
## one. saved: what `parse_saved` gave of another session; {} for none.
func _init(options: Options, channel: RefCounted, id: String = "", token: String = "", saved: Dictionary = {}) -> void:
	_link = Link.new(options, channel)
	_link.id = id
	_link.token = token
	_link.is_ours = id.is_empty()
	_reporter = Reporter.new(_link)
	_listening = Listening.new(_link, _reporter, saved)
	_controls = Controls.new(_link)
	_fallback = Fallback.new(_link.playout.ladder)
	_fallback.failed = _warn
	_listening.arrived = _arrived
	_listening.warned = _warn
	_listening.ready = _ready
	_listening.restarted = _restarted


## Fields of the ResumeRequest in what `save` gave; {} if it is not that.
static func parse_saved(saved: PackedByteArray) -> Dictionary:
	var fields: Variant = Codec.decode(&"ResumeRequest", saved) if not saved.is_empty() else null
	if fields == null or not fields.has("token"):
		return {}
	return fields


## Whether it was begun here, rather than attached to.
func is_ours() -> bool:
	return _link.is_ours


#region The pump's thread


## Moves everything on. now_s: seconds of a clock that only goes forward.
func step(now_s: float) -> void:
	_run_commands()
	if not _has_begun:
		_has_begun = true
		_listening.begin(now_s)
	_link.channel.call(&"poll", now_s)
	_listening.step(now_s)
	if not _is_leaving:
		_controls.step(now_s)
		_reporter.step(now_s)
		_fallback.step()
		_link.playout.fill(now_s)
	_publish()


## Lets go: nothing is heard from now on. True once it is over: a session of our own has been freed, or that has failed.
func leave(now_s: float) -> bool:
	if not _is_leaving:
		_is_leaving = true
		_leave_s = now_s
		_link.playout.use(null)
		_fallback.finish()
	_listening.end()
	step(now_s)
	_listening.end()
	_controls.drop(Status.make(Status.CANCELLED, "the player was stopped"))
	# What is being created would take up its place on the server until its grace period is over.
	var waits: bool = _link.is_ours and _listening.is_creating()
	if _link.is_ours and not _link.id.is_empty() and _farewell == null:
		_farewell = _link.begin(&"CloseSession", {"session_id": _link.id}, FAREWELL_S)
		return false
	if (waits or (_farewell != null and not _farewell.get(&"done"))) and now_s - _leave_s < FAREWELL_S:
		return false
	finish()
	return true


## Ends at once, whatever is under way. After `leave`.
func finish() -> void:
	_link.channel.call(&"close")
	_link.state = ConnectionState.State.STOPPED
	_publish()


## Whether a control or a report is under way.
func is_calling() -> bool:
	return _controls.count() > 0 or _reporter.is_calling()


#endregion
#region Any thread


## How it stands now.
func reading() -> Reading:
	_lock.lock()
	var found: Reading = _reading
	_lock.unlock()
	return found


## Where frames go from now on: an AudioStreamGeneratorPlayback (or what is like one) that has just been made, and the
## generator that made it, by whose rate playing is held in time; null for none.
func use_sink(sink: Object, generator: AudioStreamGenerator = null) -> void:
	_command(_link.playout.use.bind(sink, generator))


## Whether the music passes by unheard, as others go on listening. After it, there must be a new sink.
func hush(is_hushed: bool) -> void:
	_command(_link.playout.hush.bind(is_hushed))


## Baked loops and clips: a baked_folder.gd.
func use_baked(baked: RefCounted) -> void:
	_command(_fallback.use.bind(baked, _link.options.initial_state))


## Begins a control: `method` of the service, `fields` of its request without the header, and what of the header is not
## common to all. on_done is called with an Outcome by `deliver`.
func request(method: StringName, fields: Dictionary, on_done: Callable, header: Dictionary = {}) -> void:
	_command(_controls.send.bind(method, fields, header, _done.bind(method, fields, on_done)))


## Calls what waits for outcomes. The thread of those who asked.
func deliver() -> void:
	_lock.lock()
	var answers: Array[Callable] = _answers
	_answers = []
	_lock.unlock()
	for answer: Callable in answers:
		answer.call()


## Events that have been heard, each given once. heard: first sample that has not been.
func take_events(heard: int) -> Array[Dictionary]:
	return _events.take(heard)


## Sentences for the developer, each given once.
func take_warnings() -> PackedStringArray:
	_lock.lock()
	var found: PackedStringArray = _warnings
	_warnings = PackedStringArray()
	_lock.unlock()
	return found


## What another session can go on from, some 13 KB for a save file; empty before anything was heard.
func save() -> PackedByteArray:
	var now: Reading = reading()
	if now.keeper == null or not now.keeper.is_ready or now.next_sample == Reception.LIVE_EDGE:
		return PackedByteArray()
	var from: int = mini(now.drained, now.next_sample) if now.drained >= 0 else now.next_sample
	return Codec.encode(&"ResumeRequest", now.keeper.resume(from))


#endregion


func _run_commands() -> void:
	_lock.lock()
	var commands: Array[Callable] = _commands
	_commands = []
	_lock.unlock()
	for command: Callable in commands:
		command.call()


func _command(what: Callable) -> void:
	_lock.lock()
	_commands.append(what)
	_lock.unlock()


func _warn(text: String) -> void:
	_lock.lock()
	_warnings.append(text)
	_lock.unlock()


func _done(outcome: Outcome, method: StringName, fields: Dictionary, on_done: Callable) -> void:
	if method == &"Play" and outcome.ok:
		_link.goes_on = true
	# Where the server can't be reached, the fallback goes there alone.
	if method == &"SetState" and not outcome.ok and Reception.is_passing(outcome.status):
		_fallback.enter(fields.get("state", ""))
	_lock.lock()
	_answers.append(on_done.bind(outcome))
	_lock.unlock()


func _arrived(event: Dictionary) -> void:
	_events.add(event)
	var sample: int = event.get("sample", 0)
	var ladder: Playout.Ladder = _link.playout.ladder
	if event.has("rewound"):
		ladder.clips.void_from(sample, ladder.timeline.playhead)
	elif event.has("stinger_started"):
		var started: Dictionary = event["stinger_started"]
		var clip: Fallback.Recording = _fallback.clip(started.get("name", "")) if started.has("clip") else null
		if clip != null:
			ladder.clips.add(clip, sample, db_to_linear(started.get("gain_db", 0.0)))
	elif event.has("state_changed"):
		_fallback.enter(event["state_changed"].get("to_state", ""))
	elif event.has("status_changed"):
		ladder.end = sample if _stands(event["status_changed"]) else Playout.Ladder.NOWHERE


func _ready(session: Dictionary) -> void:
	_fallback.enter(session.get("state", ""))
	var head: int = session.get("head_sample", 0)
	_link.playout.ladder.end = head if _stands(session) else Playout.Ladder.NOWHERE


func _restarted() -> String:
	_events.clear()
	_link.playout.ladder.clips.void_from(0, 0)
	_link.playout.ladder.end = Playout.Ladder.NOWHERE
	return _fallback.state


static func _stands(fields: Dictionary) -> bool:
	return ConnectionState.STANDING.has(fields.get("status", 0))


func _publish() -> void:
	var playout: Playout = _link.playout
	var ladder: Playout.Ladder = playout.ladder
	var timeline: Playout.Ladder.Timeline = ladder.timeline
	# Many times a second; a new reading is only worth it where something has happened.
	var now: Array = [
		_link.state,
		_link.error,
		_link.id,
		playout.drained,
		timeline.playhead,
		timeline.take,
		ladder.mode,
		_link.reception.next_sample,
		_listening.reconnects,
		_controls.count(),
		_fallback.state,
		ladder.fallback,
		_reporter.round_trip_s,
	]
	if now == _published:
		return
	_published = now
	var made: Reading = _read()
	_lock.lock()
	_reading = made
	_lock.unlock()


func _read() -> Reading:
	var now: Reading = Reading.new()
	var playout: Playout = _link.playout
	var ladder: Playout.Ladder = playout.ladder
	now.state = _link.state
	if now.state == ConnectionState.State.PLAYING and ladder.mode == Playout.Ladder.Mode.STARVED:
		now.state = ConnectionState.State.STARVED
	now.id = _link.id
	now.token = _link.token
	now.error = _link.error
	now.music_state = _fallback.state
	now.drained = playout.drained
	now.playhead = ladder.timeline.playhead if ladder.timeline.has_begun else -1
	now.next_sample = _link.reception.next_sample
	now.keeper = _link.reception.keeper
	now.reserve_s = playout.ahead() / float(Playout.SAMPLE_RATE)
	now.take = ladder.timeline.take
	now.mode = ladder.mode
	now.rate = playout.rate
	now.underruns = ladder.underruns
	now.skips = playout.skips
	now.jumps = ladder.timeline.jumps
	now.late_takes = ladder.timeline.late_takes
	now.gaps = _link.reception.gaps
	now.reconnects = _listening.reconnects
	now.resumes = _listening.resumes
	now.lead_ms = _reporter.lead_ms
	now.round_trip_s = _reporter.round_trip_s
	now.waiting_controls = _controls.count()
	now.has_fallback = ladder.fallback != null
	return now
