# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## What is heard of the stream, the loop and silence; and that no change between them is a click.

const Ladder := preload("res://addons/segue/core/audio/ladder.gd")
const Recording := preload("res://addons/segue/core/audio/recording.gd")

const FADE: int = Ladder.FADE
# Of anything that sounds in the random test, and its steepest step without any change: 20 Hz.
const LEVEL: float = 0.5
const SIGNAL_STEP: float = LEVEL * TAU * 20.0 / 48000.0
# A gain that goes from 0 to 1 along a quarter of a sine.
const GAIN_STEP: float = PI / 2.0 / FADE


func test_what_comes_in_is_what_is_heard() -> void:
	var ladder: Ladder = Ladder.new()
	var music: PackedVector2Array = _wave(0, 48000, 0.0)
	ladder.put(0, music, 0)
	var heard: PackedVector2Array = _read(ladder, 40000)
	eq(heard.slice(FADE), music.slice(FADE, 40000), "after the fade")


func test_the_music_begins_once_enough_is_there() -> void:
	var ladder: Ladder = Ladder.new()
	ladder.put(0, _level(9000, 0.3), 0)
	near(_loudest(_read(ladder, 4800)), 0.0, 0.0, "too early")
	eq([ladder.timeline.playhead, ladder.mode], [0, Ladder.Mode.WAITING])
	ladder.put(9000, _level(4800, 0.3), 0)
	near(_loudest(_read(ladder, 4800)), 0.3, 1e-6, "it is heard")
	eq(ladder.mode, Ladder.Mode.PLAYING)


func test_a_starved_stream_fades_into_the_loop_and_back() -> void:
	var ladder: Ladder = Ladder.new()
	ladder.fallback = Recording.new(_level(4000, -0.15), 100, 3900)
	ladder.put(0, _level(12000, 0.3), 0)
	var heard: PackedVector2Array = _read(ladder, 20000)
	eq([ladder.mode, ladder.underruns, ladder.timeline.playhead], [Ladder.Mode.STARVED, 1, 12000])
	near(heard[19999].x, -0.15, 1e-6, "the loop")
	near(heard[12000 - 480].x, (0.3 - 0.15) * sqrt(0.5), 1e-3, "half way, at equal power")
	ladder.put(12000, _level(24000, 0.3), 0)
	heard.append_array(_read(ladder, 10000))
	eq(ladder.mode, Ladder.Mode.PLAYING)
	near(heard[29999].x, 0.3, 1e-6, "the stream")
	near(_steepest(heard), 0.0, (0.3 + 0.15) * GAIN_STEP, "the largest step")


func test_the_loop_goes_round() -> void:
	var ladder: Ladder = Ladder.new()
	var frames: PackedVector2Array = PackedVector2Array()
	for i: int in 1000:
		frames.append(Vector2(i, -i))
	ladder.fallback = Recording.new(frames, 100, 900)
	ladder.wants_fallback = true
	var heard: PackedVector2Array = _read(ladder, 5000)
	for i: int in range(FADE, 5000):
		if not eq(heard[i], frames[100 + i % 800], "sample %d" % i):
			return


func test_without_a_loop_a_starved_stream_fades_to_silence() -> void:
	var ladder: Ladder = Ladder.new()
	ladder.put(0, _level(12000, 0.3), 0)
	var heard: PackedVector2Array = _read(ladder, 20000)
	near(_steepest(heard), 0.0, 0.3 * GAIN_STEP, "the largest step")
	eq(heard[19999], Vector2.ZERO, "the end")


func test_a_shortage_that_passes_is_no_underrun() -> void:
	var ladder: Ladder = Ladder.new()
	ladder.put(0, _level(9600, 0.3), 0)
	_read(ladder, 9120)
	ladder.put(9600, _level(9600, 0.3), 0)
	near(_read(ladder, 4800)[4799].x, 0.3, 1e-6, "it is loud again")
	eq(ladder.underruns, 0)


func test_after_an_underrun_there_is_to_be_more_and_no_wait_is_for_ever() -> void:
	var ladder: Ladder = Ladder.new()
	ladder.prime = 0
	eq(ladder.prime, 2 * FADE, "two fades at least")
	ladder.most_prime = 2500
	ladder.put(0, _level(4800, 0.3), 0)
	_read(ladder, 9600)
	eq(ladder.prime, 2500, "half as much again, as far as the most")
	ladder.put(4800, _level(2400, 0.3), 0)
	_read(ladder, 9600)
	eq(ladder.mode, Ladder.Mode.STARVED)
	_read(ladder, 96000)
	eq(ladder.timeline.playhead, 7200, "what did come is heard in the end")


