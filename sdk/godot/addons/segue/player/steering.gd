# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## A player's controls and parameters: sent one after the other; what goes wrong is told, though not every frame. The
## main thread's.

const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const NearMisses := preload("res://addons/segue/player/near_misses.gd")
const Options := preload("res://addons/segue/core/session/options.gd")
const Outcome := preload("res://addons/segue/core/session/outcome.gd")
const ParameterBoard := preload("res://addons/segue/player/parameter_board.gd")
const Reading := preload("res://addons/segue/core/session/reading.gd")
const Reception := preload("res://addons/segue/core/session/reception.gd")
const Session := preload("res://addons/segue/core/session/session.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

const PARAMETERS_EVERY_MS: int = 50
const AFTER_FAILURE_MS: int = 1000
const SAY_AGAIN_MS: int = 10000

## What is steered; null while nothing is played.
var session: Session = null

var _node: Node
var _board: ParameterBoard = ParameterBoard.new()
var _asked: Array[Asked] = []
var _said: Dictionary = {}
var _send_at_ms: int = 0
var _is_sending: bool = false
# Counts sessions: what is answered late may be of one before.
var _epoch: int = 0
var _told_id: String = ""
var _refused_of: String = ""


class Asked:
	extends RefCounted
	signal answered(outcome: Outcome)
	var method: StringName = &""
	var is_done: bool = false

	func answer(outcome: Outcome) -> void:
		if not is_done:
			is_done = true
			answered.emit(outcome)


func _init(node: Node) -> void:
	_node = node


## A session begins. is_new: one that is told its parameters as it is created.
func begin(options: Options, is_new: bool) -> void:
	if _refused_of != options.soundtrack:
		_board.forgive()
	_refused_of = options.soundtrack
	_said.clear()
	_told_id = ""
	_send_at_ms = 0
	_is_sending = false
	_epoch += 1
	for name: Variant in options.parameters:
		if not _board.has(StringName(name)):
			_board.put(StringName(name), float(options.parameters[name]))
	if is_new:
		options.parameters = _board.take_all()
	else:
		_board.renew_all()


## The session is let go: whoever waits for an outcome is told.
func end() -> void:
	session = null
	var asked: Array[Asked] = _asked
	_asked = []
	for one: Asked in asked:
		one.answer(Outcome.make(Status.make(Status.CANCELLED, "the player was stopped")))


## Sends a control; its outcome comes when it is there. A failure is told.
func steer(method: StringName, fields: Dictionary, at: int) -> Outcome:
	if session == null:
		var idle: Outcome = Outcome.make(Status.make(Status.FAILED_PRECONDITION, "%s: nothing is played" % method))
		warn(idle.status.message)
		return idle
	# What was set before it counts for it: a guard may look at it.
	if _board.has_news() and not _told_id.is_empty():
		_send_parameters()
	var asked: Asked = send(method, fields, {"exit_source_at": at} if at != 0 else {})
	var outcome: Outcome = await asked.answered
	if not outcome.ok and outcome.status.code != Status.CANCELLED:
		warn(outcome.status.message)
	return outcome


## Sends a control that nobody waits for.
func send(method: StringName, fields: Dictionary, header: Dictionary = {}) -> Asked:
	var asked: Asked = Asked.new()
	asked.method = method
	_asked.append(asked)
	session.request(method, fields, _answered.bind(asked), header)
	return asked


## Sets a parameter: cheap if it has that value already.
func set_parameter(name: StringName, value: float) -> void:
	if not _board.put(name, value):
		return
	var resource: SoundtrackResource = _node.get(&"resource")
	if resource != null and resource.error.is_empty() and not resource.has_parameter(name):
		warn(NearMisses.unknown("parameter", name, PackedStringArray(resource.parameters.keys())))


## Warns of a name that the soundtrack does not have, if there is a resource that tells.
func check(kind: String, name: String) -> void:
	var resource: SoundtrackResource = _node.get(&"resource")
	if resource == null or not resource.error.is_empty():
		return
	if kind == "state" and not resource.has_state(name):
		warn(NearMisses.unknown(kind, name, resource.states))
	elif kind == "event" and not resource.has_event(name):
		warn(NearMisses.unknown(kind, name, resource.events))
	elif kind == "stinger" and not resource.has_stinger(name):
		warn(NearMisses.unknown(kind, name, resource.stingers))


## Every frame: outcomes, warnings, and parameters that have changed.
func tick(reading: Reading) -> void:
	var now: Session = session
	now.deliver()
	for text: String in now.take_warnings():
		warn(text)
	if session != now or reading.id.is_empty():
		return
	# A session that was begun anew knows only what it was created with.
	if not _told_id.is_empty() and _told_id != reading.id:
		_board.renew_all()
	_told_id = reading.id
	if not _board.has_news() or _is_sending or Time.get_ticks_msec() < _send_at_ms:
		return
	if reading.state < ConnectionState.State.STOPPED:
		_send_parameters()


## The session has failed for good.
func failed(status: Status) -> void:
	complain(status.message if status != null else "the session failed")
	# A parameter that does not exist is not to be in the way of the next play.
	if status != null and status.reason == "UNKNOWN_NAME" and status.kind == "parameter":
		_board.refuse(StringName(status.name))


## A warning, though not the same one every frame.
func warn(text: String) -> void:
	var now_ms: int = Time.get_ticks_msec()
	if _said.has(text) and now_ms - int(_said[text]) < SAY_AGAIN_MS:
		return
	if _said.size() >= 100:
		_said.clear()
	_said[text] = now_ms
	push_warning("Segue: %s: %s" % [_node.name, text])


func complain(text: String) -> void:
	push_error("Segue: %s: %s" % [_node.name, text])


func _send_parameters() -> void:
	_send_at_ms = Time.get_ticks_msec() + PARAMETERS_EVERY_MS
	_is_sending = true
	var news: Dictionary = _board.take()
	session.request(
		&"SetParameters", {"parameters": {"values": Options.values(news)}}, _parameters_sent.bind(news, _epoch)
	)


func _answered(outcome: Outcome, asked: Asked) -> void:
	_asked.erase(asked)
	if asked.method in [&"Pause", &"Play"] and not outcome.ok and outcome.status.code != Status.CANCELLED:
		warn(outcome.status.message)
	asked.answer(outcome)


## Values that were not received are sent again, without the one that the soundtrack does not have.
func _parameters_sent(outcome: Outcome, news: Dictionary, epoch: int) -> void:
	if epoch != _epoch:
		return
	_is_sending = false
	if outcome.ok:
		return
	warn(outcome.status.message)
	var is_unknown: bool = outcome.status.reason == "UNKNOWN_NAME" and news.has(StringName(outcome.status.name))
	if is_unknown:
		_board.refuse(StringName(outcome.status.name))
	else:
		_send_at_ms = Time.get_ticks_msec() + AFTER_FAILURE_MS
	if is_unknown or Reception.is_passing(outcome.status):
		_board.renew(news)
