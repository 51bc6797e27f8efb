# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## A generator that is drained by the test, which keeps every frame.

var frames: PackedVector2Array = PackedVector2Array()
var _waiting: int = 0
var _skips: int = 0


func get_frames_available() -> int:
	return 8191 - _waiting


func get_skips() -> int:
	return _skips


func push_buffer(of: PackedVector2Array) -> bool:
	if of.size() > get_frames_available():
		return false
	_waiting += of.size()
	frames.append_array(of)
	return true


## The sound card takes frames.
func drain(count: int) -> void:
	_skips += 1 if count > _waiting else 0
	_waiting = maxi(0, _waiting - count)


## The loudest frame's left, from `first` on.
func loudest(first: int = 0) -> float:
	var found: float = 0.0
	for i: int in range(first, frames.size()):
		found = maxf(found, absf(frames[i].x))
	return found


## The largest step from one frame to the next.
func largest_step() -> float:
	var found: float = 0.0
	for i: int in range(1, frames.size()):
		found = maxf(found, absf(frames[i].x - frames[i - 1].x))
	return found
