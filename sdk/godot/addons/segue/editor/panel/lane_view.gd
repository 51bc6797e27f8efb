# SPDX-License-Identifier: Apache-2.0
@tool
extends Control
## States along the time, the newest at the right; transitions as a bar above them.

const History := preload("res://addons/segue/editor/live/history.gd")
const StateGraph := preload("res://addons/segue/editor/panel/state_graph.gd")
const StateLane := preload("res://addons/segue/editor/live/state_lane.gd")

const HEIGHT: float = 26.0
const BAR: float = 4.0

## What is drawn; null for nothing.
var history: History = null


func _init() -> void:
	clip_contents = true
	size_flags_horizontal = Control.SIZE_EXPAND_FILL
	custom_minimum_size = Vector2(120.0, HEIGHT)


## A colour of its own for every state, the same every time.
static func color(state: String) -> Color:
	return Color.from_hsv((state.hash() % 360) / 360.0, 0.45, 0.6)


func _draw() -> void:
	draw_rect(Rect2(Vector2.ZERO, size), Color(0.0, 0.0, 0.0, 0.25))
	if history == null:
		return
	var font: Font = get_theme_default_font()
	var font_size: int = maxi(8, int(get_theme_default_font_size() * 0.8))
	var baseline: float = BAR + (size.y - BAR + font.get_ascent(font_size) - font.get_descent(font_size)) / 2.0
	for stretch: StateLane.Stretch in history.lane.states:
		var from: float = maxf(0.0, _x(stretch.begin))
		var to: float = minf(size.x, _x(stretch.end))
		if to > from:
			draw_rect(Rect2(from, BAR, to - from - 1.0, size.y - BAR), color(stretch.state))
			var at: Vector2 = Vector2(from + 3.0, baseline)
			draw_string(font, at, stretch.state, HORIZONTAL_ALIGNMENT_LEFT, to - from - 4.0, font_size, Color.WHITE)
	for stretch: StateLane.Stretch in history.lane.transitions:
		var from: float = maxf(0.0, _x(stretch.begin))
		var to: float = minf(size.x, _x(stretch.end))
		if to > from:
			draw_rect(Rect2(from, 0.0, to - from, BAR - 1.0), StateGraph.MOVING)


func _x(time: float) -> float:
	return size.x * (1.0 - (history.end() - time) / history.seconds) if not is_inf(time) else size.x
