# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## Takes: the vectors, a model that knows every sample by itself, and what is forgotten.

const Timeline := preload("res://addons/segue/core/audio/timeline.gd")


func test_vectors() -> void:
	for case: Dictionary in vectors("takes.json").get("takes", []):
		var timeline: Timeline = Timeline.new(int(case["capacity"]))
		var number: int = 0
		for step: Dictionary in case["steps"]:
			var where: String = "%s, step %d" % [case["case"], number]
			number += 1
			if step.has("put"):
				var put: Dictionary = step["put"]
				timeline.put(int(put["first_sample"]), _pcm(put["pcm"]), int(put["take"]))
			else:
				var read: Dictionary = step["read"]
				var got: PackedVector2Array = timeline.read(int(read["count"]))
				_compare(got, _pcm(read["pcm"]), (case["tolerance"] as float) / 32768.0, where)
			var then: Dictionary = step["then"]
			for counter: String in then:
				var value: int = timeline.reserve() if counter == "reserve" else int(timeline.get(counter))
				eq(value, int(then[counter]), "%s: %s" % [where, counter])


func test_any_order_is_as_sample_by_sample() -> void:
	var seen: Array[int] = [0, 0, 0, 0]
	for seed_of: int in 120:
		var dice: RandomNumberGenerator = RandomNumberGenerator.new()
		dice.seed = seed_of
		var capacity: int = [600, 3000, 6000][seed_of % 3]
		var timeline: Timeline = Timeline.new(capacity)
		var model: Model = Model.new(capacity)
		for step: int in 60:
			if not _play(dice, timeline, model, "seed %d, step %d" % [seed_of, step]):
				return
		var counters: Array[int] = model.counters()
		for i: int in 4:
			seen[i] += counters[4 + i]
	for i: int in 4:
		ok(seen[i] > 50, "%s: never happened" % ["jumps", "late takes", "outdated", "missed"][i])


func test_nothing_is_kept_for_ever() -> void:
	var timeline: Timeline = Timeline.new(48000)
	var block: PackedVector2Array = PackedVector2Array()
	block.resize(480)
	var most: int = 0
	for i: int in 5000:
		# A take now and then, so that older versions are held as well.
		timeline.put(480 * i, block, floori(i / 7.0))
		if i > 80:
			timeline.read(480)
		most = maxi(most, timeline.held())
	ok(most < 260, "%d stretches are held, for at most 100 in each version" % most)
	for i: int in 400:
		timeline.put(2400000 + 480 * i, block, 1000)
	ok(timeline.reserve() <= 48000, "it holds more than its capacity")
	timeline.read(100000)
	ok(timeline.held() <= 2, "what has been read is held")


func test_a_caller_keeps_what_it_reads() -> void:
	var timeline: Timeline = Timeline.new()
	var block: PackedVector2Array = PackedVector2Array([Vector2(1, 1), Vector2(1, 1), Vector2(1, 1), Vector2(1, 1)])
	timeline.put(0, block, 0)
	timeline.read(1)
	timeline.put(0, PackedVector2Array([Vector2(2, 2), Vector2(2, 2), Vector2(2, 2)]), 1)
	var got: PackedVector2Array = timeline.read(3)
	got[2] = Vector2(9, 9)
	eq(block[3], Vector2(1, 1), "the block that was put in")


func test_a_timeline_that_restarts_is_another() -> void:
	var timeline: Timeline = Timeline.new()
	timeline.put(10000, _ramp(2000, 0.5), 7)
	timeline.read(500)
	ok(not timeline.put(0, _ramp(100, 0.1), 0), "an older take")
	ok(timeline.put(0, _ramp(100, 0.1), 0, true), "a timeline of its own")
	eq([timeline.playhead, timeline.reserve(), timeline.take, timeline.jumps], [0, 100, 0, 1])
	_compare(timeline.read(100), _ramp(100, 0.1), 0.0, "what is heard")


func _play(dice: RandomNumberGenerator, timeline: Timeline, model: Model, where: String) -> bool:
	if dice.randf() < 0.5:
		var count: int = dice.randi_range(0, 700)
		if not _compare(timeline.read(count), model.read(count), 2e-6, where):
			return false
	else:
		var take: int = maxi(0, model.take + [-1, 0, 0, 0, 0, 1, 1, 2][dice.randi_range(0, 7)])
		var first: int = maxi(0, model.end)
		if take > model.take or dice.randf() < 0.1:
			first = maxi(0, model.playhead + dice.randi_range(-900, 1500))
			first = mini(first, maxi(0, model.end))
		elif dice.randf() < 0.05:
			first += dice.randi_range(1, 500)
		var frames: PackedVector2Array = _ramp(dice.randi_range(0, 1300), dice.randf_range(-0.7, 0.7))
		var restarts: bool = dice.randf() < 0.02
		var taken: bool = timeline.put(first, frames, take, restarts)
		if not eq(taken, model.put(first, frames, take, restarts), where + ": taken"):
			return false
	var counters: Array[int] = [timeline.playhead, timeline.take, timeline.reserve(), timeline.available()]
	counters.append_array([timeline.jumps, timeline.late_takes, timeline.outdated, timeline.missed])
	return eq(counters, model.counters(), where + ": counters")


