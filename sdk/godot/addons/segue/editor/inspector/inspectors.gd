# SPDX-License-Identifier: Apache-2.0
@tool
extends EditorInspectorPlugin
## What inspectors show of players and soundtracks besides their properties.

## The constants of a soundtrack are to be written.
signal constants_wanted(soundtrack: SoundtrackFile)
## A file of the project is to be served here.
signal server_wanted(path: String)

const Outline := preload("res://addons/segue/editor/inspector/outline.gd")
const PlayerBox := preload("res://addons/segue/editor/inspector/player_box.gd")
const SoundtrackFile := preload("res://addons/segue/soundtrack_resource.gd")


## Whether it is a player's node, 2D and 3D ones too.
static func is_player(object: Object) -> bool:
	return object is Node and object.has_method(&"post_trigger") and object.has_method(&"get_reading")


func _can_handle(object: Object) -> bool:
	return object is SoundtrackFile or is_player(object)


func _parse_begin(object: Object) -> void:
	var soundtrack: SoundtrackFile = object as SoundtrackFile
	if soundtrack == null:
		var box: PlayerBox = PlayerBox.new(object as Node)
		box.server_wanted.connect(func(path: String) -> void: server_wanted.emit(path))
		add_custom_control(box)
		return
	var row: HBoxContainer = HBoxContainer.new()
	var constants: Button = Button.new()
	constants.text = "Generate Constants"
	constants.disabled = not soundtrack.error.is_empty()
	constants.pressed.connect(func() -> void: constants_wanted.emit(soundtrack))
	row.add_child(constants)
	var serve: Button = Button.new()
	serve.text = "Serve It Here"
	serve.disabled = not soundtrack.resource_path.ends_with(".soundtrack.json")
	serve.tooltip_text = "Start the local server on this file"
	serve.pressed.connect(func() -> void: server_wanted.emit(soundtrack.resource_path))
	row.add_child(serve)
	add_custom_control(row)
	add_custom_control(Outline.new(soundtrack))


func _parse_property(
	object: Object,
	_type: Variant.Type,
	name: String,
	_hint: PropertyHint,
	_hint_string: String,
	_usage: int,
	_wide: bool
) -> bool:
	# The text of a soundtrack is long, and nobody edits it here.
	return object is SoundtrackFile and name == "json"
