# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## Writes the constants of a soundtrack beside its file.

const ConstantsWriter := preload("res://addons/segue/editor/importing/constants_writer.gd")
const Importer := preload("res://addons/segue/editor/importing/importer.gd")
const SoundtrackFile := preload("res://addons/segue/soundtrack_resource.gd")

## What was written, or found up to date; "" if nothing was.
var path: String = ""
## What is wrong, in a sentence; "" if all is well.
var problem: String = ""
## Whether the file is another one than before.
var has_changed: bool = false


## Writes the file if it has changed.
func _init(soundtrack: SoundtrackFile) -> void:
	var source: String = soundtrack.resource_path
	if source.is_empty() or source.contains("::"):
		problem = "the soundtrack is no file of the project, so there is no place for its constants"
		return
	var target: String = source.get_base_dir().path_join(ConstantsWriter.file_name(soundtrack))
	var text: String = ConstantsWriter.write(soundtrack)
	if FileAccess.file_exists(target) and FileAccess.get_file_as_string(target) == text:
		path = target
		return
	var file: FileAccess = FileAccess.open(target, FileAccess.WRITE)
	if file == null:
		problem = "%s: %s" % [target, error_string(FileAccess.get_open_error())]
		return
	file.store_string(text)
	file.close()
	path = target
	has_changed = true


## Soundtracks below a folder of the project.
static func soundtracks(folder: String = "res://") -> Array[SoundtrackFile]:
	var found: Array[SoundtrackFile] = []
	for file: String in DirAccess.get_files_at(folder):
		var at: String = folder.path_join(file)
		var may_be: bool = Importer.is_ours(at) or file.get_extension() == "tres"
		if may_be and ResourceLoader.exists(at):
			var soundtrack: SoundtrackFile = load(at) as SoundtrackFile
			if soundtrack != null:
				found.append(soundtrack)
	for sub: String in DirAccess.get_directories_at(folder):
		if not sub.begins_with(".") and not FileAccess.file_exists(folder.path_join(sub).path_join(".gdignore")):
			found.append_array(soundtracks(folder.path_join(sub)))
	return found
