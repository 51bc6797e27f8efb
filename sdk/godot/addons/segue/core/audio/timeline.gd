# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## What is still to be played, by its place on the timeline: blocks go in, frames come out. One thread's.
##
## A later take replaces what lies from its first sample on; where that has begun to be played, the new one is faded in.
## What it replaces is kept until it is there: on a bad network the beginning of a take may come and what follows be
## late, and then the older version goes on instead of silence.

const Track := preload("res://addons/segue/core/audio/track.gd")

## Samples over which a take that came too late is faded in: 20 ms.
const FADE: int = 960

## Whether any block has come.
var has_begun: bool = false
## First sample that has not been read.
var playhead: int = 0
## Version of the timeline of the last block that was taken in.
var take: int = 0
## Times that the timeline was jumped along, because what lies between was not sent.
var jumps: int = 0
## Takes whose first samples had been played already in their older version.
var late_takes: int = 0
## Samples that were played in an older version, because the newer one had not gone on in time.
var outdated: int = 0
## Samples that were asked for and not there.
var missed: int = 0

var _capacity: int = 0
var _newest: Track = Track.new()
var _older: Track = Track.new()
var _end: int = 0
var _older_end: int = 0
var _take_first: int = 0
# What comes before the newest version's next sample is of the older one: it is to be faded in.
var _is_behind: bool = false
# The fade that was begun last; it may go on in the next block.
var _fade_first: int = 0
var _fade_length: int = 0
# What is mixed of two versions lies in [from, to).
var _mixed_from: int = 0
var _mixed_to: int = 0


## `capacity`: samples ahead of the playhead that are held at most.
func _init(capacity: int = 15 * 48000) -> void:
	_capacity = capacity


## Samples that are there to be read, in their newest version.
func reserve() -> int:
	return maxi(0, _end - playhead)


## Samples that are there to be read, in any version.
func available() -> int:
	return maxi(0, maxi(_end, _older_end) - playhead)


## Stretches of samples that are held, in both versions: for tests of what is forgotten.
func held() -> int:
	return _newest.size() + _older.size()


## Takes in a block, which is kept, not copied; false if it is of an older take. What lies before the playhead or beyond
## the capacity is left out. `restarts`: another timeline begins with it, and everything before is void.
func put(first_sample: int, frames: PackedVector2Array, of_take: int, restarts: bool = false) -> bool:
	if has_begun and of_take < take and not restarts:
		return false
	if not has_begun or first_sample > _end or restarts:
		_begin_at(first_sample, of_take)
	var first: int = maxi(first_sample, playhead)
	if of_take > take or first_sample < _take_first:
		_replace(first, of_take > take and first_sample < playhead)
		_take_first = first_sample
	take = of_take
	var skipped: int = mini(frames.size(), first - first_sample)
	var count: int = mini(frames.size() - skipped, _capacity - (first - playhead))
	var taken: PackedVector2Array = frames if count == frames.size() else frames.slice(skipped, skipped + count)
	if _is_behind and count > 0:
		_fade_first = first
		_fade_length = mini(FADE, maxi(0, _older_end - first))
		_is_behind = false
		_mixed_from = _mixed_from if first == _mixed_to else first
		_mixed_to = first + _fade_length
	if count > 0 and first < _mixed_to:
		taken = _faded_in(first, taken)
	_newest.cut(first, _end)
	_newest.put(first, taken)
	_end = first + count
	return true


## The next `count` frames. What is not there is silence, and the playhead does not move over it.
func read(count: int) -> PackedVector2Array:
	var found: PackedVector2Array = PackedVector2Array()
	if has_begun:
		found = _newest.run(playhead, mini(count, maxi(0, _end - playhead)))
		playhead += found.size()
		if found.size() < count:
			found.append_array(_read_older(count - found.size()))
		# The last frame that was read stays: what follows may have to begin from there.
		_newest.drop_before(playhead - 1)
		_older.drop_before(playhead - 1)
		missed += count - found.size()
	if found.size() < count:
		found.resize(count)
	return found


func _begin_at(sample: int, of_take: int) -> void:
	if has_begun:
		jumps += 1
	has_begun = true
	playhead = sample
	_end = sample
	_older_end = sample
	_take_first = sample
	_is_behind = false
	_mixed_from = sample
	_mixed_to = sample
	# Only a timeline that restarts may be of an older take.
	if of_take < take:
		take = of_take
	_newest.clear()
	_older.clear()


func _read_older(most: int) -> PackedVector2Array:
	var count: int = mini(most, maxi(0, _older_end - playhead))
	if count == 0:
		return PackedVector2Array()
	if not _is_behind:
		_smooth(playhead)
	_is_behind = true
	var found: PackedVector2Array = _older.run(playhead, count)
	playhead += found.size()
	outdated += found.size()
	return found


## Keeps what a take replaces from `first` on. `is_late`: it should have begun before the playhead.
func _replace(first: int, is_late: bool) -> void:
	late_takes += 1 if is_late else 0
	# Within a fade it goes on from a take which is not all that is heard yet.
	var is_faded_in: bool = is_late or (first >= _mixed_from and first < _mixed_to)
	if _end < _older_end and (first < _end or (first == _end and is_faded_in and not _is_behind)):
		# Two older versions meet there.
		_smooth(_end)
	if first < _end:
		# What the older version goes on from there is the newest: its own past is no part of it.
		_older.cut(playhead - 1, first)
		_older.put(first, _newest.run(first, _end - first))
	_older_end = maxi(_older_end, _end)
	_mixed_to = mini(_mixed_to, first)
	_is_behind = _is_behind or is_faded_in


## Frames of a take as far as they lie in its fade: mixed out of the older version, at equal power.
func _faded_in(first: int, frames: PackedVector2Array) -> PackedVector2Array:
	var old: PackedVector2Array = _older.run(first, mini(frames.size(), _mixed_to - first))
	var mixed: PackedVector2Array = frames.duplicate()
	var step: float = PI / 2.0 / (_fade_length + 1)
	for i: int in old.size():
		var angle: float = (first - _fade_first + i + 1) * step
		mixed[i] = old[i] * cos(angle) + frames[i] * sin(angle)
	return mixed


## Lets the older version go on at `sample` from where the newer one has got to: the step between them decays.
func _smooth(sample: int) -> void:
	var heard: PackedVector2Array = _newest.run(sample - 1, 1)
	var before: PackedVector2Array = _older.run(sample - 1, 1)
	if heard.is_empty() or before.is_empty():
		return
	var step: Vector2 = heard[0] - before[0]
	var moved: PackedVector2Array = _older.run(sample, mini(FADE, _older_end - sample))
	for i: int in moved.size():
		moved[i] += step * (1.0 - (i + 1) / (FADE + 1.0))
	_older.put(sample, moved)
