# SPDX-License-Identifier: Apache-2.0
@tool
extends Tree
## What a soundtrack is made of, to be read.

const SoundtrackFile := preload("res://addons/segue/soundtrack_resource.gd")
const ConstantsWriter := preload("res://addons/segue/editor/importing/constants_writer.gd")
const StateGraph := preload("res://addons/segue/editor/panel/state_graph.gd")

const HEIGHT: float = 300.0


func _init(soundtrack: SoundtrackFile = null) -> void:
	columns = 2
	hide_root = true
	custom_minimum_size = Vector2(0.0, HEIGHT)
	set_column_expand_ratio(1, 2)
	if soundtrack != null:
		_fill(soundtrack)


func _fill(soundtrack: SoundtrackFile) -> void:
	var root: TreeItem = create_item()
	if not soundtrack.error.is_empty():
		_row(root, "Broken", soundtrack.error)
		return
	var head: TreeItem = _row(root, soundtrack.id, "version %d" % soundtrack.version)
	_row(head, soundtrack.soundtrack_hash.left(15) + "…", soundtrack.description)
	var states: TreeItem = _row(root, "States", str(soundtrack.states.size()))
	for state: String in soundtrack.states:
		_row(states, state, "at the start" if state == soundtrack.initial else "")
	var transitions: TreeItem = _row(root, "Transitions", str(soundtrack.transitions.size()))
	for transition: Dictionary in soundtrack.transitions:
		var from: PackedStringArray = transition["from"]
		_row(transitions, "%s → %s" % [", ".join(from), transition["to"]], StateGraph.cause(transition))
	var parameters: TreeItem = _row(root, "Parameters", str(soundtrack.parameters.size()))
	for parameter: String in soundtrack.parameters:
		_row(parameters, parameter, ConstantsWriter.span(soundtrack.parameters[parameter]))
	var events: TreeItem = _row(root, "Events", str(soundtrack.events.size()))
	for event: String in soundtrack.events:
		_row(events, event, ConstantsWriter.causes(soundtrack, event))
	var stingers: TreeItem = _row(root, "Stingers", str(soundtrack.stingers.size()))
	for stinger: String in soundtrack.stingers:
		_row(stingers, stinger, "")


func _row(under: TreeItem, title: String, about: String) -> TreeItem:
	var item: TreeItem = create_item(under)
	item.set_text(0, title)
	item.set_text(1, about)
	for column: int in 2:
		item.set_tooltip_text(column, item.get_text(column))
	return item
