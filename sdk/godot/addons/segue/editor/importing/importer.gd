# SPDX-License-Identifier: Apache-2.0
@tool
extends EditorImportPlugin
## Makes a SoundtrackResource of what `segue build` wrote.
##
## Files that end in .soundtrack.json are claimed and no other JSON. Godot before 4.5 knows an importer by what follows
## the last dot only: there `segue build -o NAME.segue` does the same.

const SoundtrackFile := preload("res://addons/segue/soundtrack_resource.gd")

const EXTENSIONS: PackedStringArray = ["soundtrack.json", "segue"]


## Whether a path is one that is imported here.
static func is_ours(path: String) -> bool:
	for extension: String in EXTENSIONS:
		if path.to_lower().ends_with("." + extension):
			return true
	return false


func _get_importer_name() -> String:
	return "segue.soundtrack"


func _get_visible_name() -> String:
	return "Soundtrack"


func _get_recognized_extensions() -> PackedStringArray:
	return EXTENSIONS


func _get_save_extension() -> String:
	return "res"


func _get_resource_type() -> String:
	return "Resource"


func _get_priority() -> float:
	return 2.0


func _get_import_order() -> int:
	return 0


func _get_format_version() -> int:
	return 1


func _get_preset_count() -> int:
	return 1


func _get_preset_name(_preset: int) -> String:
	return "Default"


func _get_import_options(_path: String, _preset: int) -> Array[Dictionary]:
	return []


func _get_option_visibility(_path: String, _option: StringName, _options: Dictionary) -> bool:
	return true


func _import(
	source: String,
	save_path: String,
	_options: Dictionary,
	_platform_variants: Array[String],
	_generated: Array[String]
) -> Error:
	var text: String = FileAccess.get_file_as_string(source)
	if text.is_empty():
		push_error("%s: it can't be read, or is empty (%s)" % [source, error_string(FileAccess.get_open_error())])
		return ERR_FILE_CANT_READ
	var made: SoundtrackFile = SoundtrackFile.parse(text)
	if not made.error.is_empty():
		push_error("%s: %s. `segue build` writes such files" % [source, made.error])
		return ERR_PARSE_ERROR
	return ResourceSaver.save(made, "%s.%s" % [save_path, _get_save_extension()])