func _compare(got: PackedVector2Array, want: PackedVector2Array, tolerance: float, where: String) -> bool:
	if not eq(got.size(), want.size(), where + ": samples"):
		return false
	for i: int in got.size():
		if absf(got[i].x - want[i].x) > tolerance or absf(got[i].y - want[i].y) > tolerance:
			return ok(false, "%s: sample %d: expected %s, got %s" % [where, i, want[i], got[i]])
	return true


static func _ramp(count: int, level: float) -> PackedVector2Array:
	var frames: PackedVector2Array = PackedVector2Array()
	frames.resize(count)
	for i: int in count:
		frames[i] = Vector2(level + i * 1e-4, -level + i * 1e-4)
	return frames


static func _pcm(stretches: Array) -> PackedVector2Array:
	var frames: PackedVector2Array = PackedVector2Array()
	for stretch: Dictionary in stretches:
		if stretch.has("samples"):
			var samples: Array = stretch["samples"]
			for i: int in range(0, samples.size(), 2):
				frames.append(Vector2(samples[i], samples[i + 1]) / 32768.0)
			continue
		var begin: Vector2 = Vector2(stretch["left"], stretch["right"])
		var step: Vector2 = Vector2(stretch.get("left_step", 0), stretch.get("right_step", 0))
		for i: int in int(stretch["count"]):
			frames.append((begin + i * step) / 32768.0)
	return frames


## Every sample by its number, in two versions: the rules of tests/conformance/README.md. A fade goes on in the next
## block, and a take that begins within one is faded in itself.
class Model:
	const FADE: int = 960

	var take: int = 0
	var playhead: int = 0
	var end: int = -1
	var older_end: int = 0
	var jumps: int = 0
	var late_takes: int = 0
	var outdated: int = 0
	var missed: int = 0

	var _capacity: int
	var _newest: Dictionary = {}
	var _older: Dictionary = {}
	var _take_first: int = 0
	var _is_behind: bool = false
	var _has_begun: bool = false
	var _fades: Dictionary = {}

	func _init(capacity: int) -> void:
		_capacity = capacity

	func counters() -> Array[int]:
		var newest: int = maxi(0, end - playhead) if _has_begun else 0
		var any: int = maxi(newest, older_end - playhead)
		return [playhead, take, newest, any, jumps, late_takes, outdated, missed]

	func put(first: int, frames: PackedVector2Array, of_take: int, restarts: bool) -> bool:
		if _has_begun and of_take < take and not restarts:
			return false
		if not _has_begun or first > end or restarts:
			jumps += 1 if _has_begun else 0
			take = of_take if restarts else take
			_has_begun = true
			playhead = first
			end = first
			older_end = first
			_take_first = first
			_is_behind = false
			_fades = {}
			_newest = {}
			_older = {}
		var begin: int = maxi(first, playhead)
		if of_take > take or first < _take_first:
			var is_late: bool = of_take > take and first < playhead
			late_takes += 1 if is_late else 0
			if (
				end < older_end
				and (begin < end or (begin == end and not _is_behind and (is_late or _fades.has(begin))))
			):
				_smooth(end)
			if begin < end:
				for sample: int in _older.keys():
					if sample < begin:
						_older.erase(sample)
			for sample: int in range(begin, end):
				_older[sample] = _newest[sample]
			older_end = maxi(older_end, end)
			_is_behind = _is_behind or is_late or _fades.has(begin)
			_forget(_fades, begin)
			_take_first = first
		take = of_take
		var stop: int = mini(first + frames.size(), playhead + _capacity)
		if stop > begin and _is_behind:
			var length: int = mini(FADE, older_end - begin)
			for n: int in length:
				_fades[begin + n] = (n + 1.0) / (length + 1.0) * PI / 2.0
		for sample: int in range(begin, stop):
			var frame: Vector2 = frames[sample - first]
			if _fades.has(sample):
				var angle: float = _fades[sample]
				frame = _older[sample] * cos(angle) + frame * sin(angle)
			_newest[sample] = frame
		if stop > begin:
			_is_behind = false
		end = maxi(begin, stop)
		_forget(_newest, end)
		return true

	func read(count: int) -> PackedVector2Array:
		var found: PackedVector2Array = PackedVector2Array()
		for i: int in count:
			var frame: Vector2 = Vector2.ZERO
			if _has_begun and playhead < end:
				frame = _newest[playhead]
				playhead += 1
			elif _has_begun and playhead < older_end:
				if not _is_behind:
					_smooth(playhead)
				_is_behind = true
				frame = _older[playhead]
				playhead += 1
				outdated += 1
			else:
				missed += 1 if _has_begun else 0
			found.append(frame)
		return found

	func _forget(of: Dictionary, from: int) -> void:
		for sample: int in of.keys():
			if sample >= from:
				of.erase(sample)

	func _smooth(sample: int) -> void:
		if not _newest.has(sample - 1) or not _older.has(sample - 1):
			return
		var step: Vector2 = _newest[sample - 1] - _older[sample - 1]
		for n: int in mini(FADE, older_end - sample):
			_older[sample + n] += step * (1.0 - (n + 1.0) / (FADE + 1.0))
