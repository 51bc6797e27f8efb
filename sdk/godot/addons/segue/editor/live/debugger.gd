# SPDX-License-Identifier: Apache-2.0
@tool
extends EditorDebuggerPlugin
## The editor's debugger between running games and live.gd.

const Live := preload("res://addons/segue/editor/live/live.gd")

var _live: Live


func _init(live: Live = null) -> void:
	_live = live
	if _live != null:
		_live.send = _send


func _has_capture(prefix: String) -> bool:
	return prefix == "segue"


func _capture(message: String, data: Array, session_id: int) -> bool:
	return _live.take(session_id, message, data)


func _setup_session(session_id: int) -> void:
	var session: EditorDebuggerSession = get_session(session_id)
	session.started.connect(_live.started.bind(session_id))
	session.stopped.connect(_live.stopped.bind(session_id))


func _send(session_id: int, message: String, data: Array) -> void:
	var session: EditorDebuggerSession = get_session(session_id)
	if session != null and session.is_active():
		session.send_message(message, data)
