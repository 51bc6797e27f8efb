# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## The last while of a session, for graphs: readings, states, marks. Memory is bounded.

## What a mark tells of.
enum Kind {
	## Something in the music.
	EVENT,
	## A later take has replaced what was generated.
	TAKE,
	## The stream has run dry.
	UNDERRUN,
	## The connection stands otherwise, or another session begins.
	CONNECTION,
}

const EventText := preload("res://addons/segue/editor/live/event_text.gd")
const StateLane := preload("res://addons/segue/editor/live/state_lane.gd")

## Figures of a reading that are kept as columns.
const FIGURES: PackedStringArray = ["buffer_ms", "round_trip_ms", "rate_ppm", "adherence", "underruns", "late_takes"]
const MOST_MARKS: int = 1024
## Readings are dropped by so many at once: cutting an array is not for every one.
const SPARE: int = 256

## How far back readings go, in seconds.
var seconds: float
## When the readings were taken, in seconds of the game's clock; the oldest first.
var times: PackedFloat64Array = PackedFloat64Array()
## Columns of readings, by FIGURES' names: a PackedFloat32Array each, NaN where there is nothing.
var figures: Dictionary = {}
## How the connection stood, at each reading.
var connections: PackedStringArray = PackedStringArray()
## The state that the music was in, at each reading; empty before it was known.
var music_states: PackedStringArray = PackedStringArray()
## What happened, the oldest first.
var marks: Array[Mark] = []
## States and transitions.
var lane: StateLane = StateLane.new()

var _most: int
var _adherence: float = NAN
var _underruns: int = 0
var _connection: String = ""


## Something that happened at one moment.
class Mark:
	extends RefCounted
	## Seconds of the game's clock.
	var time: float = 0.0
	var kind: Kind = Kind.EVENT
	## What happened, in words.
	var text: String = ""


func _init(of_seconds: float = 60.0, hertz: int = 20) -> void:
	seconds = of_seconds
	_most = ceili(of_seconds * hertz)
	clear()


## Keeps nothing.
func clear() -> void:
	times = PackedFloat64Array()
	for name: String in FIGURES:
		figures[name] = PackedFloat32Array()
	connections = PackedStringArray()
	music_states = PackedStringArray()
	marks.clear()
	lane.clear()
	_adherence = NAN
	_underruns = 0
	_connection = ""


## Takes a reading in, as remote.gd tells it. Underruns and the connection's changes become marks.
func add(time: float, reading: Dictionary) -> void:
	var connection: String = reading.get("connection", "")
	var underruns: int = reading.get("underruns", 0)
	# A player that plays again begins another session, whose counters begin at zero.
	if connection != _connection:
		if connection == "connecting" or connection == "idle":
			_begin(time)
		_mark(time, Kind.CONNECTION, connection)
		_connection = connection
	if underruns > _underruns:
		_mark(time, Kind.UNDERRUN, "underrun %d" % underruns)
	_underruns = underruns
	lane.suppose(time, reading.get("music_state", ""))
	times.append(time)
	connections.append(connection)
	music_states.append(reading.get("music_state", ""))
	for name: String in FIGURES:
		var value: float = _adherence if name == "adherence" else float(reading.get(name, NAN))
		_append(name, value)
	if times.size() >= _most + SPARE:
		_drop(times.size() - _most)


## An event was heard.
func heard(time: float, event: Dictionary) -> void:
	if event.has("adherence"):
		_adherence = event["adherence"].get("similarity", NAN)
		return
	lane.heard(time, event)
	# Beats are too many to be read.
	if not event.has("beat") and not event.has("bar"):
		_mark(time, Kind.TAKE if event.has("rewound") else Kind.EVENT, EventText.of(event))


## The time of the newest reading; 0 if there is none.
func end() -> float:
	return times[-1] if not times.is_empty() else 0.0


## The newest of a figure; NaN if there is none.
func last(figure: String) -> float:
	var column: PackedFloat32Array = figures[figure]
	return column[-1] if not column.is_empty() else NAN


func _begin(time: float) -> void:
	_adherence = NAN
	_underruns = 0
	lane.begin(time)


func _mark(time: float, kind: Kind, text: String) -> void:
	var mark: Mark = Mark.new()
	mark.time = time
	mark.kind = kind
	mark.text = text
	marks.append(mark)
	if marks.size() > MOST_MARKS:
		marks.pop_front()


func _append(name: String, value: float) -> void:
	var column: PackedFloat32Array = figures[name]
	# Taken out, it is not copied.
	figures[name] = null
	column.append(value)
	figures[name] = column


func _drop(count: int) -> void:
	times = times.slice(count)
	connections = connections.slice(count)
	music_states = music_states.slice(count)
	for name: String in FIGURES:
		var column: PackedFloat32Array = figures[name]
		figures[name] = column.slice(count)
