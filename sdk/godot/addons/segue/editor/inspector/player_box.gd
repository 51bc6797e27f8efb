# SPDX-License-Identifier: Apache-2.0
@tool
extends VBoxContainer
## A player in the inspector: whether its server is there, and the names of its soundtrack. It does not play in the
## editor; the Soundtrack panel shows the running game.

## A file of the project is to be served here.
signal server_wanted(path: String)

const Outline := preload("res://addons/segue/editor/inspector/outline.gd")
const Reach := preload("res://addons/segue/editor/inspector/reach.gd")
const SoundtrackFile := preload("res://addons/segue/soundtrack_resource.gd")

var _player: Node
var _said: Label = Label.new()
var _names: Button = Button.new()
var _outline: Outline = null
var _reach: Reach = null


func _init(player: Node = null) -> void:
	_player = player
	var row: HBoxContainer = HBoxContainer.new()
	var check: Button = Button.new()
	check.text = "Server Reachable?"
	check.pressed.connect(_check)
	row.add_child(check)
	var start: Button = Button.new()
	start.text = "Start Local Server"
	start.tooltip_text = "On the player's soundtrack, or one to be chosen"
	start.pressed.connect(func() -> void: server_wanted.emit(served()))
	row.add_child(start)
	_names.text = "Names"
	_names.toggle_mode = true
	_names.toggled.connect(_show_names)
	row.add_child(_names)
	add_child(row)
	_said.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	_said.visible = false
	add_child(_said)
	set_process(false)


## The file that a local server would serve; "" if it has to be chosen.
func served() -> String:
	var soundtrack: SoundtrackFile = _player.get(&"resource") as SoundtrackFile
	if soundtrack == null or not soundtrack.resource_path.ends_with(".soundtrack.json"):
		return ""
	return soundtrack.resource_path


func _process(_delta: float) -> void:
	if _reach == null:
		set_process(false)
		return
	var said: String = _reach.poll()
	if not said.is_empty():
		_said.text = said
		_reach = null


func _check() -> void:
	_said.visible = true
	_said.text = "…"
	_reach = Reach.new(str(_player.get(&"server")))
	set_process(true)


func _show_names(shown: bool) -> void:
	if _outline != null:
		_outline.queue_free()
		_outline = null
	if not shown:
		return
	var soundtrack: SoundtrackFile = _player.get(&"resource") as SoundtrackFile
	if soundtrack == null:
		_said.visible = true
		_said.text = "There is no resource: names are known with what `segue build` wrote of the soundtrack."
		_names.set_pressed_no_signal(false)
		return
	_outline = Outline.new(soundtrack)
	add_child(_outline)
