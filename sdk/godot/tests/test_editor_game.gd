# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## The whole addon in an editor, with a game that the editor's debugger is attached to.

const EditorProject := preload("res://tests/editor_project.gd")

const SOUNDTRACK: String = """{"format": 1, "hash": "sha256:0a", "document": {
"soundtrack": "dungeon", "version": 3, "initial": "explore",
"states": {"explore": {}, "combat": {}, "boss": {}}, "stingers": {"hit": {}},
"parameters": {"danger": {"range": [0, 1], "default": 0}},
"transitions": [{"from": ["any"], "to": "combat", "on": ["spotted"], "exit_source_at": "immediate"},
{"from": ["combat"], "to": "explore", "on": [], "when": "danger < 0.2", "after": "6 s",
"exit_source_at": "next_bar"}]}}"""
## Added to fake_player.gd: a game that tells what it was asked to do by the name of an event.
const GAME: String = """
func _enter_tree() -> void:
	resource = load("res://dungeon.soundtrack.json")
	reading.state = Reading.ConnectionState.State.PLAYING
	reading.reserve_s = 0.2
	load("res://addons/segue/core/remote.gd").add(self)

func _exit_tree() -> void:
	load("res://addons/segue/core/remote.gd").remove(self)

func _process(_delta: float) -> void:
	for one: Array in asked:
		music_event.emit({"stinger_started": {"name": " ".join(PackedStringArray(one))}})
	asked.clear()
"""
const MAIN: String = """extends SceneTree
func _initialize() -> void:
	root.add_child((load("res://game.gd") as GDScript).new())
	create_timer(60.0).timeout.connect(quit)
"""
## A plugin that runs the game, looks into the panel, and quits the editor. The editor's own way to run games is not for
## engines that are started by another program, as those of packages are.
const PROBE: String = """@tool
extends EditorPlugin
var start: Array = JSON.parse_string(FileAccess.get_file_as_string("res://start.json"))
var game: int = 0
var player_node: Node = load("res://addons/segue/soundtrack_player.gd").new()
var step: int = 0
var since: int = Time.get_ticks_msec()

func _enter_tree() -> void:
	var settings: EditorSettings = EditorInterface.get_editor_settings()
	settings.set_setting("network/debug/remote_port", int(start[2]))
	settings.set_project_metadata("debug_options", "server_keep_open", true)

func tab() -> Node:
	for node: Node in get_tree().root.find_children("Running Game", "", true, false):
		return node
	return null

func press(text: String) -> bool:
	for button: Node in EditorInterface.get_inspector().find_children("*", "Button", true, false):
		if button.text == text:
			button.pressed.emit()
			return true
	return false

func done(what: String) -> void:
	print("PROBE ", what)
	step = 9
	OS.kill(game)
	player_node.free()
	get_tree().quit()

func _process(_delta: float) -> void:
	if not FileAccess.file_exists("res://ready"):
		return
	if step < 9 and Time.get_ticks_msec() - since > 40000:
		done("gave up at %d" % step)
	if step == 9 or EditorInterface.get_resource_filesystem().is_scanning() or tab() == null:
		return
	# Editors without the focus are slow.
	OS.low_processor_usage_mode_sleep_usec = 2000
	var player: RefCounted = tab().player
	match step:
		0:
			var words: PackedStringArray = ["--headless", "--path", start[1], "--script", "res://main.gd"]
			words.append_array(["--remote-debug", "tcp://127.0.0.1:%d" % int(start[2])])
			game = OS.create_process(start[0], words)
			EditorInterface.inspect_object(load("res://dungeon.soundtrack.json"))
			step = 5
		5:
			if press("Generate Constants"):
				print("PROBE constants: ", FileAccess.file_exists("res://dungeon_soundtrack.gd"))
				player_node.server = "http://127.0.0.1:1"
				EditorInterface.inspect_object(player_node)
				step = 6
		6:
			if press("Server Reachable?"):
				step = 7
		7:
			for label: Node in EditorInterface.get_inspector().find_children("*", "Label", true, false):
				if label.text.begins_with("http://127.0.0.1:1: "):
					print("PROBE reach: ", label.text)
					EditorInterface.inspect_object(null)
					step = 1
					return
		1:
			if player != null and player.history.last("buffer_ms") > 199.0 and player.outline["states"].size() == 3:
				tab()._ask("set_state", ["boss"])
				step = 2
		2:
			for mark: RefCounted in player.history.marks:
				if mark.text.begins_with("stinger set_state"):
					print("PROBE asked: ", mark.text.trim_prefix("stinger "))
					OS.kill(game)
					step = 3
					return
		3:
			if player.is_gone:
				done("ended: true")
"""


func limit_s() -> float:
	return 240.0


func test_an_editor_sees_and_steers_a_game() -> void:
	var project: EditorProject = EditorProject.new("run")
	var head: String = EditorProject.HEAD.replace("plugin.cfg", 'plugin.cfg", "res://addons/probe/plugin.cfg')
	project.write("project.godot", head)
	project.write("main.gd", MAIN)
	project.write("game.gd", FileAccess.get_file_as_string("res://tests/fake_player.gd") + GAME)
	project.write("dungeon.soundtrack.json", SOUNDTRACK)
	project.write("addons/probe/plugin.cfg", FileAccess.get_file_as_string("res://addons/segue/plugin.cfg"))
	project.write("addons/probe/plugin.gd", PROBE)
	project.write("start.json", JSON.stringify([EditorProject.program(), project.folder, _free_port()]))
	# The settings of the developer's own editor are left alone.
	var names: PackedStringArray = ["XDG_CONFIG_HOME", "HOME"]
	var before: PackedStringArray = [OS.get_environment(names[0]), OS.get_environment(names[1])]
	for name: String in names:
		OS.set_environment(name, project.folder.path_join(".home"))
	project.run(["--import"])
	project.write("ready", "")
	eq(project.run(["--editor"]), 0, project.output)
	for i: int in names.size():
		if before[i].is_empty():
			OS.unset_environment(names[i])
		else:
			OS.set_environment(names[i], before[i])
	ok(project.output.contains("PROBE constants: true"), "the inspector writes constants")
	ok(project.output.contains("PROBE reach: http://127.0.0.1:1: "), "the inspector asks the server")
	ok(project.output.contains("PROBE asked: set_state boss"), project.output)
	ok(project.output.contains("PROBE ended: true"), project.output)
	eq(project.errors(), PackedStringArray(), project.output)
	project.remove()


func _free_port() -> int:
	var server: TCPServer = TCPServer.new()
	server.listen(0, "127.0.0.1")
	var port: int = server.get_local_port()
	server.stop()
	return port
