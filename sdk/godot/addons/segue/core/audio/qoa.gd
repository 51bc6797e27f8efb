# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## QOA frames (qoaformat.org, version 1.0), each of which stands alone.
##
## A frame is a header of 8 bytes, per channel a predictor's state (4 samples and 4 weights), then slices of 8 bytes,
## channels taking turns: a scale of 4 bits and 20 codes of 3. Everything is big-endian.

## Samples that the longest frame has: 256 slices.
const MOST_SAMPLES: int = 5120
## Bytes of a stereo frame of MOST_SAMPLES.
const MOST_BYTES: int = HEADER + 2 * (STATE + 8 * 256)
const HEADER: int = 8
const STATE: int = 16
const SLICE: int = 20

const _SCALES: Array[int] = [1, 7, 21, 45, 84, 138, 211, 304, 421, 562, 731, 928, 1157, 1419, 1715, 2048]
const _STEPS: Array[float] = [0.75, -0.75, 2.5, -2.5, 4.5, -4.5, 7.0, -7.0]

static var _residuals: PackedInt32Array = _make_residuals()


## Where the frames of a payload begin, and how many samples each has: offset, samples, offset, samples, …
## Empty if they are not whole stereo frames.
static func frames_in(data: PackedByteArray) -> PackedInt32Array:
	var found: PackedInt32Array = PackedInt32Array()
	var at: int = 0
	while at < data.size():
		if data.size() - at < HEADER:
			return PackedInt32Array()
		var count: int = (data[at + 4] << 8) | data[at + 5]
		var size: int = size_of(count)
		var is_right: bool = data[at] == 2 and count > 0 and count <= MOST_SAMPLES
		if not is_right or ((data[at + 6] << 8) | data[at + 7]) != size or at + size > data.size():
			return PackedInt32Array()
		found.append(at)
		found.append(count)
		at += size
	return found


## Bytes of a stereo frame of so many samples.
static func size_of(count: int) -> int:
	@warning_ignore("integer_division")
	return HEADER + 2 * (STATE + 8 * ((count + SLICE - 1) / SLICE))


## Decodes one frame, sample by sample: where the engine can't. About 20 times slower than it.
static func decode(data: PackedByteArray, begin: int, count: int) -> PackedVector2Array:
	var found: PackedVector2Array = PackedVector2Array()
	found.resize(count)
	_decode_channel(data, begin, 0, found)
	_decode_channel(data, begin, 1, found)
	return found


static func _decode_channel(data: PackedByteArray, begin: int, channel: int, into: PackedVector2Array) -> void:
	var state: int = begin + HEADER + channel * STATE
	var s: PackedInt32Array = PackedInt32Array()
	var w: PackedInt32Array = PackedInt32Array()
	for tap: int in 4:
		s.append(_int16(data, state + 2 * tap))
		w.append(_int16(data, state + 8 + 2 * tap))
	var at: int = begin + HEADER + 2 * STATE + 8 * channel
	var n: int = 0
	var count: int = into.size()
	while n < count:
		var high: int = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3]
		var word: int = (high << 32) | (data[at + 4] << 24) | (data[at + 5] << 16) | (data[at + 6] << 8) | data[at + 7]
		var scale: int = (data[at] >> 4) * 8
		var shift: int = 57
		while shift >= 0 and n < count:
			var residual: int = _residuals[scale + ((word >> shift) & 7)]
			var predicted: int = w[0] * s[0] + w[1] * s[1] + w[2] * s[2] + w[3] * s[3]
			# 32 bits, as in C.
			predicted = ((predicted & 0xffffffff) ^ 0x80000000) - 0x80000000
			var sample: int = clampi((predicted >> 13) + residual, -32768, 32767)
			var delta: int = residual >> 4
			for tap: int in 4:
				w[tap] += -delta if s[tap] < 0 else delta
			s[0] = s[1]
			s[1] = s[2]
			s[2] = s[3]
			s[3] = sample
			if channel == 0:
				into[n].x = sample / 32768.0
			else:
				into[n].y = sample / 32768.0
			n += 1
			shift -= 3
		at += 16


static func _int16(data: PackedByteArray, at: int) -> int:
	return (((data[at] << 8) | data[at + 1]) ^ 0x8000) - 0x8000


static func _make_residuals() -> PackedInt32Array:
	var table: PackedInt32Array = PackedInt32Array()
	for scale: int in _SCALES:
		for step: float in _STEPS:
			# Halves are rounded away from zero.
			table.append(int(signf(step) * floorf(scale * absf(step) + 0.5)))
	return table
