# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## gRPC-Web's frames out of bytes that come in any pieces: a byte of flags, a length of 4 bytes, the payload.

## Flag of a frame that holds the trailers.
const TRAILERS: int = 0x80
## Largest frame that is taken: 16 MiB.
const MOST_BYTES: int = 16 << 20

const HEAD: int = 5

## Flags of the frame that `next` found.
var flags: int = 0
## Payload of the frame that `next` found.
var payload: PackedByteArray = PackedByteArray()
## What is wrong with the bytes; "" if nothing is. It stays so.
var error: String = ""
## Whether bytes of a frame are there whose end is not.
var is_within_frame: bool:
	get:
		return _begin < _data.size()

var _data: PackedByteArray = PackedByteArray()
var _begin: int = 0


## Takes in the next bytes.
func push(bytes: PackedByteArray) -> void:
	if _begin >= _data.size():
		_data = bytes
	else:
		if _begin > 0:
			_data = _data.slice(_begin)
		_data.append_array(bytes)
	_begin = 0


## Whether there is a whole frame; `flags` and `payload` are its parts then.
func next() -> bool:
	if not error.is_empty() or _data.size() - _begin < HEAD:
		return false
	flags = _data[_begin]
	if flags != 0 and flags != TRAILERS:
		error = "a frame with flags 0x%02x; compression was not asked for" % flags
		return false
	var length: int = _data[_begin + 1] << 24 | _data[_begin + 2] << 16 | _data[_begin + 3] << 8 | _data[_begin + 4]
	if length > MOST_BYTES:
		error = "a frame of %d bytes, expected at most %d" % [length, MOST_BYTES]
		return false
	var end: int = _begin + HEAD + length
	if end > _data.size():
		return false
	payload = _data.slice(_begin + HEAD, end)
	_begin = end
	return true


## A message as a frame.
static func frame(message: PackedByteArray) -> PackedByteArray:
	var framed: PackedByteArray = PackedByteArray([0])
	for shift: int in [24, 16, 8, 0]:
		framed.append(message.size() >> shift & 0xff)
	framed.append_array(message)
	return framed
