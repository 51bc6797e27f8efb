# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## PCM out of a WAV file: 16 or 24 bits or 32-bit floats, mono or stereo; anything else is refused with a sentence.

const Decoder := preload("res://addons/segue/core/audio/decoder.gd")
const Native := preload("res://addons/segue/core/audio/native.gd")

const _PCM: int = 1
const _FLOAT: int = 3
const _EXTENSIBLE: int = 0xfffe

## What is wrong with the file; "" if nothing is.
var error: String = ""
## Samples a second and channel.
var rate: int = 0

var _channels: int = 0
var _bits: int = 0
var _is_float: bool = false
var _data: PackedByteArray = PackedByteArray()


func _init(file: PackedByteArray) -> void:
	if file.size() < 12 or _text(file, 0) != "RIFF" or _text(file, 8) != "WAVE":
		error = "expected a WAV file"
		return
	var at: int = 12
	while at + 8 <= file.size():
		var kind: String = _text(file, at)
		var size: int = file.decode_u32(at + 4)
		at += 8
		if kind == "fmt " and size >= 16 and at + 16 <= file.size():
			_take_format(file, at, size)
			if not error.is_empty():
				return
		elif kind == "data":
			if _channels == 0:
				error = "expected its format before its samples"
				return
			# A file that is still being written, or was cut, says more than it holds.
			var held: int = mini(size, file.size() - at)
			_data = file.slice(at, at + held - held % _frame_bytes())
			return
		at += size + (size & 1)
	error = 'expected a chunk "data"'


## Samples of a channel.
func samples() -> int:
	@warning_ignore("integer_division")
	return _data.size() / _frame_bytes()


## All of it at 48 kHz; mono goes to both sides. Another rate needs the engine's resampler (Native.works).
func frames() -> PackedVector2Array:
	var pcm: PackedByteArray = _data
	if _is_float and rate == Native.SAMPLE_RATE:
		return Decoder.f32(_stereo(pcm))
	if _is_float or _bits == 24:
		pcm = _to_16_bits()
	if Native.works():
		return Native.pcm16(pcm, _channels == 2, rate)
	return Decoder.pcm16_by_loop(pcm if _channels == 2 else _doubled(pcm, 2))


func _take_format(file: PackedByteArray, at: int, size: int) -> void:
	var format: int = file.decode_u16(at)
	if format == _EXTENSIBLE and size >= 40 and at + 26 <= file.size():
		format = file.decode_u16(at + 24)
	_channels = file.decode_u16(at + 2)
	rate = file.decode_u32(at + 4)
	_bits = file.decode_u16(at + 14)
	_is_float = format == _FLOAT and _bits == 32
	var is_known: bool = _is_float or (format == _PCM and (_bits == 16 or _bits == 24))
	if not is_known or rate < 8000 or rate > 192000 or _channels < 1 or _channels > 2:
		error = (
			"expected PCM of 16 or 24 bits or floats of 32, mono or stereo; got format %d, %d bits, %d Hz, %d channels"
			% [format, _bits, rate, _channels]
		)


func _frame_bytes() -> int:
	@warning_ignore("integer_division")
	return maxi(1, _channels * _bits / 8)


func _stereo(pcm: PackedByteArray) -> PackedByteArray:
	return pcm if _channels == 2 else _doubled(pcm, 4)


## Sample by sample: not for the thread that plays.
func _to_16_bits() -> PackedByteArray:
	@warning_ignore("integer_division")
	var count: int = _data.size() / (_bits / 8)
	var pcm: PackedByteArray = PackedByteArray()
	pcm.resize(2 * count)
	for i: int in count:
		if _is_float:
			pcm.encode_s16(2 * i, clampi(roundi(_data.decode_float(4 * i) * 32767.0), -32768, 32767))
		else:
			pcm.encode_s16(2 * i, _data.decode_s16(3 * i + 1))
	return pcm


static func _doubled(mono: PackedByteArray, size: int) -> PackedByteArray:
	var both: PackedByteArray = PackedByteArray()
	for at: int in range(0, mono.size(), size):
		var sample: PackedByteArray = mono.slice(at, at + size)
		both.append_array(sample)
		both.append_array(sample)
	return both


static func _text(file: PackedByteArray, at: int) -> String:
	return file.slice(at, at + 4).get_string_from_ascii()
