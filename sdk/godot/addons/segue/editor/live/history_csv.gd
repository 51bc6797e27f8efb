# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## A session's history as CSV: a row for a reading or a mark, by time.

const History := preload("res://addons/segue/editor/live/history.gd")

const HEADER: String = (
	"time_s,what,buffer_ms,round_trip_ms,rate_ppm,adherence,underruns,late_takes," + "connection,state,text"
)


## The text, with \n at the ends of lines; times count from the first row.
static func write(history: History) -> String:
	var rows: PackedStringArray = [HEADER]
	var first: float = history.times[0] if not history.times.is_empty() else INF
	if not history.marks.is_empty():
		first = minf(first, history.marks[0].time)
	var mark: int = 0
	for i: int in history.times.size():
		while mark < history.marks.size() and history.marks[mark].time <= history.times[i]:
			rows.append(_mark_row(first, history.marks[mark]))
			mark += 1
		rows.append(_reading_row(first, history, i))
	for rest: History.Mark in history.marks.slice(mark):
		rows.append(_mark_row(first, rest))
	return "\n".join(rows) + "\n"


static func _reading_row(first: float, history: History, at: int) -> String:
	var cells: PackedStringArray = [_number(history.times[at] - first), "reading"]
	for name: String in History.FIGURES:
		cells.append(_number(history.figures[name][at]))
	cells.append(history.connections[at])
	cells.append(_text(history.music_states[at]))
	cells.append("")
	return ",".join(cells)


static func _mark_row(first: float, mark: History.Mark) -> String:
	var what: String = str(History.Kind.find_key(mark.kind)).to_lower()
	return "%s,%s,,,,,,,,,%s" % [_number(mark.time - first), what, _text(mark.text)]


## Empty for what there is not.
static func _number(value: float) -> String:
	return "" if is_nan(value) else String.num(value, 3).trim_suffix(".0")


## A text in quotes where it needs them; spreadsheets take what begins with =, +, - or @ for a formula.
static func _text(text: String) -> String:
	if not text.is_empty() and "=+-@".contains(text[0]):
		text = "'" + text
	for mark: String in [",", '"', "\n", "\r"]:
		if text.contains(mark):
			return '"%s"' % text.replace('"', '""')
	return text
