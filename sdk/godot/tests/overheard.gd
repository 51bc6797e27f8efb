# SPDX-License-Identifier: Apache-2.0
extends Logger
## Errors that the engine prints while a test runs (Godot 4.5 and newer). Any thread.

var _lock: Mutex = Mutex.new()
var _errors: PackedStringArray = PackedStringArray()


func _log_error(
	function: String,
	file: String,
	line: int,
	code: String,
	rationale: String,
	_editor_notify: bool,
	error_type: int,
	_script_backtraces: Array[ScriptBacktrace]
) -> void:
	if error_type == ERROR_TYPE_WARNING:
		return
	var text: String = rationale if not rationale.is_empty() else code
	var kind: String = "script error" if error_type == ERROR_TYPE_SCRIPT else "engine error"
	_lock.lock()
	_errors.append("%s: %s (%s:%d, %s)" % [kind, text, file, line, function])
	_lock.unlock()


## What was printed since the last call.
func take() -> PackedStringArray:
	_lock.lock()
	var found: PackedStringArray = _errors
	_errors = PackedStringArray()
	_lock.unlock()
	return found
