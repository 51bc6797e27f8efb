# SPDX-License-Identifier: Apache-2.0
@tool
extends Control
## States as a graph: the current one lit, a transition moving along its arrow. A click on a state goes there.

## A state was clicked on.
signal chosen(state: String)

const Live := preload("res://addons/segue/editor/live/live.gd")
const StateLane := preload("res://addons/segue/editor/live/state_lane.gd")

const ANY: String = "any"
const NODE_HEIGHT: float = 24.0
const PADDING: float = 10.0
const HEAD: float = 7.0
const APART: float = 5.0
const LIT: Color = Color("3fa394")
const MOVING: Color = Color("d09a3a")

## Whose states; null for nobody's.
var player: Live.Player = null:
	set(value):
		player = value
		queue_redraw()
## How large the editor draws.
var draw_scale: float = 1.0

var _hovered: String = ""


func _init() -> void:
	clip_contents = true
	size_flags_horizontal = Control.SIZE_EXPAND_FILL
	size_flags_vertical = Control.SIZE_EXPAND_FILL


## Where the middles of states are in a rectangle of a size: on an ellipse, clockwise from the top; "any" in the middle
## if there is one. room: the largest node.
static func places(states: PackedStringArray, with_any: bool, of_size: Vector2, room: Vector2) -> Dictionary:
	var middle: Vector2 = of_size / 2.0
	var reach: Vector2 = ((of_size - room) / 2.0 - Vector2(4.0, 4.0)).max(Vector2.ZERO)
	var found: Dictionary = {}
	for i: int in states.size():
		var angle: float = TAU * i / states.size() - PI / 2.0
		found[states[i]] = middle + reach * Vector2.from_angle(angle)
	if states.size() == 1 and not with_any:
		found[states[0]] = middle
	if with_any and not states.has(ANY):
		found[ANY] = middle
	return found


## Where a line from the middle of a box to another point leaves the box.
static func edge(middle: Vector2, box: Vector2, toward: Vector2) -> Vector2:
	var way: Vector2 = toward - middle
	if way.is_zero_approx():
		return middle
	var half: Vector2 = box / 2.0
	var by: float = INF
	for axis: int in 2:
		if not is_zero_approx(way[axis]):
			by = minf(by, half[axis] / absf(way[axis]))
	return middle + way * minf(by, 1.0)


## Pairs of states with an arrow between them, each once; "any" may be the first.
static func arrows(transitions: Array) -> Array[PackedStringArray]:
	var found: Array[PackedStringArray] = []
	for transition: Dictionary in transitions:
		for from: String in transition.get("from", PackedStringArray()):
			var pair: PackedStringArray = [from, transition.get("to", "")]
			if not found.has(pair):
				found.append(pair)
	return found


func _gui_input(event: InputEvent) -> void:
	var motion: InputEventMouseMotion = event as InputEventMouseMotion
	if motion != null:
		var under: String = _at(motion.position)
		if under != _hovered:
			_hovered = under
			queue_redraw()
	var click: InputEventMouseButton = event as InputEventMouseButton
	if click != null and click.pressed and click.button_index == MOUSE_BUTTON_LEFT:
		var state: String = _at(click.position)
		if not state.is_empty():
			accept_event()
			chosen.emit(state)


func _notification(what: int) -> void:
	if what == NOTIFICATION_MOUSE_EXIT:
		_hovered = ""
		queue_redraw()


func _get_tooltip(at_position: Vector2) -> String:
	var state: String = _at(at_position)
	if state.is_empty():
		return ""
	var lines: PackedStringArray = ["Click: go to %s" % state]
	for transition: Dictionary in player.outline.get("transitions", []):
		var from: PackedStringArray = transition["from"]
		if from.has(state) or (from.has(ANY) and transition["to"] != state):
			lines.append("→ %s: %s" % [transition["to"], cause(transition)])
	return "\n".join(lines)


## What a transition waits for, in words: its events, condition and delay, and where it leaves.
static func cause(transition: Dictionary) -> String:
	var words: PackedStringArray = PackedStringArray()
	var on: PackedStringArray = transition.get("on", PackedStringArray())
	if not on.is_empty():
		words.append(" or ".join(on))
	for key: String in ["when", "after"]:
		if not str(transition.get(key, "")).is_empty():
			words.append("%s %s" % [key, transition[key]])
	var exit: String = transition.get("exit_source_at", "")
	if not exit.is_empty() and exit != "immediate":
		words.append("at %s" % exit)
	return ", ".join(words)


