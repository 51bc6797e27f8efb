# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## What a listener keeps so that the music can go on when its server is gone, or from a saved game: the continuation
## bytes of the last 20 s, some 12 KB, and the newest resume point. No I/O; any thread.

const KEPT: int = 20 * 48000

## Whether there is a resume point to go on from.
var is_ready: bool:
	get:
		_lock.lock()
		var found: bool = not _point.is_empty()
		_lock.unlock()
		return found

var _lock: Mutex = Mutex.new()
var _begins: PackedInt64Array = PackedInt64Array()
var _ends: PackedInt64Array = PackedInt64Array()
var _pieces: Array[PackedByteArray] = []
var _point: Dictionary = {}
var _take: int = 0


## An AudioChunk has arrived; what it replaces is dropped.
func chunk(fields: Dictionary) -> void:
	var data: PackedByteArray = fields.get("continuation", PackedByteArray())
	var first: int = fields.get("first_sample", 0)
	_lock.lock()
	_take = maxi(_take, fields.get("take", 0))
	if not data.is_empty():
		_keep(first, first + int(fields.get("sample_count", 0)), data)
	_lock.unlock()


## A ResumePoint has arrived.
func point(fields: Dictionary) -> void:
	_lock.lock()
	_point = fields
	_lock.unlock()


## Fields of the ResumeRequest that goes on at `next_sample`, or at the take that was about to come: with the session's
## token as the same session, without as another. Only if `is_ready`.
func resume(next_sample: int, session_token: String = "") -> Dictionary:
	var continuation: Array[PackedByteArray] = []
	_lock.lock()
	if int(_point.get("take", 0)) > _take:
		next_sample = mini(next_sample, _point.get("sample", 0))
	for i: int in _pieces.size():
		if _begins[i] < next_sample:
			continuation.append(_pieces[i])
	var token: PackedByteArray = _point.get("token", PackedByteArray())
	_lock.unlock()
	return {"token": token, "continuation": continuation, "from_sample": next_sample, "session_token": session_token}


func _keep(first: int, end: int, data: PackedByteArray) -> void:
	while not _pieces.is_empty() and _begins[-1] >= first:
		_cut(0, _pieces.size() - 1)
	_begins.append(first)
	_ends.append(end)
	_pieces.append(data)
	var old: int = 0
	while _ends[old] < end - KEPT:
		old += 1
	if old > 0:
		_cut(old, _pieces.size())


func _cut(from: int, to: int) -> void:
	_begins = _begins.slice(from, to)
	_ends = _ends.slice(from, to)
	_pieces = _pieces.slice(from, to)
