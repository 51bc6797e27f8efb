# SPDX-License-Identifier: Apache-2.0
class_name Hud
extends Control
## What the music is doing: its state, danger, buffer, connection, and what was heard last.

const STATES: Array[StringName] = [&"explore", &"tension", &"combat", &"boss", &"victory"]
const COLOURS: Array[Color] = [
	Color(0.36, 0.72, 0.55),
	Color(0.85, 0.72, 0.32),
	Color(0.93, 0.42, 0.28),
	Color(0.74, 0.40, 0.95),
	Color(0.42, 0.68, 1.0),
]
const TOP: float = 544.0
const DIM: Color = Color(0.56, 0.57, 0.64)
const TEXT: Color = Color(0.92, 0.92, 0.95)
const GROOVE: Color = Color(0.17, 0.175, 0.22)
const GOOD: Color = Color(0.40, 0.85, 0.52)
const BAD: Color = Color(0.95, 0.38, 0.32)
const HEARD_LINES: int = 4

var _dungeon: Dungeon
var _news: String = "WASD or arrows walk, Space strikes."
var _state: StringName = &""
var _goal: StringName = &""
var _beat: int = -1
var _bar: int = 0
var _pulse: float = 0.0
var _heard: Array[String] = []

@onready var _font: Font = ThemeDB.fallback_font


## Shows the music of this game.
func watch(dungeon: Dungeon) -> void:
	_dungeon = dungeon
	var music: SoundtrackPlayer = dungeon.music
	music.beat.connect(_on_beat)
	music.bar.connect(func(bar_of_phrase: int) -> void: _bar = bar_of_phrase)
	music.state_changed.connect(_on_state_changed)
	music.transition_started.connect(func(_from: StringName, to: StringName) -> void: _goal = to)
	music.transition_finished.connect(func(_from: StringName, _to: StringName) -> void: _goal = &"")
	music.stinger_started.connect(func(stinger: StringName) -> void: _note("stinger", stinger))
	music.take_changed.connect(func(take: int) -> void: _note("take", str(take)))
	music.buffer_underrun.connect(func(count: int) -> void: _note("underrun", str(count)))


## A sentence for the player.
func tell(news: String) -> void:
	_news = news


## What the game tells the music, where it happens.
func shout(event: StringName, place: Vector2) -> void:
	var label: Label = Label.new()
	label.text = 'post_event(&"%s")' % event
	label.add_theme_color_override(&"font_color", Color(1.0, 0.86, 0.5))
	label.add_theme_color_override(&"font_outline_color", Color(0.05, 0.04, 0.06))
	label.add_theme_constant_override(&"outline_size", 6)
	label.add_theme_font_size_override(&"font_size", 15)
	add_child(label)
	var size_of: Vector2 = label.get_minimum_size()
	label.position = place - Vector2(size_of.x / 2.0, 58.0)
	label.position.x = clampf(label.position.x, 8.0, size.x - size_of.x - 8.0)
	var leave: Tween = label.create_tween()
	leave.tween_property(label, ^"position:y", label.position.y - 14.0, 5.0)
	leave.parallel().tween_property(label, ^"modulate:a", 0.0, 1.0).set_delay(4.0)
	leave.tween_callback(label.queue_free)


func _process(elapsed: float) -> void:
	_pulse = maxf(0.0, _pulse - 3.0 * elapsed)
	queue_redraw()


## What is heard now: `music_state` is told of it earlier.
func _on_state_changed(state: StringName, _from_state: StringName) -> void:
	_state = state
	_note("state", state)


func _on_beat(beat_of_bar: int) -> void:
	if _state.is_empty():
		_state = _dungeon.music.music_state
	_beat = beat_of_bar
	_pulse = 1.0


func _note(kind: String, what: String) -> void:
	var seconds: float = maxi(0, _dungeon.music.heard_sample) / 48000.0
	_heard.push_front("%02d:%04.1f   %s  %s" % [int(seconds / 60.0), fmod(seconds, 60.0), kind, what])
	_heard.resize(mini(_heard.size(), HEARD_LINES))


