# SPDX-License-Identifier: Apache-2.0
@tool
extends VBoxContainer
## Sliders and buttons that steer a player of the running game, as the game itself would.

## Something is asked of the player: a method and its arguments, as remote.gd knows them.
signal asked(method: String, arguments: Array)

const Live := preload("res://addons/segue/editor/live/live.gd")

var _outline: Dictionary = {}
var _is_shown: bool = false


func _init() -> void:
	size_flags_horizontal = Control.SIZE_EXPAND_FILL


## Shows what there is to steer; what is being held by the mouse stays, as long as it is the same soundtrack.
func show_player(player: Live.Player) -> void:
	var outline: Dictionary = player.outline if player != null else {}
	if _is_shown == (player != null) and outline == _outline:
		return
	_is_shown = player != null
	_outline = outline
	for child: Node in get_children():
		remove_child(child)
		child.queue_free()
	if player == null:
		return
	if outline.is_empty():
		_build_by_name()
		return
	_add_sliders(outline.get("parameters", {}))
	_add_buttons("Events", outline.get("events", PackedStringArray()), "post_event")
	_add_buttons("Stingers", outline.get("stingers", PackedStringArray()), "post_trigger")


func _add_sliders(parameters: Dictionary) -> void:
	if parameters.is_empty():
		return
	_add_title("Parameters")
	for known: String in parameters:
		var of: Dictionary = parameters[known]
		var row: HBoxContainer = HBoxContainer.new()
		var label: Label = Label.new()
		label.text = known
		label.custom_minimum_size.x = 80.0
		var slider: HSlider = HSlider.new()
		slider.min_value = of["minimum"]
		slider.max_value = of["maximum"]
		slider.step = maxf((slider.max_value - slider.min_value) / 1000.0, 1e-6)
		slider.value = of["default"]
		slider.size_flags_horizontal = Control.SIZE_EXPAND_FILL
		slider.size_flags_vertical = Control.SIZE_SHRINK_CENTER
		slider.custom_minimum_size.x = 80.0
		var value: Label = Label.new()
		value.text = String.num(slider.value, 2)
		value.custom_minimum_size.x = 44.0
		slider.value_changed.connect(
			func(to: float) -> void:
				value.text = String.num(to, 2)
				asked.emit("set_parameter", [known, to])
		)
		for part: Control in [label, slider, value]:
			row.add_child(part)
		add_child(row)


func _add_buttons(title: String, names: PackedStringArray, method: String) -> void:
	if names.is_empty():
		return
	_add_title(title)
	var row: HFlowContainer = HFlowContainer.new()
	for known: String in names:
		var button: Button = Button.new()
		button.text = known
		button.pressed.connect(func() -> void: asked.emit(method, [known]))
		row.add_child(button)
	add_child(row)


## Without a resource, names are typed.
func _build_by_name() -> void:
	_add_title("Give the player its resource, and its names are here as buttons.")
	for pair: PackedStringArray in [["State", "set_state"], ["Event", "post_event"], ["Stinger", "post_trigger"]]:
		var field: LineEdit = LineEdit.new()
		field.placeholder_text = "%s, Enter" % pair[0]
		field.text_submitted.connect(func(text: String) -> void: _ask_name(pair[1], text))
		add_child(field)
	var row: HBoxContainer = HBoxContainer.new()
	var typed: LineEdit = LineEdit.new()
	typed.placeholder_text = "Parameter"
	typed.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	var value: SpinBox = SpinBox.new()
	value.step = 0.01
	value.allow_greater = true
	value.allow_lesser = true
	var button: Button = Button.new()
	button.text = "Set"
	button.pressed.connect(
		func() -> void:
			if not typed.text.is_empty():
				asked.emit("set_parameter", [typed.text, value.value])
	)
	for part: Control in [typed, value, button]:
		row.add_child(part)
	add_child(row)


func _ask_name(method: String, text: String) -> void:
	if not text.strip_edges().is_empty():
		asked.emit(method, [text.strip_edges()])


func _add_title(text: String) -> void:
	var label: Label = Label.new()
	label.text = text
	label.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	label.modulate.a = 0.7
	add_child(label)