func _draw() -> void:
	if player == null:
		return
	var all: Dictionary = _places()
	var transitions: Array = player.outline.get("transitions", [])
	var moving: StateLane.Stretch = player.history.lane.transition(player.history.end())
	var ink: Color = get_theme_color(&"font_color", &"Label")
	var faint: Color = Color(ink, 0.35)
	for pair: PackedStringArray in arrows(transitions):
		if all.has(pair[0]) and all.has(pair[1]):
			_draw_arrow(all, pair[0], pair[1], faint, 1.5)
	if moving != null and all.has(moving.from) and all.has(moving.state):
		_draw_moving(all, moving)
	for state: String in all:
		_draw_state(state, all[state], ink, moving)


func _draw_arrow(all: Dictionary, from: String, to: String, color: Color, width: float) -> void:
	var ends: PackedVector2Array = _ends(all, from, to)
	var way: Vector2 = (ends[1] - ends[0]).normalized()
	draw_line(ends[0], ends[1] - way * HEAD * draw_scale * 0.5, color, width * draw_scale, true)
	var side: Vector2 = way.orthogonal() * HEAD * draw_scale * 0.5
	var back: Vector2 = ends[1] - way * HEAD * draw_scale
	if not way.is_zero_approx():
		draw_colored_polygon(PackedVector2Array([ends[1], back + side, back - side]), color)


func _draw_moving(all: Dictionary, moving: StateLane.Stretch) -> void:
	_draw_arrow(all, moving.from, moving.state, MOVING, 2.5)
	var part: float = inverse_lerp(moving.begin, moving.end, player.history.end())
	var ends: PackedVector2Array = _ends(all, moving.from, moving.state)
	draw_circle(ends[0].lerp(ends[1], clampf(part, 0.0, 1.0)), 5.0 * draw_scale, MOVING)


func _draw_state(state: String, middle: Vector2, ink: Color, moving: StateLane.Stretch) -> void:
	var font: Font = get_theme_default_font()
	var font_size: int = get_theme_default_font_size()
	var box: Rect2 = Rect2(middle - _box(state) / 2.0, _box(state))
	var is_any: bool = (
		state == ANY and not (player.outline.get("states", PackedStringArray()) as PackedStringArray).has(ANY)
	)
	var is_current: bool = state == player.history.lane.current and not is_any
	var style: StyleBoxFlat = StyleBoxFlat.new()
	style.set_corner_radius_all(int(box.size.y / 2.0))
	style.set_border_width_all(maxi(1, int(draw_scale * (2.0 if state == _hovered else 1.0))))
	style.bg_color = LIT if is_current else get_theme_color(&"base_color", &"Editor").lerp(Color(0.5, 0.5, 0.5), 0.15)
	if not is_current and not has_theme_color(&"base_color", &"Editor"):
		style.bg_color = Color(0.2, 0.2, 0.2)
	style.border_color = Color(ink, 0.25 if is_any else 0.6)
	if moving != null and moving.state == state:
		style.border_color = MOVING
		style.set_border_width_all(maxi(2, int(2.0 * draw_scale)))
	style.draw(get_canvas_item(), box)
	var text_color: Color = Color.WHITE if is_current else Color(ink, 0.5 if is_any else 1.0)
	var baseline: float = middle.y + (font.get_ascent(font_size) - font.get_descent(font_size)) / 2.0
	var left: Vector2 = Vector2(box.position.x, baseline)
	draw_string(font, left, state, HORIZONTAL_ALIGNMENT_CENTER, box.size.x, font_size, text_color)


func _ends(all: Dictionary, from: String, to: String) -> PackedVector2Array:
	var begin: Vector2 = all[from]
	var end: Vector2 = all[to]
	# Ways there and back lie side by side.
	var aside: Vector2 = (end - begin).normalized().orthogonal() * APART * draw_scale
	return PackedVector2Array([edge(begin, _box(from), end) + aside, edge(end, _box(to), begin) + aside])


func _box(state: String) -> Vector2:
	var width: float = (
		get_theme_default_font()
		. get_string_size(state, HORIZONTAL_ALIGNMENT_LEFT, -1.0, get_theme_default_font_size())
		. x
	)
	return Vector2(width + 2.0 * PADDING * draw_scale, NODE_HEIGHT * draw_scale)


func _places() -> Dictionary:
	var states: PackedStringArray = player.outline.get("states", PackedStringArray())
	var room: Vector2 = Vector2.ZERO
	for state: String in states:
		room = room.max(_box(state))
	var with_any: bool = arrows(player.outline.get("transitions", [])).any(
		func(pair: PackedStringArray) -> bool: return pair[0] == ANY
	)
	return places(states, with_any, size, room)


func _at(point: Vector2) -> String:
	if player == null:
		return ""
	var all: Dictionary = _places()
	for state: String in player.outline.get("states", PackedStringArray()):
		if Rect2(all[state] - _box(state) / 2.0, _box(state)).has_point(point):
			return state
	return ""
