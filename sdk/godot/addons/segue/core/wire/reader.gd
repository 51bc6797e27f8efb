# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Reads protobuf's parts out of bytes. What is not there or can't be sets `is_bad` and gives 0; nothing is allocated by
## a length that the bytes only claim.

const Utf8 := preload("res://addons/segue/core/wire/utf8.gd")

const MOST_GROUPS: int = 32

## Whether something was malformed. It stays so.
var is_bad: bool = false
## Where the next part begins.
var at: int = 0

var _data: PackedByteArray


func _init(data: PackedByteArray) -> void:
	_data = data


## An integer of up to ten bytes that ends before `end`; of 64 bits, as signed.
func varint(end: int) -> int:
	var value: int = 0
	var shift: int = 0
	while at < end and shift < 70:
		var part: int = _data[at]
		at += 1
		if shift == 63 and part > 1:
			break
		value |= (part & 0x7f) << shift
		if part < 0x80:
			return value
		shift += 7
	is_bad = true
	return 0


## The end of the length-delimited part that begins here; `at` itself, and bad, if it would lie beyond `end`.
func stretch(end: int) -> int:
	var length: int = varint(end)
	if length < 0 or length > end - at:
		is_bad = true
		return at
	return at + length


func int32(end: int) -> int:
	var value: int = varint(end) & 0xffffffff
	return value - 0x100000000 if value >= 0x80000000 else value


func float32(end: int) -> float:
	if not _has(4, end):
		return 0.0
	at += 4
	return _data.decode_float(at - 4)


func float64(end: int) -> float:
	if not _has(8, end):
		return 0.0
	at += 8
	return _data.decode_double(at - 8)


func string(end: int) -> String:
	var found: Variant = Utf8.text(bytes(end))
	if found == null:
		is_bad = true
		return ""
	return found


func bytes(end: int) -> PackedByteArray:
	var stop: int = stretch(end)
	var begin: int = at
	at = stop
	return _data.slice(begin, stop) if stop > begin else PackedByteArray()


## Passes over a field that is not known.
func skip(tag: int, end: int, depth: int = 0) -> void:
	match tag & 7:
		0:
			varint(end)
		1:
			at += 8 if _has(8, end) else 0
		2:
			at = stretch(end)
		5:
			at += 4 if _has(4, end) else 0
		3:
			_skip_group(tag, end, depth)
		_:
			is_bad = true


## The next field's number · 8 + wire type; 0, and bad, if there can be no such field.
func next_tag(end: int) -> int:
	var found: int = varint(end)
	if found < 8 or found > 0xffffffff:
		is_bad = true
		return 0
	return found


func _skip_group(open: int, end: int, depth: int) -> void:
	if depth >= MOST_GROUPS:
		is_bad = true
		return
	while not is_bad:
		if at >= end:
			is_bad = true
			return
		var inner: int = next_tag(end)
		if inner == open + 1:
			return
		skip(inner, end, depth + 1)


func _has(count: int, end: int) -> bool:
	if end - at >= count:
		return true
	is_bad = true
	return false
