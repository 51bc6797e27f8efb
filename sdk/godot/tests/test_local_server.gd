# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## The editor's local server: finding, starting and ending it.

const LocalServer := preload("res://addons/segue/editor/server/local_server.gd")
const LogTail := preload("res://addons/segue/editor/server/log_tail.gd")
const ServerCommand := preload("res://addons/segue/editor/server/server_command.gd")

const STAND_IN: String = """#!/bin/sh
echo "serving $1 $2"
echo "path with spaces: ä"
trap 'echo "goodbye"; exit 0' TERM
while true; do sleep 0.05; done
"""

var _folder: String = ""
var _said: PackedStringArray = PackedStringArray()
var _wrong: PackedStringArray = PackedStringArray()


func before_each() -> void:
	_folder = ProjectSettings.globalize_path("user://local server %d" % OS.get_process_id())
	DirAccess.make_dir_recursive_absolute(_folder.path_join(".venv/bin"))
	DirAccess.make_dir_recursive_absolute(_folder.path_join("game/deep"))


func after_each() -> void:
	OS.execute("rm", ["-r", _folder])


func limit_s() -> float:
	return 120.0


func test_places_the_likeliest_first() -> void:
	var places: PackedStringArray = ServerCommand.places("", "/a:/b::/a", "/x/y/", "/h/me", false)
	eq(
		places,
		PackedStringArray(
			[
				"/x/y/.venv/bin/segue",
				"/x/y/venv/bin/segue",
				"/x/.venv/bin/segue",
				"/x/venv/bin/segue",
				"/.venv/bin/segue",
				"/venv/bin/segue",
				"/a/segue",
				"/b/segue",
				"/h/me/.local/bin/segue",
				"/opt/homebrew/bin/segue",
				"/usr/local/bin/segue",
			]
		)
	)
	eq(ServerCommand.places("/mine/segue", "", "/x", "", false)[0], "/mine/segue", "what was chosen")
	var windows: PackedStringArray = ServerCommand.places("", '"C:/tools and";D:/x', "C:/g", "", true)
	ok(windows.has("C:/g/.venv/Scripts/segue.exe") and windows.has("C:/tools and/segue.exe"), str(windows))
	ok(not windows.has("/usr/local/bin/segue"), str(windows))


func test_without_a_program_it_says_how_to_install() -> void:
	var server: LocalServer = _server(_folder.path_join("game"))
	server.chosen = _folder.path_join("not there")
	var path: String = OS.get_environment("PATH")
	OS.set_environment("PATH", "")
	if server.program().is_empty():
		eq(server.start(_folder), false)
		ok(_wrong.size() == 1 and _wrong[0].contains("Install it"), str(_wrong))
	else:
		skip("there is one in %s" % server.program())
	OS.set_environment("PATH", path)


func test_it_starts_tells_and_ends() -> void:
	if OS.get_name() == "Windows":
		skip("the stand-in is a script of sh")
		return
	_write_stand_in(STAND_IN)
	var server: LocalServer = _server(_folder.path_join("game/deep"))
	eq(server.program(), _folder.path_join(".venv/bin/segue"), "found above the project")
	eq(server.start("/not/there"), false)
	ok(_wrong.size() == 1 and _wrong[0].begins_with("/not/there: expected"), str(_wrong))
	_wrong.clear()
	if not ok(server.start(_folder.path_join("game")), "it starts"):
		return
	eq(server.serves, "game")
	ok(not OS.has_environment("SEGUE_PROGRAM"), "the editor's environment is as it was")
	await _until_said(server, "path with spaces: ä")
	ok(_said.has("serving serve %s" % _folder.path_join("game")), str(_said))
	eq(server.start(_folder), true, "once")
	server.stop()
	await _until_said(server, "the local server has ended")
	ok(_said.has("goodbye"), "it was asked, not killed: %s" % str(_said))
	eq(server.is_running, false)
	eq(server.serves, "")
	eq(_wrong, PackedStringArray())
	if ok(server.start(_folder), "and once more"):
		await _until_said(server, "serving serve %s" % _folder)
		server.end()
		eq(server.is_running, false, "the editor quits")


func test_a_server_that_fails_is_told() -> void:
	_write_stand_in("#!/bin/sh\necho 'segue: no soundtrack' >&2\nexit 3\n")
	var server: LocalServer = _server(_folder)
	server.start(_folder)
	await _until_said(server, "the local server has ended with exit code 3")
	ok(_wrong.has("segue: no soundtrack"), str(_wrong))


func test_one_that_does_not_listen_is_killed() -> void:
	_write_stand_in("#!/bin/sh\ntrap '' TERM\necho deaf\nwhile true; do sleep 0.05; done\n")
	var server: LocalServer = _server(_folder)
	server.start(_folder)
	await _until_said(server, "deaf")
	server.end()
	eq(server.is_running, false)
	ok(_said.has("the local server has ended, killed"), str(_said))


func test_the_real_one() -> void:
	var server: LocalServer = _server(ProjectSettings.globalize_path("res://"))
	var dungeon: String = ProjectSettings.globalize_path("res://").path_join("../../examples/dungeon").simplify_path()
	var named: String = OS.get_environment("SEGUE_LOCAL_SERVER_TEST")
	if named.is_empty():
		skip("it takes a minute and two ports: SEGUE_LOCAL_SERVER_TEST=1")
		return
	ok(server.program().ends_with(".venv/bin/segue"), server.program())
	if server.start(dungeon):
		await until(func() -> bool: return _poll_has(server, "gRPC-Web"), 100.0, "it serves")
		server.end()
		eq(server.is_running, false)


func test_lines_of_a_log() -> void:
	var path: String = _folder.path_join("log")
	var tail: LogTail = LogTail.new(path)
	eq(tail.read(), PackedStringArray(), "no file yet")
	var file: FileAccess = FileAccess.open(path, FileAccess.WRITE)
	file.store_string("one\n\ntw")
	file.flush()
	eq(tail.read(), PackedStringArray(["one"]))
	file.store_string("o\r\nthree")
	file.flush()
	eq(tail.read(), PackedStringArray(["two"]))
	eq(tail.read(true), PackedStringArray(["three"]), "the end")
	file.close()
	file = FileAccess.open(path, FileAccess.WRITE)
	file.store_string("x".repeat(LogTail.MOST + 1))
	file.close()
	tail = LogTail.new(path)
	eq(tail.read().size(), 1, "a long line")
	eq(tail.read(true), PackedStringArray(["x"]), "in pieces")
	file = FileAccess.open(path, FileAccess.WRITE)
	file.store_string("anew\n")
	file.close()
	eq(tail.read(), PackedStringArray(["anew"]), "a file that begins again")


func _server(project: String) -> LocalServer:
	var server: LocalServer = LocalServer.new()
	server.project = project
	server.told.connect(
		func(line: String, is_wrong: bool) -> void:
			_said.append(line)
			if is_wrong:
				_wrong.append(line)
	)
	return server


func _write_stand_in(text: String) -> void:
	var path: String = _folder.path_join(".venv/bin/segue")
	var file: FileAccess = FileAccess.open(path, FileAccess.WRITE)
	file.store_string(text)
	file.close()
	OS.execute("chmod", ["+x", path])


func _poll_has(server: LocalServer, part: String) -> bool:
	server.poll()
	for line: String in _said:
		if line.contains(part):
			return true
	return false


func _until_said(server: LocalServer, part: String) -> void:
	await until(func() -> bool: return _poll_has(server, part), 5.0, "it says %s, of %s" % [part, _said])
