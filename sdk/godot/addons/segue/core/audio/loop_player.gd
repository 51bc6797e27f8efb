# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## A baked loop, for when the stream has run dry; another one is faded in over half a second. One thread's.

const Recording := preload("res://addons/segue/core/audio/recording.gd")

const _CHANGE: int = 24000

## The loop to play when it is needed; null for none.
var loop: Recording = null

var _now: Recording = null
var _before: Recording = null
var _now_at: int = 0
var _before_at: int = 0
var _changed: int = _CHANGE


## Begins at the loop's beginning, as nothing of it sounds now.
func restart() -> void:
	_now = loop
	_now_at = loop.loop_start if loop != null else 0
	_before = null
	_changed = _CHANGE


## The next frames. One that is to be there no longer goes on: whoever reads fades it out.
func read(count: int) -> PackedVector2Array:
	if loop != _now and loop != null and _before == null:
		_before = _now
		_before_at = _now_at
		_now = loop
		_now_at = loop.loop_start
		_changed = _CHANGE if _before == null else 0
	var found: PackedVector2Array = _run(_now, _now_at, count)
	_now_at = _moved(_now, _now_at, count)
	if _before == null:
		return found
	var fading: int = mini(count, _CHANGE - _changed)
	var old: PackedVector2Array = _run(_before, _before_at, fading)
	_before_at = _moved(_before, _before_at, fading)
	for i: int in fading:
		var mix: float = (_changed + i) / float(_CHANGE)
		found[i] = found[i] * mix + old[i] * (1.0 - mix)
	_changed += fading
	if _changed >= _CHANGE:
		_before = null
	return found


static func _run(of: Recording, at: int, count: int) -> PackedVector2Array:
	var found: PackedVector2Array = PackedVector2Array()
	while of != null and of.loop_end > of.loop_start and found.size() < count:
		found.append_array(of.frames.slice(at, mini(of.loop_end, at + count - found.size())))
		at = of.loop_start
	found.resize(count)
	return found


static func _moved(of: Recording, at: int, count: int) -> int:
	if of == null or of.loop_end <= of.loop_start:
		return at
	return of.loop_start + (at - of.loop_start + count) % (of.loop_end - of.loop_start)
