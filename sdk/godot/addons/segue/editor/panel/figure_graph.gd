# SPDX-License-Identifier: Apache-2.0
@tool
extends Control
## One figure of a session along the time, the newest at the right. Lines: red underrun, blue take, grey connection.

const History := preload("res://addons/segue/editor/live/history.gd")

const HEIGHT: float = 44.0
const MARKS: Dictionary = {
	History.Kind.UNDERRUN: Color("e0696b"),
	History.Kind.TAKE: Color("6f8fe8"),
	History.Kind.CONNECTION: Color(0.6, 0.6, 0.6),
}

## What is drawn; null for nothing.
var history: History = null

var _title: String
var _unit: String
var _figure: String
var _color: Color
var _lowest: float
var _highest: float


## figure: one of History's. lowest and highest: the scale goes at least so far.
func _init(
	title: String = "",
	unit: String = "",
	figure: String = "buffer_ms",
	color: Color = Color.WHITE,
	lowest: float = 0.0,
	highest: float = 1.0
) -> void:
	_title = title
	_unit = unit
	_figure = figure
	_color = color
	_lowest = lowest
	_highest = highest
	clip_contents = true
	size_flags_horizontal = Control.SIZE_EXPAND_FILL
	size_flags_vertical = Control.SIZE_EXPAND_FILL
	custom_minimum_size = Vector2(120.0, HEIGHT)


## The scale of values: at least the one that was asked for.
static func span(values: PackedFloat32Array, lowest: float, highest: float) -> Vector2:
	var found: Vector2 = Vector2(lowest, highest)
	for value: float in values:
		if not is_nan(value):
			found = Vector2(minf(found.x, value), maxf(found.y, value))
	return found


## Lines of a column in a rectangle of a size: one for each stretch without gaps. end: time at the right edge.
static func lines(
	times: PackedFloat64Array, values: PackedFloat32Array, bounds: Vector2, seconds: float, of_size: Vector2
) -> Array[PackedVector2Array]:
	var found: Array[PackedVector2Array] = []
	var line: PackedVector2Array = PackedVector2Array()
	var end: float = times[-1] if not times.is_empty() else 0.0
	for i: int in times.size():
		var x: float = of_size.x * (1.0 - (end - times[i]) / seconds)
		if is_nan(values[i]) or x < 0.0:
			if line.size() > 1:
				found.append(line)
			line = PackedVector2Array()
		else:
			line.append(Vector2(x, of_size.y * (1.0 - inverse_lerp(bounds.x, bounds.y, values[i]))))
	if line.size() > 1:
		found.append(line)
	return found


func _draw() -> void:
	draw_rect(Rect2(Vector2.ZERO, size), Color(0.0, 0.0, 0.0, 0.25))
	if history == null:
		return
	var values: PackedFloat32Array = history.figures[_figure]
	var bounds: Vector2 = span(values, _lowest, _highest)
	for mark: History.Mark in history.marks:
		var x: float = size.x * (1.0 - (history.end() - mark.time) / history.seconds)
		if MARKS.has(mark.kind) and x >= 0.0:
			draw_line(Vector2(x, 0.0), Vector2(x, size.y), Color(MARKS[mark.kind], 0.6))
	# Below the words.
	var top: float = get_theme_default_font_size() + 2.0
	var inner: Vector2 = Vector2(size.x, maxf(1.0, size.y - top - 2.0))
	if bounds.x < 0.0 and bounds.y > 0.0:
		var zero: float = top + inner.y * (1.0 - inverse_lerp(bounds.x, bounds.y, 0.0))
		draw_line(Vector2(0.0, zero), Vector2(size.x, zero), Color(0.5, 0.5, 0.5, 0.4))
	draw_set_transform(Vector2(0.0, top))
	for line: PackedVector2Array in lines(history.times, values, bounds, history.seconds, inner):
		draw_polyline(line, _color, 1.5, true)
	draw_set_transform(Vector2.ZERO)
	_draw_words(bounds)


func _draw_words(bounds: Vector2) -> void:
	var font: Font = get_theme_default_font()
	var font_size: int = maxi(8, int(get_theme_default_font_size() * 0.8))
	var ink: Color = get_theme_color(&"font_color", &"Label")
	var newest: float = history.last(_figure)
	var now: String = "–" if is_nan(newest) else "%s %s" % [_number(newest), _unit]
	var top: Vector2 = Vector2(4.0, font.get_ascent(font_size) + 1.0)
	draw_string(font, top, "%s  %s" % [_title, now], HORIZONTAL_ALIGNMENT_LEFT, -1.0, font_size, ink)
	var words: String = "%s … %s" % [_number(bounds.x), _number(bounds.y)]
	draw_string(font, top, words, HORIZONTAL_ALIGNMENT_RIGHT, size.x - 8.0, font_size, Color(ink, 0.5))


static func _number(value: float) -> String:
	return String.num(value, 0 if absf(value) >= 10.0 else 2)