func _draw() -> void:
	draw_rect(Rect2(0.0, TOP, size.x, size.y - TOP), Color(0.055, 0.055, 0.075))
	draw_line(Vector2(0.0, TOP), Vector2(size.x, TOP), Color(0.3, 0.29, 0.36), 2.0)
	_write(Vector2(24.0, 30.0), "The dungeon", 22, TEXT)
	_write(Vector2(24.0, 52.0), _news, 14, DIM)
	_draw_states(Vector2(24.0, TOP + 18.0))
	_draw_clock(Vector2(24.0, TOP + 74.0))
	_draw_meters(Vector2(520.0, TOP + 26.0))
	_draw_heard(Vector2(880.0, TOP + 26.0))


func _draw_states(at: Vector2) -> void:
	for i: int in STATES.size():
		var chip: Rect2 = Rect2(at + Vector2(94.0 * i, 0.0), Vector2(86.0, 28.0))
		var is_now: bool = STATES[i] == _state
		if is_now:
			draw_rect(chip.grow(1.0 + 2.0 * _pulse), Color(COLOURS[i], 0.25 + 0.25 * _pulse))
		draw_rect(chip, COLOURS[i] if is_now else GROOVE)
		if STATES[i] == _goal:
			draw_rect(chip, COLOURS[i], false, 2.0)
		var width: float = _font.get_string_size(STATES[i], HORIZONTAL_ALIGNMENT_LEFT, -1.0, 15).x
		var ink: Color = Color(0.06, 0.05, 0.08) if is_now else DIM
		_write(chip.position + Vector2((chip.size.x - width) / 2.0, 19.5), STATES[i], 15, ink)


func _draw_clock(at: Vector2) -> void:
	var music: SoundtrackPlayer = _dungeon.music
	for i: int in music.beats_per_bar:
		var is_now: bool = i == _beat
		draw_circle(
			at + Vector2(8.0 + 26.0 * i, 4.0),
			7.0 + (3.0 * _pulse if is_now else 0.0),
			Color(1.0, 0.72, 0.35) if is_now else GROOVE
		)
	if music.bpm > 0.0:
		_write(at + Vector2(116.0, 9.0), "bar %d of the phrase,  %.1f bpm" % [_bar + 1, music.bpm], 14, DIM)


func _draw_meters(at: Vector2) -> void:
	var reading: SoundtrackPlayer.Conductor.Reading = _dungeon.music.get_reading()
	_draw_bar(at, "danger", _dungeon.danger, "%.2f" % _dungeon.danger, COLOURS[2])
	var lead_s: float = maxf(0.3, reading.lead_ms / 1000.0)
	_draw_bar(
		at + Vector2(0.0, 24.0),
		"buffer",
		reading.reserve_s / lead_s,
		"%d ms" % (1000.0 * reading.reserve_s),
		COLOURS[4]
	)
	var state: String = SoundtrackPlayer.ConnectionState.find_key(_dungeon.music.connection_state)
	var is_well: bool = _dungeon.music.connection_state == SoundtrackPlayer.ConnectionState.PLAYING
	draw_circle(at + Vector2(5.0, 48.0), 5.0, GOOD if is_well else BAD)
	_write(at + Vector2(18.0, 53.0), state.to_lower(), 14, TEXT)
	var ran_dry: int = reading.underruns + reading.skips
	var told: String = "%d underrun%s" % [ran_dry, "" if ran_dry == 1 else "s"]
	_write(at + Vector2(110.0, 53.0), told, 14, DIM if ran_dry == 0 else BAD)
	_write(at + Vector2(222.0, 53.0), "round trip %.1f ms" % (1000.0 * reading.round_trip_s), 14, DIM)


func _draw_bar(at: Vector2, label: String, share: float, value: String, colour: Color) -> void:
	_write(at + Vector2(0.0, 5.0), label, 14, DIM)
	var groove: Rect2 = Rect2(at + Vector2(58.0, -5.0), Vector2(180.0, 11.0))
	draw_rect(groove, GROOVE)
	draw_rect(Rect2(groove.position, Vector2(groove.size.x * clampf(share, 0.0, 1.0), groove.size.y)), colour)
	_write(at + Vector2(248.0, 5.0), value, 14, TEXT)


func _draw_heard(at: Vector2) -> void:
	_write(at + Vector2(0.0, 5.0), "heard", 14, DIM)
	for i: int in _heard.size():
		_write(at + Vector2(56.0, 5.0 + 20.0 * i), _heard[i], 14, TEXT if i == 0 else DIM)


func _write(at: Vector2, text: String, height: int, colour: Color) -> void:
	draw_string(_font, at, text, HORIZONTAL_ALIGNMENT_LEFT, -1.0, height, colour)
