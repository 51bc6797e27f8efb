# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## A project of its own, with the addon, for runs of the editor and of games in other processes.

const HEAD: String = """config_version=5
[application]
config/name="Segue test"
config/features=PackedStringArray("4.2")
[editor_plugins]
enabled=PackedStringArray("res://addons/segue/plugin.cfg")
"""

## Where it is.
var folder: String
## What the last run printed.
var output: String = ""


## more: what is added to project.godot.
func _init(name: String, more: String = "") -> void:
	# Without spaces: the editor splits the arguments that games are started with at them.
	folder = OS.get_cache_dir().path_join("segue_godot_tests/%s_%d" % [name, OS.get_process_id()])
	remove()
	DirAccess.make_dir_recursive_absolute(folder)
	write("project.godot", HEAD + more)
	_copy(ProjectSettings.globalize_path("res://addons"), folder.path_join("addons"))


func write(file: String, text: String) -> void:
	var path: String = folder.path_join(file)
	DirAccess.make_dir_recursive_absolute(path.get_base_dir())
	var to: FileAccess = FileAccess.open(path, FileAccess.WRITE)
	to.store_string(text)
	to.close()


func read(file: String) -> String:
	return FileAccess.get_file_as_string(folder.path_join(file))


## Runs Godot in it, without a window; its exit code.
func run(words: PackedStringArray) -> int:
	var printed: Array = []
	var code: int = OS.execute(program(), arguments(words), printed, true)
	output = "".join(printed)
	return code


## How Godot is started there.
func arguments(words: PackedStringArray) -> PackedStringArray:
	var all: PackedStringArray = ["--headless", "--audio-driver", "Dummy", "--path", folder]
	all.append_array(words)
	return all


static func program() -> String:
	var named: String = OS.get_environment("SEGUE_GODOT")
	if not named.is_empty():
		return named
	var own: String = ProjectSettings.globalize_path("res://").path_join("../../.tools/godot").simplify_path()
	return own if FileAccess.file_exists(own) else OS.get_executable_path()


## Lines of the last run that say an error, with the line after each.
func errors() -> PackedStringArray:
	var found: PackedStringArray = PackedStringArray()
	for line: String in output.split("\n"):
		if line.contains("ERROR:") or line.contains("WARNING:"):
			found.append(line.strip_edges())
	return found


func remove() -> void:
	_remove(folder)


static func _remove(path: String) -> void:
	if not DirAccess.dir_exists_absolute(path):
		return
	var within: DirAccess = DirAccess.open(path)
	within.include_hidden = true
	for file: String in within.get_files():
		DirAccess.remove_absolute(path.path_join(file))
	for sub: String in within.get_directories():
		_remove(path.path_join(sub))
	DirAccess.remove_absolute(path)


static func _copy(from: String, to: String) -> void:
	DirAccess.make_dir_recursive_absolute(to)
	for file: String in DirAccess.get_files_at(from):
		DirAccess.copy_absolute(from.path_join(file), to.path_join(file))
	for sub: String in DirAccess.get_directories_at(from):
		_copy(from.path_join(sub), to.path_join(sub))
