# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Stretches of frames by their place on the timeline, in order; none overlaps another. They are kept, not copied: what
## is put in is not to be changed afterwards.

var _firsts: Array[int] = []
var _pieces: Array[PackedVector2Array] = []


## Stretches that are held.
func size() -> int:
	return _firsts.size()


## Forgets everything.
func clear() -> void:
	_firsts.clear()
	_pieces.clear()


## Frames from `first` on, in place of what was there.
func put(first: int, frames: PackedVector2Array) -> void:
	if frames.is_empty():
		return
	cut(first, first + frames.size())
	var at: int = _firsts.bsearch(first)
	_firsts.insert(at, first)
	_pieces.insert(at, frames)


## Takes out what lies in [from, to).
func cut(from: int, to: int) -> void:
	var at: int = _holding(from) if from < to else _firsts.size()
	while at < _firsts.size() and _firsts[at] < to:
		var first: int = _firsts[at]
		var piece: PackedVector2Array = _pieces[at]
		_firsts.remove_at(at)
		_pieces.remove_at(at)
		if first < from:
			_firsts.insert(at, first)
			_pieces.insert(at, piece.slice(0, from - first))
			at += 1
		if first + piece.size() > to:
			_firsts.insert(at, to)
			_pieces.insert(at, piece.slice(to - first))
			at += 1


## Forgets stretches that end before `sample`.
func drop_before(sample: int) -> void:
	while not _firsts.is_empty() and _firsts[0] + _pieces[0].size() <= sample:
		_firsts.remove_at(0)
		_pieces.remove_at(0)


## A copy of what is there from `first` on without a gap, at most `count` frames.
func run(first: int, count: int) -> PackedVector2Array:
	var found: PackedVector2Array = PackedVector2Array()
	var at: int = _holding(first)
	while count > 0 and at < _firsts.size() and _firsts[at] <= first:
		var piece: PackedVector2Array = _pieces[at]
		var begin: int = first - _firsts[at]
		var part: PackedVector2Array = piece.slice(begin, mini(piece.size(), begin + count))
		if found.is_empty():
			found = part
		else:
			found.append_array(part)
		first += part.size()
		count -= part.size()
		at += 1
	return found


## The first stretch that ends behind `sample`.
func _holding(sample: int) -> int:
	var at: int = _firsts.bsearch(sample, false) - 1
	if at < 0 or _firsts[at] + _pieces[at].size() <= sample:
		at += 1
	return at
