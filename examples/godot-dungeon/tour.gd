# SPDX-License-Identifier: Apache-2.0
class_name Tour
extends Node
## Plays the game by itself, for tests and pictures: `godot --path . -- --tour`. It prints what was heard, and ends with
## exit code 0 if that was all of the music.
##
## --server=ADDRESS asks another server; --picture=FILE saves what is seen in the fight.

const WANTED: Array[StringName] = [&"explore", &"tension", &"combat", &"boss", &"victory"]
const ARRIVED: float = 5.0
## A phrase takes up to 20 s, and may have to end twice.
const PATIENCE_S: float = 60.0
const WALK_S: float = 10.0
const FIGHT_S: float = 30.0

var _dungeon: Dungeon
var _states: PackedStringArray = PackedStringArray()
var _stingers: PackedStringArray = PackedStringArray()
var _bars: int = 0
var _beats: int = 0
var _picture: String = ""


func _enter_tree() -> void:
	var words: PackedStringArray = OS.get_cmdline_user_args()
	if not words.has("--tour"):
		queue_free()
		return
	_dungeon = get_parent()
	for word: String in words:
		if word.begins_with("--server="):
			(_dungeon.get_node(^"Soundtrack") as SoundtrackPlayer).server = word.trim_prefix("--server=")
		elif word.begins_with("--picture="):
			_picture = word.trim_prefix("--picture=")


func _ready() -> void:
	if is_queued_for_deletion():
		return
	# Children are ready before their parent: the game begins after this.
	await _dungeon.ready
	var music: SoundtrackPlayer = _dungeon.music
	music.state_changed.connect(func(state: StringName, _from: StringName) -> void: _states.append(state))
	music.stinger_started.connect(func(stinger: StringName) -> void: _stingers.append(stinger))
	music.bar.connect(func(_bar: int) -> void: _bars += 1)
	music.beat.connect(func(_beat: int) -> void: _beats += 1)
	_dungeon.hero.is_steered = false
	await _play()
	await _end()


func _play() -> void:
	var music: SoundtrackPlayer = _dungeon.music
	if not await _until(func() -> bool: return music.heard_sample > 0):
		return
	_states.append(music.music_state)
	await _walk(5.0, 8.0)
	await _wait(3.0)
	# Near enough to feel them, too far to be seen.
	await _walk(12.0, 8.0)
	await _until(func() -> bool: return _states.has("tension"))
	await _wait(2.0)
	await _walk(16.0, 8.0)
	await _until(func() -> bool: return _states.has("combat"))
	await _fight(1.3)
	await _walk(22.5, 8.0)
	await _walk(22.5, 3.0)
	await _until(func() -> bool: return _stingers.has("treasure"))
	await _walk(22.5, 8.0)
	await _until(func() -> bool: return _states[-1] == "explore")
	await _walk(24.0, 8.0)
	await _until(func() -> bool: return _states.has("boss"))
	await _fight(0.7)
	await _until(func() -> bool: return _states.has("victory"))
	await _wait(3.0)


func _end() -> void:
	var reading: SoundtrackPlayer.Conductor.Reading = _dungeon.music.get_reading()
	var missing: PackedStringArray = PackedStringArray()
	for state: StringName in WANTED:
		if not _states.has(state):
			missing.append(state)
	if not _stingers.has("treasure"):
		missing.append("the stinger treasure")
	print("tour: heard %s; stingers: %s" % [" → ".join(_states), ", ".join(_stingers)])
	print(
		(
			"tour: %d bars, %d beats, %.1f s of music, %d underruns, %d skips, %d reconnects"
			% [
				_bars,
				_beats,
				_dungeon.music.heard_sample / 48000.0,
				reading.underruns,
				reading.skips,
				reading.reconnects
			]
		)
	)
	if not missing.is_empty():
		print("tour: FAILED, never heard: %s" % ", ".join(missing))
	_dungeon.music.stop()
	await _wait(0.3)
	get_tree().quit(0 if missing.is_empty() else 1)


## Goes to a tile, in a straight line.
func _walk(column: float, row: float) -> void:
	var goal: Vector2 = Room.at(column, row)
	await _until(_step_to.bind(goal, ARRIVED), WALK_S)
	_dungeon.hero.wish = Vector2.ZERO


func _step_to(goal: Vector2, near: float) -> bool:
	var way: Vector2 = goal - _dungeon.hero.position
	_dungeon.hero.wish = way.limit_length(20.0) / 20.0
	return way.length() < near


## Strikes at whoever is awake until nobody is.
func _fight(every_s: float) -> void:
	var hero: Hero = _dungeon.hero
	var end_ms: int = Time.get_ticks_msec() + int(1000.0 * FIGHT_S)
	var strike_ms: int = Time.get_ticks_msec() + int(1000.0 * every_s)
	while Time.get_ticks_msec() < end_ms:
		var nearest: Foe = null
		for foe: Foe in _dungeon.foes():
			if foe.is_awake and (nearest == null or foe.distance() < nearest.distance()):
				nearest = foe
		if nearest == null:
			break
		hero.wish = Vector2.ZERO
		if nearest.distance() > 0.8 * Hero.REACH:
			_step_to(nearest.position, 0.0)
		hero.face(nearest.position)
		if nearest.distance() < Hero.REACH and Time.get_ticks_msec() >= strike_ms:
			strike_ms = Time.get_ticks_msec() + int(1000.0 * every_s)
			hero.strike()
			_photograph()
		await get_tree().physics_frame
	hero.wish = Vector2.ZERO


func _photograph() -> void:
	if _picture.is_empty():
		return
	var path: String = _picture
	_picture = ""
	# Torches are brightest when a bar begins.
	await _dungeon.music.bar
	_dungeon.hero.strike()
	await _wait(0.12)
	await RenderingServer.frame_post_draw
	var failed: Error = get_viewport().get_texture().get_image().save_png(path)
	print("tour: %s" % (path if failed == OK else error_string(failed)))


## Waits until something holds, but not for ever: false if it never did.
func _until(holds: Callable, patience_s: float = PATIENCE_S) -> bool:
	var end_ms: int = Time.get_ticks_msec() + int(1000.0 * patience_s)
	while not holds.call():
		if Time.get_ticks_msec() > end_ms:
			return false
		await get_tree().physics_frame
	return true


func _wait(seconds: float) -> void:
	await get_tree().create_timer(seconds).timeout
