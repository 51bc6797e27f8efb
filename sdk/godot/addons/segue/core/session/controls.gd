# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Controls one after the other: requests of their own connections might overtake each other, and a state that was set
## first must not win. While their session is being brought back, they wait for it. One thread's.

const Backoff := preload("res://addons/segue/core/session/backoff.gd")
const Call := preload("res://addons/segue/core/net/call.gd")
const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const Link := preload("res://addons/segue/core/session/link.gd")
const Outcome := preload("res://addons/segue/core/session/outcome.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

## Controls that may wait; while the network is gone, more would only come too late.
const MOST: int = 32
## Between two tries of a control: its session may be back at any moment.
const LONGEST_PAUSE_S: float = 0.5

var _link: Link
var _waiting: Array[Waiting] = []
var _call: Call = null
var _again_s: float = -1.0


class Waiting:
	var method: StringName = &""
	var fields: Dictionary = {}
	var header: Dictionary = {}
	var on_done: Callable = Callable()
	var tries: int = 0
	var since_s: float = -1.0
	var is_sent: bool = false


func _init(link: Link) -> void:
	_link = link


## Controls that wait or are under way.
func count() -> int:
	return _waiting.size()


## Queues a control: `fields` of its request without the header, `header` beyond what all of them have.
## on_done is called with an Outcome, on this thread.
func send(method: StringName, fields: Dictionary, header: Dictionary, on_done: Callable) -> void:
	if _waiting.size() >= MOST:
		var text: String = "a control was dropped: %d others wait for the network" % MOST
		on_done.call(Outcome.make(Status.make(Status.UNAVAILABLE, text)))
		return
	var control: Waiting = Waiting.new()
	control.method = method
	control.fields = fields
	control.header = header
	control.on_done = on_done
	_waiting.append(control)


func step(now_s: float) -> void:
	if _waiting.is_empty():
		return
	var control: Waiting = _waiting[0]
	if _call != null:
		if _call.done:
			_answered(control, now_s)
		return
	if control.since_s < 0.0:
		control.since_s = now_s
	if now_s < _again_s:
		return
	if _link.id.is_empty():
		if _link.has_failed() and _link.error != null:
			_finish(Outcome.make(_link.error))
		elif now_s - control.since_s > Link.TIMEOUT_S:
			_finish(Outcome.make(Status.make(Status.UNAVAILABLE, "there is no session yet")))
		return
	if not control.is_sent:
		control.is_sent = true
		var header: Dictionary = _link.header()
		header.merge(control.header)
		control.fields["control"] = header
	_call = _link.begin(control.method, control.fields)


## Nothing of it will be answered any more.
func drop(why: Status) -> void:
	_call = null
	while not _waiting.is_empty():
		_finish(Outcome.make(why))


func _answered(control: Waiting, now_s: float) -> void:
	var call: Call = _call
	_call = null
	control.tries += 1
	var status: Status = call.status
	var may_pass: bool = status.is_unknown_session or status.code == Status.UNAVAILABLE
	if may_pass and _is_brought_back(control):
		# A suspended session that its server has lost meanwhile is brought back by whoever wants it.
		if status.is_unknown_session:
			_link.goes_on = true
		var pause_s: float = minf(LONGEST_PAUSE_S, Backoff.before(control.tries))
		if now_s + pause_s < control.since_s + Link.TIMEOUT_S:
			_again_s = now_s + pause_s
			return
		status = _not_back(status)
	_finish(Outcome.make(status, call.response.get("outcome", {})))


## Whether the session of a control, had its server lost it, would come back.
func _is_brought_back(control: Waiting) -> bool:
	var is_over: bool = _link.has_failed() or _link.state == ConnectionState.State.STOPPED
	return not is_over and _link.reception.can_resume() and control.fields["control"]["session_id"] == _link.id


## What to say instead of "no such session" where it may still come back.
static func _not_back(status: Status) -> Status:
	if not status.is_unknown_session:
		return status
	var made: Status = Status.make(Status.UNAVAILABLE, "the session is not back yet: " + status.message)
	made.reason = status.reason
	return made


func _finish(outcome: Outcome) -> void:
	var control: Waiting = _waiting.pop_front()
	control.on_done.call(outcome)
