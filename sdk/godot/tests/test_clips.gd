# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## Clips: heard at their sample, whatever the size of a read.

const Clips := preload("res://addons/segue/core/audio/clips.gd")
const Recording := preload("res://addons/segue/core/audio/recording.gd")


func test_a_clip_is_heard_at_its_sample() -> void:
	var clips: Clips = Clips.new()
	ok(clips.add(_clip(100), 1000, 0.5), "taken")
	var heard: PackedVector2Array = _render(clips, 0, 2000, 333)
	for i: int in 2000:
		var want: float = 0.5 * (i - 999) if i >= 1000 and i < 1100 else 0.0
		if not near(heard[i].x, want, 1e-6, "sample %d" % i):
			return
	eq(clips.count(), 0, "it is over")


func test_the_size_of_reads_changes_nothing() -> void:
	for size: int in [1, 7, 480, 5000] as Array[int]:
		var clips: Clips = Clips.new()
		clips.add(_clip(1000), 500, 1.0)
		clips.add(_clip(700), 900, 0.25)
		clips.add(_clip(400), 0, 2.0)
		eq(_render(clips, 0, 3000, size), _render(_three(), 0, 3000, 3000), "reads of %d" % size)


func test_a_gain_without_measure_is_none() -> void:
	var clips: Clips = Clips.new()
	for gain: float in [NAN, INF, -INF, 65.0] as Array[float]:
		eq(clips.add(_clip(10), 0, gain), false, str(gain))
	eq(clips.count(), 0)


func test_it_is_played_once() -> void:
	var clips: Clips = Clips.new()
	var clip: Recording = _clip(10)
	clips.add(clip, 100, 1.0)
	clips.add(clip, 100, 1.0)
	eq(clips.count(), 1, "the same clip at the same sample")
	clips.add(clip, 105, 1.0)
	eq(clips.count(), 2, "at another sample")


func test_a_take_voids_what_has_not_begun() -> void:
	var clips: Clips = Clips.new()
	clips.add(_clip(500), 0, 1.0)
	clips.add(_clip(500), 400, 1.0)
	clips.add(_clip(500), 900, 1.0)
	_render(clips, 0, 200, 200)
	clips.void_from(100, 200)
	eq(clips.count(), 1, "what has begun goes on")
	clips.add(_clip(500), 250, 1.0)
	clips.add(_clip(500), 300, 1.0)
	clips.void_from(300, 200)
	eq(clips.count(), 2, "what lies before the take stays")


func test_one_that_is_told_late_is_joined_softly() -> void:
	var clips: Clips = Clips.new()
	var level: PackedVector2Array = PackedVector2Array()
	level.resize(2000)
	level.fill(Vector2(0.5, -0.5))
	clips.add(Recording.new(level), 100, 1.0)
	var heard: PackedVector2Array = _render(clips, 600, 1000, 100)
	var steepest: float = heard[0].x
	for i: int in 999:
		steepest = maxf(steepest, absf(heard[i + 1].x - heard[i].x))
	near(steepest, 0.5 / 240.0, 1e-6, "the largest step")
	near(heard[300].x, 0.5, 1e-6, "later it is as loud as it is")
	clips.add(Recording.new(level), 100, 1.0)
	_render(clips, 5000, 10, 10)
	eq(clips.count(), 1, "one that would be over is not begun")


func test_while_the_timeline_stands_still() -> void:
	var clips: Clips = Clips.new()
	clips.add(_clip(500), 100, 1.0)
	clips.add(_clip(500), 220, 1.0)
	_render(clips, 0, 200, 200)
	var frames: PackedVector2Array = PackedVector2Array()
	frames.resize(300)
	clips.mix(frames, 200, false)
	near(frames[0].x, 101.0, 1e-6, "what has begun goes on")
	near(frames[299].x, 400.0, 1e-6, "and nothing begins")


func test_there_are_only_so_many() -> void:
	var clips: Clips = Clips.new()
	for i: int in Clips.MOST:
		clips.add(_clip(10), i, 1.0)
	ok(not clips.add(_clip(10), 500, 1.0), "one too many")


func _three() -> Clips:
	var clips: Clips = Clips.new()
	clips.add(_clip(1000), 500, 1.0)
	clips.add(_clip(700), 900, 0.25)
	clips.add(_clip(400), 0, 2.0)
	return clips


static func _clip(count: int) -> Recording:
	var frames: PackedVector2Array = PackedVector2Array()
	for i: int in count:
		frames.append(Vector2(i + 1, -i - 1))
	return Recording.new(frames)


static func _render(clips: Clips, sample: int, count: int, size: int) -> PackedVector2Array:
	var heard: PackedVector2Array = PackedVector2Array()
	while heard.size() < count:
		var frames: PackedVector2Array = PackedVector2Array()
		frames.resize(mini(size, count - heard.size()))
		clips.mix(frames, sample + heard.size(), true)
		heard.append_array(frames)
	return heard
