# SPDX-License-Identifier: Apache-2.0
extends SceneTree
## Runs the tests, from the project's folder: godot --headless --audio-driver Dummy --script res://tests/run.gd
##
## Exit code 1 if a test fails, if a script has an error, or if nothing ran. After "--": `--only NAME` takes a part of
## "file.gd test_name", also several times; `--verbose` names every test and its time. A test in which the engine prints
## an error fails.

const Check := preload("res://tests/check.gd")
const Watchdog := preload("res://tests/watchdog.gd")

const BROKEN: String = "res://tests/broken"
const MOST_SHOWN: int = 8
const STUCK_S: float = 5.0

var _folder: String = "res://tests"
var _only: PackedStringArray = PackedStringArray()
var _is_verbose: bool = false
var _overheard: RefCounted = null
var _watchdog: Watchdog = Watchdog.new()
var _passed: int = 0
var _failed: int = 0
var _skipped: int = 0


func _initialize() -> void:
	Engine.max_fps = 250
	var words: PackedStringArray = OS.get_cmdline_user_args()
	_is_verbose = words.has("--verbose")
	for i: int in words.size() - 1:
		if words[i] == "--only":
			_only.append(words[i + 1])
		elif words[i] == "--folder":
			_folder = words[i + 1]
	_run.call_deferred()


func _run() -> void:
	if ClassDB.class_exists("Logger"):
		_overheard = (load("res://tests/overheard.gd") as GDScript).new()
		OS.call("add_logger", _overheard)
	else:
		print("-- errors that the engine prints are NOT counted: Godot 4.5 or newer can")
	if _only.is_empty():
		_load_all("res://addons")
		_load_all(_folder)
	_watchdog.start()
	for file: String in _files(_folder):
		if file.get_file().begins_with("test_"):
			await _run_file(file)
	_watchdog.stop()
	if _passed + _failed + _skipped == 0:
		_fail("nothing", "no test's name holds %s" % ", ".join(_only))
	print("%d passed, %d failed, %d skipped" % [_passed, _failed, _skipped])
	quit(1 if _failed > 0 else 0)


## Every script must at least be free of errors, whether a test uses it or not.
func _load_all(folder: String) -> void:
	for file: String in _files(folder):
		var script: GDScript = load(file) as GDScript
		if script == null or not script.can_instantiate():
			_fail(file, "the script has errors")
	for error: String in _heard():
		_fail(folder, error)


func _run_file(file: String) -> void:
	if not _may_hold_wanted(file):
		return
	var script: GDScript = load(file) as GDScript
	if script == null or not script.can_instantiate():
		_fail(file, "the script has errors")
		return
	for method: Dictionary in script.get_script_method_list():
		var method_name: String = method["name"]
		var test: String = "%s %s" % [file.get_file(), method_name]
		if method_name.begins_with("test_") and _is_wanted(test):
			await _run_test(script, method_name, test)


func _run_test(script: GDScript, method: String, test: String) -> void:
	var suite: Check = script.new() as Check
	if suite == null:
		_fail(test, "expected a file that extends check.gd")
		return
	suite.tree = self
	var begin: int = Time.get_ticks_msec()
	var limit: float = suite.limit_s()
	_watchdog.guard(test, limit + STUCK_S)
	var done: Array[bool] = [false]
	_play(suite, method, done)
	while not done[0] and Time.get_ticks_msec() - begin < limit * 1000.0:
		await process_frame
	_watchdog.guard("", 0.0)
	var failures: PackedStringArray = suite.failures.duplicate()
	for error: String in _heard():
		if not _holds_any(error, suite.expected_errors):
			failures.append(error)
	if not done[0]:
		failures.append("no end within %s s" % limit)
	elif suite.checks == 0 and suite.skipped.is_empty() and failures.is_empty():
		failures.append("it checks nothing")
	var took: int = Time.get_ticks_msec() - begin
	if not failures.is_empty():
		var shown: PackedStringArray = failures.slice(0, MOST_SHOWN)
		if failures.size() > MOST_SHOWN:
			shown.append("… and %d more" % (failures.size() - MOST_SHOWN))
		_fail(test, "\n    ".join(shown))
	elif not suite.skipped.is_empty():
		_skipped += 1
		print("SKIPPED %s: %s" % [test, suite.skipped])
	else:
		_passed += 1
		if _is_verbose:
			print("passed %s (%d ms)" % [test, took])


func _play(suite: Check, method: String, done: Array[bool]) -> void:
	@warning_ignore("redundant_await")
	await suite.before_each()
	@warning_ignore("redundant_await")
	await suite.call(method)
	@warning_ignore("redundant_await")
	await suite.after_each()
	done[0] = true


func _fail(test: String, why: String) -> void:
	_failed += 1
	print("FAILED %s\n    %s" % [test, why])


func _heard() -> PackedStringArray:
	return _overheard.call("take") if _overheard != null else PackedStringArray()


func _is_wanted(test: String) -> bool:
	return _only.is_empty() or _holds_any(test, _only)


## Files without a wanted test are not even loaded: others may be at work on them.
func _may_hold_wanted(file: String) -> bool:
	if _is_wanted(file.get_file()):
		return true
	for line: String in FileAccess.get_file_as_string(file).split("\n"):
		if line.begins_with("func test_") and _is_wanted("%s %s" % [file.get_file(), line.get_slice("(", 0).substr(5)]):
			return true
	return false


func _holds_any(text: String, parts: PackedStringArray) -> bool:
	for part: String in parts:
		if text.contains(part):
			return true
	return false


func _files(folder: String) -> PackedStringArray:
	var found: PackedStringArray = PackedStringArray()
	for file: String in DirAccess.get_files_at(folder):
		var needs_newer: bool = file == "overheard.gd" and not ClassDB.class_exists("Logger")
		if file.ends_with(".gd") and not needs_newer:
			found.append(folder.path_join(file))
	for sub: String in DirAccess.get_directories_at(folder):
		if folder.path_join(sub) != BROKEN:
			found.append_array(_files(folder.path_join(sub)))
	return found
