# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## One listener's books, across reconnects: what was received, and where to go on after a break. No I/O, no clock; one
## thread.

## What to do after a stream has ended.
enum Next {
	## Listen again, from where it broke off.
	LISTEN,
	## The server does not know the session: bring it back by its resume point.
	RESUME,
	## Wait until the game wants it to go on.
	WAIT,
	## The music has come to its end.
	END,
	## There is no way on with this session.
	GIVE_UP,
}

const Decoder := preload("res://addons/segue/core/audio/decoder.gd")
const Keeper := preload("res://addons/segue/core/session/keeper.gd")
const Options := preload("res://addons/segue/core/session/options.gd")
const Schema := preload("res://addons/segue/core/wire/schema.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

## Instead of a sample: what is newest.
const LIVE_EDGE: int = -1
## Samples that a chunk may be ahead of the one before.
const MOST_AHEAD: int = 60 * 48000
## Takes that may have been missed.
const MOST_TAKES: int = 1 << 16

## Takes what is needed to resume; null asks the server for nothing of it.
var keeper: Keeper = null
## First sample that has not arrived, or LIVE_EDGE.
var next_sample: int = LIVE_EDGE
## First sample of the present stream.
var first_sample: int = 0
## How the present stream's chunks are encoded.
var encoding: int = Decoder.S16
## Names the present stream; empty before there is one.
var listener_id: String = ""
## The last message of the present stream; empty before it.
var goodbye: Dictionary = {}
## Breaks since audio last arrived.
var tries: int = 0
## Times that samples were missed for good.
var gaps: int = 0
## Takes that have arrived.
var takes: int = 0

var _options: Options
var _has_ended: bool = false
var _has_blocks: bool = false
var _take: int = 0


func _init(options: Options) -> void:
	_options = options
	keeper = Keeper.new() if options.resume else null


## Whether there is what it takes to go on without the server that began.
func can_resume() -> bool:
	return keeper != null and keeper.is_ready and next_sample != LIVE_EDGE


## Fields of the StreamAudioRequest that begins, or goes on.
func request(session_id: String) -> Dictionary:
	goodbye = {}
	_has_ended = false
	var fields: Dictionary = {
		"session_id": session_id,
		"encoding": _options.wanted_encoding(),
		"chunk_ms": _options.chunk_ms,
		"with_continuation": keeper != null,
		"without_clock": not _options.clock,
	}
	if next_sample != LIVE_EDGE:
		fields["from_sample"] = next_sample
		if _has_blocks:
			fields["take"] = _take
	return fields


## Whether a chunk can't be where it says: of an older take than one before, back without a newer one, or so far ahead
## that nobody has played that long.
func contradicts(chunk: Dictionary) -> bool:
	if not _has_blocks or next_sample == LIVE_EDGE:
		return false
	var of_take: int = chunk.get("take", 0)
	var first: int = chunk.get("first_sample", 0)
	return (
		of_take < _take
		or of_take - _take > MOST_TAKES
		or first > next_sample + MOST_AHEAD
		or (of_take == _take and first < next_sample)
	)


## What was received is not to be relied on: listen at the live edge, as if nothing had been.
func forget() -> void:
	next_sample = LIVE_EDGE
	_has_blocks = false
	_take = 0
	gaps += 1


## Books a StreamAudioResponse.
func take(message: Dictionary) -> void:
	if message.has("audio"):
		_book(message["audio"])
	elif message.has("ready"):
		var ready: Dictionary = message["ready"]
		first_sample = ready.get("first_sample", 0)
		listener_id = ready.get("listener_id", "")
		encoding = ready.get("format", {}).get("encoding", Decoder.S16)
	elif message.has("resume_point"):
		if keeper != null:
			keeper.point(message["resume_point"])
	elif message.has("goodbye"):
		goodbye = message["goodbye"]
		_has_ended = true


## What to do now that the stream has ended well.
func after_end() -> Next:
	if not _has_ended:
		return Next.LISTEN
	match goodbye.get("reason", 0):
		Schema.GoodbyeReason.SLOW_LISTENER:
			return Next.LISTEN
		Schema.GoodbyeReason.STOPPED, Schema.GoodbyeReason.CLOSED:
			return Next.END
		Schema.GoodbyeReason.SUSPENDED:
			return Next.WAIT
		Schema.GoodbyeReason.DRAINING, Schema.GoodbyeReason.FAULT:
			return Next.LISTEN if can_resume() else Next.GIVE_UP
	return Next.GIVE_UP


## What to do now that the stream has failed, or could not be begun.
func after_error(status: Status) -> Next:
	if status.code == Status.OUT_OF_RANGE and _has_blocks and next_sample != LIVE_EDGE:
		next_sample = LIVE_EDGE
		return Next.LISTEN
	if status.is_unknown_session:
		return Next.RESUME if can_resume() else Next.GIVE_UP
	# What a proxy says in between, or garbage, may pass as well, if it went well before.
	var is_vague: bool = status.reason.is_empty() and status.code in [Status.UNKNOWN, Status.INTERNAL]
	return Next.LISTEN if is_passing(status) or (is_vague and _has_blocks) else Next.GIVE_UP


## Whether it may go better by itself.
static func is_passing(status: Status) -> bool:
	return status.code in [Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED, Status.CANCELLED, Status.DEADLINE_EXCEEDED]


## Fields of the ResumeRequest that brings the session back, at the sample that is wanted next. Only if can_resume().
func resume(session_token: String) -> Dictionary:
	var fields: Dictionary = keeper.resume(next_sample, session_token)
	next_sample = fields["from_sample"]
	return fields


func _book(chunk: Dictionary) -> void:
	if keeper != null:
		keeper.chunk(chunk)
	var of_take: int = chunk.get("take", 0)
	var first: int = chunk.get("first_sample", 0)
	var is_new: bool = _has_blocks and of_take > _take
	if is_new:
		takes += 1
	if _has_blocks and first != next_sample and not (is_new and first <= next_sample):
		gaps += 1
	_take = maxi(_take, of_take)
	_has_blocks = true
	next_sample = first + int(chunk.get("sample_count", 0))
	tries = 0
