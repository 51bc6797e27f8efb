# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## A server within the test: what session.gd asks of a channel. Answers a call when it is polled the next time.

const Codec := preload("res://addons/segue/core/wire/codec.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

## Nobody answers: every call and stream fails.
var is_down: bool = false
## Calls fail, streams do not.
var refuses_calls: bool = false
## The first word of the network never comes.
var is_deaf: bool = false
## Ids of sessions that it has.
var sessions: PackedStringArray = PackedStringArray()
## Reason with which resuming is refused; empty: it is not.
var refuses_resume: String = ""
## Whether a server that is asked to bring a session back is full.
var is_full: bool = false
## The session's token as streams are told it at their beginning; empty: they are not.
var way: String = ""
## Tries of controls, in the order in which they came.
var tried: Array[Dictionary] = []
## A status for the next control, once.
var next_control: Status = null
## Fields of requests, in the order in which they came.
var created: Array[Dictionary] = []
var streams: Array[Dictionary] = []
var reports: Array[Dictionary] = []
var controls: Array[Dictionary] = []
var closed: PackedStringArray = PackedStringArray()
## Tokens of calls.
var tokens: PackedStringArray = PackedStringArray()
## What reports are told of the lead.
var lead_ms: int = 0
## The session's status and state, as streams are told at their beginning.
var status: int = 1
var state: String = "explore"

var _pending: Array[RefCounted] = []
var _stream: FakeStream = null


class FakeCall:
	extends "res://addons/segue/core/net/call.gd"
	var method: String = ""
	var fields: Dictionary = {}

	func _init() -> void:
		pass


class FakeStream:
	extends RefCounted
	var done: bool = false
	var status: Status = null
	var last_arrival_s: float = -1.0
	var messages: Array[PackedByteArray] = []

	func take_messages() -> Array[PackedByteArray]:
		var taken: Array[PackedByteArray] = messages
		messages = []
		return taken

	func cancel() -> void:
		done = true


func unary(
	method: String, request: StringName, fields: Dictionary, _response: StringName, token: String, _timeout_s: float
) -> RefCounted:
	var call: FakeCall = FakeCall.new()
	call.method = method
	call.fields = Codec.decode(request, Codec.encode(request, fields))
	tokens.append(token)
	_pending.append(call)
	return call


func stream(_method: String, request: StringName, fields: Dictionary, _token: String) -> RefCounted:
	_stream = FakeStream.new()
	if is_deaf:
		return _stream
	if is_down:
		end(Status.make(Status.UNAVAILABLE, "refused"))
		return _stream
	var asked: Dictionary = Codec.decode(request, Codec.encode(request, fields))
	if not sessions.has(asked.get("session_id", "")):
		var gone: Status = Status.make(Status.NOT_FOUND, "no such session")
		gone.reason = "UNKNOWN_SESSION"
		end(gone)
		return _stream
	streams.append(asked)
	var session: Dictionary = {"session_id": asked["session_id"], "status": status, "state": state}
	var ready: Dictionary = {"listener_id": "l-%d" % streams.size(), "session": session, "format": {"encoding": 2}}
	if not way.is_empty():
		ready["session_token"] = way
	send({"ready": ready})
	return _stream


func poll(_now_s: float) -> void:
	var calls: Array[RefCounted] = _pending
	_pending = []
	for call: FakeCall in calls:
		if is_deaf:
			_pending.append(call)
		else:
			_answer(call)


func close() -> void:
	_pending.clear()


## Whether somebody listens.
func is_heard() -> bool:
	return _stream != null and not _stream.done


## Sends a StreamAudioResponse.
func send(message: Dictionary) -> void:
	_stream.messages.append(Codec.encode(&"StreamAudioResponse", message))


## Sends an Event.
func tell(sample: int, detail: String, fields: Dictionary = {}, take: int = 0) -> void:
	send({"event": {"sample": sample, "take": take, detail: fields}})


func send_raw(bytes: PackedByteArray) -> void:
	_stream.messages.append(bytes)


## Sends audio of one value, in chunks of 80 ms, each with continuation bytes.
func send_audio(first: int, count: int, value: float = 0.25, take: int = 0) -> void:
	while count > 0:
		var length: int = mini(3840, count)
		var pcm: PackedFloat32Array = PackedFloat32Array()
		pcm.resize(2 * length)
		pcm.fill(value)
		send(
			{
				"audio":
				{
					"first_sample": first,
					"sample_count": length,
					"take": take,
					"payload": pcm.to_byte_array(),
					"continuation": PackedByteArray([first & 0xff]),
				}
			}
		)
		first += length
		count -= length


## Ends the stream.
func end(how: Status) -> void:
	_stream.status = how
	_stream.done = true


func _answer(call: FakeCall) -> void:
	call.status = Status.make(Status.OK)
	if is_down or refuses_calls:
		call.status = Status.make(Status.UNAVAILABLE, "refused")
		return
	match call.method:
		"CreateSession":
			_create(call)
		"ReportPlayback":
			reports.append(call.fields)
			call.response = {"target_lead_ms": lead_ms}
		"CloseSession":
			closed.append(call.fields.get("session_id", ""))
		_:
			_control(call)


func _create(call: FakeCall) -> void:
	created.append(call.fields)
	var resume: Dictionary = call.fields.get("resume", {})
	if not resume.is_empty() and is_full:
		call.status = Status.make(Status.RESOURCE_EXHAUSTED, "all sessions of this server are taken")
		return
	if not resume.is_empty() and not refuses_resume.is_empty():
		call.status = Status.make(Status.FAILED_PRECONDITION, "it can't be resumed")
		call.status.reason = refuses_resume
		return
	var id: String = "s-%d" % created.size()
	if not resume.get("session_token", "").is_empty():
		id = resume["session_token"].trim_prefix("token of ")
	sessions.append(id)
	call.response = {"session": {"session_id": id}, "session_token": "token of " + id}


func _control(call: FakeCall) -> void:
	tried.append(call.fields)
	if not sessions.has(call.fields["control"]["session_id"]):
		call.status = Status.make(Status.NOT_FOUND, "no such session")
		call.status.reason = "UNKNOWN_SESSION"
	elif next_control != null:
		call.status = next_control
		next_control = null
	else:
		controls.append(call.fields)
		call.response = {"outcome": {"landing": 2, "audible_at_sample": 9600, "state": "combat", "take": 1}}
