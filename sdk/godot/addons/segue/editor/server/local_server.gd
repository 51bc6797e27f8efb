# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## One `segue serve` as a child of the editor: its log is told line by line, and it ends with the editor.

## A line of its log. is_wrong: it says that something failed.
signal told(line: String, is_wrong: bool)
## It has begun or ended.
signal changed

const LogTail := preload("res://addons/segue/editor/server/log_tail.gd")
const ServerCommand := preload("res://addons/segue/editor/server/server_command.gd")

const EVERY_MS: int = 250
## How long an editor that quits waits for it.
const PATIENCE_MS: int = 3000

## What the developer has chosen as the program; may be empty.
var chosen: String = ""
## Where the virtual environments are looked for.
var project: String = ProjectSettings.globalize_path("res://")
## What it serves; empty while it does not run.
var serves: String = ""
## Whether it runs.
var is_running: bool:
	get:
		return _process > 0

var _is_windows: bool = OS.get_name() == "Windows"
var _process: int = 0
var _tail: LogTail = null
var _next_ms: int = 0
var _log_path: String = ""


## The program that would be started; "" if there is none.
func program() -> String:
	var home: String = OS.get_environment("USERPROFILE" if _is_windows else "HOME")
	return ServerCommand.first(ServerCommand.places(chosen, OS.get_environment("PATH"), project, home, _is_windows))


## Starts it, if it does not run. soundtrack: a file, or a folder of them; res:// may be. False if that failed, which
## is told.
func start(soundtrack: String) -> bool:
	if is_running:
		return true
	var found: String = program()
	if found.is_empty():
		told.emit(ServerCommand.HOW_TO_INSTALL, true)
		return false
	var path: String = ProjectSettings.globalize_path(soundtrack)
	if not FileAccess.file_exists(path) and not DirAccess.dir_exists_absolute(path):
		told.emit("%s: expected a soundtrack's file, or a folder of them" % path, true)
		return false
	_log_path = OS.get_user_data_dir().path_join("segue-serve-%d.log" % OS.get_process_id())
	if not _create(found, path):
		told.emit("%s could not be started" % found, true)
		return false
	_tail = LogTail.new(_log_path)
	serves = path.get_file() if not path.get_file().is_empty() else path
	told.emit("%s serve %s" % [found, path], false)
	changed.emit()
	return true


## Asks it to end, if it runs; `poll` sees when it has.
func stop() -> void:
	if is_running:
		var words: PackedStringArray = ServerCommand.stop(_process, _is_windows)
		OS.execute(words[0], words.slice(1))


## Ends it, whatever it takes, and waits for that: the editor quits.
func end() -> void:
	if not is_running:
		return
	stop()
	var end_ms: int = Time.get_ticks_msec() + PATIENCE_MS
	while OS.is_process_running(_process) and Time.get_ticks_msec() < end_ms:
		OS.delay_msec(20)
	if OS.is_process_running(_process):
		# The engine forgets what it has killed: there is nothing more to be asked of it.
		OS.kill(_process)
		_tell(true)
		_ended(", killed")
		return
	_next_ms = 0
	poll()


## As often as one likes: tells what is new in its log, and whether it has ended.
func poll() -> void:
	if not is_running or Time.get_ticks_msec() < _next_ms:
		return
	_next_ms = Time.get_ticks_msec() + EVERY_MS
	var is_over: bool = not OS.is_process_running(_process)
	_tell(is_over)
	if is_over:
		var code: int = OS.call(&"get_process_exit_code", _process) if OS.has_method(&"get_process_exit_code") else -1
		_ended(" with exit code %d" % code if code >= 0 else "", code > 0)


func _tell(is_over: bool) -> void:
	for line: String in _tail.read(is_over):
		# A command that fails says so in one sentence, which begins with its name.
		told.emit(line, line.begins_with("segue: ") or line.to_lower().contains("error"))


func _create(found: String, path: String) -> bool:
	var file: FileAccess = FileAccess.open(_log_path, FileAccess.WRITE)
	if file != null:
		file.close()
	var variables: Dictionary = ServerCommand.variables(found, path, _log_path)
	var before: Dictionary = {}
	for key: String in variables:
		before[key] = OS.get_environment(key) if OS.has_environment(key) else null
		OS.set_environment(key, variables[key])
	var words: PackedStringArray = ServerCommand.start(found, path, _log_path, _is_windows)
	_process = OS.create_process(words[0], words.slice(1))
	for key: String in before:
		if before[key] == null:
			OS.unset_environment(key)
		else:
			OS.set_environment(key, before[key])
	return is_running


func _ended(how: String, is_wrong: bool = false) -> void:
	_process = 0
	_tail = null
	serves = ""
	DirAccess.remove_absolute(_log_path)
	told.emit("the local server has ended%s" % how, is_wrong)
	changed.emit()