func test_an_end_that_is_meant_is_silent_and_no_underrun() -> void:
	var ladder: Ladder = Ladder.new()
	ladder.fallback = Recording.new(_level(4000, 0.2))
	ladder.put(0, _level(24000, 0.3), 0)
	_read(ladder, 4800)
	ladder.end = 9600
	var heard: PackedVector2Array = _read(ladder, 9600)
	eq([ladder.underruns, ladder.timeline.playhead, ladder.mode], [0, 9600, Ladder.Mode.WAITING])
	eq(heard[9599], Vector2.ZERO, "the end")
	near(_steepest(heard), 0.0, 0.3 * GAIN_STEP, "the largest step")
	ladder.end = Ladder.NOWHERE
	near(_loudest(_read(ladder, 4800)), 0.3, 1e-6, "it goes on")


func test_an_end_in_the_past_is_faded_out_to() -> void:
	var ladder: Ladder = Ladder.new()
	ladder.put(0, _level(24000, 0.3), 0)
	_read(ladder, 9600)
	ladder.end = 100
	var heard: PackedVector2Array = _read(ladder, 4800)
	near(_steepest(heard), 0.0, 0.3 * GAIN_STEP, "the largest step")
	eq(heard[4799], Vector2.ZERO, "the end")


func test_a_jump_of_the_timeline_is_no_click() -> void:
	var ladder: Ladder = Ladder.new()
	ladder.put(0, _level(24000, 0.3), 0)
	var heard: PackedVector2Array = _read(ladder, 9600)
	ladder.put(96000, _level(24000, -0.3), 0)
	heard.append_array(_read(ladder, 4800))
	near(_steepest(heard), 0.0, 0.6 / FADE, "the largest step")
	eq(ladder.timeline.playhead, 100800)


func test_what_is_shorter_than_a_fade_is_faded_out_all_the_same() -> void:
	var ladder: Ladder = Ladder.new()
	ladder.put(0, _level(24000, 0.3), 0)
	# In the middle of its fade in, the timeline is jumped along to very little.
	for begun: int in [480, 9600] as Array[int]:
		var heard: PackedVector2Array = ladder.read(begun)
		ladder.put(ladder.timeline.playhead + 90000, _level(300, 0.3), 0)
		heard.append_array(_read(ladder, 960))
		near(_steepest(heard), 0.0, 0.3 * PI / 2.0 / 300.0, "the largest step")
		eq(heard[begun + 300], Vector2.ZERO, "the end")
		ladder.put(ladder.timeline.playhead, _level(24000, 0.3), 0)


func test_the_fallback_is_heard_before_there_is_a_server_if_that_is_wanted() -> void:
	var ladder: Ladder = Ladder.new()
	ladder.fallback = Recording.new(_level(4000, 0.2))
	near(_loudest(_read(ladder, 4800)), 0.0, 0.0, "not asked for")
	ladder.wants_fallback = true
	near(_loudest(_read(ladder, 4800)), 0.2, 1e-6, "asked for")
	ladder.fallback = Recording.new(_level(4000, -0.2))
	var heard: PackedVector2Array = _read(ladder, 48000)
	near(heard[47999].x, -0.2, 1e-6, "another state's loop")
	near(_steepest(heard), 0.0, 0.4 / 24000.0 + 1e-6, "over half a second")


func test_clips_go_on_when_the_stream_has_run_dry() -> void:
	var ladder: Ladder = Ladder.new()
	ladder.put(0, _level(12000, 0.0), 0)
	ladder.clips.add(Recording.new(_level(5000, 0.4)), 10000, 1.0)
	ladder.clips.add(Recording.new(_level(100, 0.4)), 12000, 1.0)
	var heard: PackedVector2Array = _read(ladder, 20000)
	near(heard[9999].x, 0.0, 0.0, "before")
	near(heard[10000].x, 0.4, 1e-6, "its sample")
	near(heard[14999].x, 0.4, 1e-6, "its last sample")
	near(heard[15000].x, 0.0, 0.0, "after")
	eq(ladder.clips.count(), 1, "one whose sample was not reached waits")


func test_no_change_is_a_click() -> void:
	# Music and loop each rise or fall; a take is faded in or a jump decays, which may follow upon another.
	var most: float = 4.0 * SIGNAL_STEP + 4.0 * LEVEL * GAIN_STEP + 4.0 * LEVEL / FADE
	ok(most < 0.02, "what is allowed is far below what a click would be")
	var seen: Dictionary = {}
	for seed_of: int in 40:
		var session: Session = Session.new(seed_of)
		var heard: PackedVector2Array = PackedVector2Array()
		for step: int in 40:
			heard.append_array(session.step(seen))
		var at: int = _steepest_at(heard)
		var step_at: float = (heard[at + 1] - heard[at]).length()
		if not ok(step_at < most * sqrt(2.0), "seed %d: %s at sample %d, %s" % [seed_of, step_at, at, session.told]):
			return
	for what: String in ["stall", "take", "jump", "end", "go on", "loop", "no loop", "wants", "underrun", "late"]:
		ok(seen.get(what, 0) > 10, "%s: %d times" % [what, seen.get(what, 0)])


