# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Payloads of the wire to frames. Any thread; nothing is kept between chunks.
##
## Where the engine lends its decoders (Godot 4.4 and newer), QOA and S16 pass through them. F32 needs none: it is laid
## out as the engine's own arrays are. Else a loop over samples is the last resort, and F32 what to ask the server for.

const Native := preload("res://addons/segue/core/audio/native.gd")
const Qoa := preload("res://addons/segue/core/audio/qoa.gd")

## The numbers of AudioEncoding on the wire. UNSPECIFIED is the server's choice, S16; OPUS is refused.
const UNSPECIFIED: int = 0
const S16: int = 1
const F32: int = 2
const OPUS: int = 3
const QOA: int = 4

## Longest chunk that is taken, and most that is dropped of one: 10 s.
const MOST_SAMPLES: int = 480000

const _VECTORS: int = TYPE_PACKED_VECTOR2_ARRAY


## `sample_count` samples of a chunk after `skip` that are dropped: a PackedVector2Array, or null if it is malformed.
static func to_frames(encoding: int, payload: PackedByteArray, sample_count: int, skip: int) -> Variant:
	return _decoded(encoding, payload, sample_count, skip, Native.works())


## The same without the engine's decoders. F32 is as fast; S16 takes about 3 ms per second of audio, QOA 50.
static func to_frames_by_loop(encoding: int, payload: PackedByteArray, sample_count: int, skip: int) -> Variant:
	return _decoded(encoding, payload, sample_count, skip, false)


## What to ask the server for: the smallest encoding that costs this engine little.
static func best_encoding() -> int:
	return QOA if Native.works() else F32


static func _decoded(encoding: int, payload: PackedByteArray, count: int, skip: int, natively: bool) -> Variant:
	if count < 0 or count > MOST_SAMPLES or skip < 0 or skip > MOST_SAMPLES:
		return null
	if encoding == QOA:
		return _qoa(payload, count, skip, natively)
	if encoding == F32:
		return _f32(payload, count, skip)
	if encoding != S16 and encoding != UNSPECIFIED:
		return null
	@warning_ignore("integer_division")
	if payload.size() % 4 != 0 or payload.size() / 4 < skip + count:
		return null
	var pcm: PackedByteArray = payload.slice(4 * skip, 4 * (skip + count))
	return Native.pcm16(pcm) if natively else pcm16_by_loop(pcm)


## 16-bit little-endian stereo, sample by sample.
static func pcm16_by_loop(bytes: PackedByteArray) -> PackedVector2Array:
	var pairs: PackedInt32Array = bytes.to_int32_array()
	var found: PackedVector2Array = PackedVector2Array()
	found.resize(pairs.size())
	for i: int in pairs.size():
		var pair: int = pairs[i]
		found[i] = Vector2((((pair & 0xffff) ^ 0x8000) - 0x8000) / 32768.0, (pair >> 16) / 32768.0)
	return found


## 32-bit little-endian floats, stereo: the bytes of the engine's own arrays.
static func f32(bytes: PackedByteArray) -> PackedVector2Array:
	var laid_out: PackedByteArray = PackedByteArray()
	laid_out.resize(8)
	laid_out.encode_u32(0, _VECTORS)
	@warning_ignore("integer_division")
	laid_out.encode_u32(4, bytes.size() / 8)
	laid_out.append_array(bytes)
	return bytes_to_var(laid_out)


static func _f32(payload: PackedByteArray, count: int, skip: int) -> Variant:
	@warning_ignore("integer_division")
	if payload.size() % 8 != 0 or payload.size() / 8 < skip + count:
		return null
	return f32(payload.slice(8 * skip, 8 * (skip + count)))


static func _qoa(payload: PackedByteArray, count: int, skip: int, natively: bool) -> Variant:
	var frames: PackedInt32Array = Qoa.frames_in(payload)
	var held: int = 0
	for i: int in range(1, frames.size(), 2):
		held += frames[i]
	if frames.is_empty() != payload.is_empty() or held < skip + count:
		return null
	if natively:
		return Native.qoa(payload, frames, skip, count)
	var found: PackedVector2Array = PackedVector2Array()
	for i: int in range(0, frames.size(), 2):
		found.append_array(Qoa.decode(payload, frames[i], frames[i + 1]))
	return found.slice(skip, skip + count)