## A server, a network and a game that do what they like.
class Session:
	var told: PackedStringArray = PackedStringArray()

	var _dice: RandomNumberGenerator = RandomNumberGenerator.new()
	var _ladder: Ladder = Ladder.new()
	var _next: int = 0
	var _take: int = 0
	# Where takes that are still heard have begun.
	var _turns: Array[int] = []
	var _loops: Array[Recording] = [null]

	func _init(seed_of: int) -> void:
		_dice.seed = seed_of
		for phase: float in [1.0, 4.0] as Array[float]:
			var frames: PackedVector2Array = PackedVector2Array()
			for i: int in 4800:
				var angle: float = i * TAU * 20.0 / 48000.0 + phase
				frames.append(Vector2(sin(angle), cos(angle)) * LEVEL)
			_loops.append(Recording.new(frames, 0, 2400 * _dice.randi_range(1, 2)))
		_ladder.prime = _dice.randi_range(1920, 9600)
		_ladder.most_prime = 9600
		if _dice.randf() < 0.7:
			_ladder.fallback = _loops[1]

	func step(seen: Dictionary) -> PackedVector2Array:
		var underruns: int = _ladder.underruns
		var late: int = _ladder.timeline.late_takes
		var what: String = ["stall", "", "", "", "take", "jump", "end", "loop", "wants"][_dice.randi_range(0, 8)]
		match what:
			"take":
				_take += 1
				_next = maxi(0, _ladder.timeline.playhead + _dice.randi_range(-5000, 5000))
				_next = mini(_next, _ladder.timeline.playhead + _ladder.timeline.reserve())
				while not _turns.is_empty() and _turns[-1] >= _next:
					_turns.pop_back()
				_turns.append(_next)
			"jump":
				_next += _dice.randi_range(1, 50000)
			"end" when _ladder.end == Ladder.NOWHERE:
				_ladder.end = _ladder.timeline.playhead + _dice.randi_range(-3000, 6000)
			"end":
				_ladder.end = Ladder.NOWHERE
				what = "go on"
			"loop":
				_ladder.fallback = _loops[_dice.randi_range(0, 2)]
				what = "no loop" if _ladder.fallback == null else "loop"
			"wants":
				_ladder.wants_fallback = not _ladder.wants_fallback
		if what != "stall":
			for block: int in _dice.randi_range(1, 3):
				var count: int = 1920 * _dice.randi_range(1, 2)
				_ladder.put(_next, _music(_next, count), _take)
				_next += count
		var heard: PackedVector2Array = PackedVector2Array()
		for part: int in _dice.randi_range(1, 4):
			heard.append_array(_ladder.read(_dice.randi_range(1, 2500)))
		told.append(what)
		seen[what] = seen.get(what, 0) + 1
		seen["underrun"] = seen.get("underrun", 0) + _ladder.underruns - underruns
		seen["late"] = seen.get("late", 0) + _ladder.timeline.late_takes - late
		return heard

	## A take goes on from what is before it, and only then becomes another.
	func _music(first: int, count: int) -> PackedVector2Array:
		var frames: PackedVector2Array = PackedVector2Array()
		frames.resize(count)
		for i: int in count:
			var angle: float = (first + i) * TAU * 20.0 / 48000.0
			for turn: int in _turns:
				angle += 2.0 * clampf((first + i - turn) / 4800.0, 0.0, 1.0)
			frames[i] = Vector2(sin(angle), cos(angle)) * LEVEL
		return frames


static func _wave(first: int, count: int, phase: float) -> PackedVector2Array:
	var frames: PackedVector2Array = PackedVector2Array()
	for i: int in count:
		var angle: float = (first + i) * 0.01 + phase
		frames.append(Vector2(sin(angle), cos(angle)) * LEVEL)
	return frames


static func _level(count: int, level: float) -> PackedVector2Array:
	var frames: PackedVector2Array = PackedVector2Array()
	frames.resize(count)
	frames.fill(Vector2(level, level))
	return frames


## As a sound card does: a little at a time.
static func _read(ladder: Ladder, count: int) -> PackedVector2Array:
	var heard: PackedVector2Array = PackedVector2Array()
	while heard.size() < count:
		heard.append_array(ladder.read(mini(480, count - heard.size())))
	return heard


static func _loudest(frames: PackedVector2Array) -> float:
	var most: float = 0.0
	for frame: Vector2 in frames:
		most = maxf(most, absf(frame.x))
	return most


static func _steepest(frames: PackedVector2Array) -> float:
	var at: int = _steepest_at(frames)
	return absf(frames[at + 1].x - frames[at].x)


static func _steepest_at(frames: PackedVector2Array) -> int:
	var most: float = -1.0
	var found: int = 0
	for i: int in frames.size() - 1:
		var step: float = frames[i].distance_squared_to(frames[i + 1])
		if step > most:
			most = step
			found = i
	return found
