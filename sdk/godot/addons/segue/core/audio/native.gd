# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## The engine's own decoders, asked for samples outside of any player. Any thread.
##
## AudioStreamPlayback.mix_audio (Godot 4.4) gives what a stream sounds like without a loop over samples in a script.
## It passes the engine's resampler: what comes out is delayed by a few samples, which differ between versions of the
## engine, and a stream's last ones may be missing. So the delay is measured once, streams are padded or looped, and the
## rate is set so that 48 kHz stay 48 kHz, at whatever the sound card runs. Integers come out divided by 32767, not
## 32768: 0.0003 dB louder.

const Qoa := preload("res://addons/segue/core/audio/qoa.gd")

const SAMPLE_RATE: int = 48000

const _UNKNOWN: int = -2
const _NONE: int = -1
const _PAD: int = 160
# Frames of QOA that are laid out at once: 265 KB.
const _BATCH: int = 64
# A resampler cuts its step to an integer; a hair above 1 it is always the right one.
const _HAIR: float = 1.000004

static var _mutex: Mutex = Mutex.new()
static var _delay: int = _UNKNOWN


## Whether the engine can do it. The first call tries: under a millisecond.
static func works() -> bool:
	if _delay == _UNKNOWN:
		_mutex.lock()
		if _delay == _UNKNOWN:
			_delay = _measure()
		_mutex.unlock()
	return _delay != _NONE


## Samples by which the engine's resampler delays; -1 if `works` is false.
static func delay() -> int:
	return _delay if works() else _NONE


## 16-bit little-endian PCM to frames. Mono goes to both sides. Only if `works`.
static func pcm16(bytes: PackedByteArray, is_stereo: bool = true, rate: int = SAMPLE_RATE) -> PackedVector2Array:
	return _pcm16(bytes, is_stereo, rate, delay())


static func _pcm16(bytes: PackedByteArray, is_stereo: bool, rate: int, late: int) -> PackedVector2Array:
	var size: int = 4 if is_stereo else 2
	@warning_ignore("integer_division")
	var held: int = bytes.size() / size
	@warning_ignore("integer_division")
	var count: int = held * SAMPLE_RATE / rate
	var padded: PackedByteArray = bytes.duplicate()
	@warning_ignore("integer_division")
	padded.resize((held + _PAD + late * (1 + rate / SAMPLE_RATE)) * size)
	var made: AudioStreamWAV = _wav(padded, AudioStreamWAV.FORMAT_16_BITS, is_stereo, rate)
	return _mix(made.instantiate_playback(), 0.0, count, late)


## Samples skip … skip + count of a payload of QOA frames. `frames`: of Qoa.frames_in. Only if `works`.
static func qoa(data: PackedByteArray, frames: PackedInt32Array, skip: int, count: int) -> PackedVector2Array:
	return _qoa(data, frames, skip, count, delay())


static func _qoa(
	data: PackedByteArray, frames: PackedInt32Array, skip: int, count: int, late: int
) -> PackedVector2Array:
	var found: PackedVector2Array = PackedVector2Array()
	var wanted: PackedInt32Array = PackedInt32Array()
	var before: int = 0
	var dropped: int = 0
	for i: int in range(0, frames.size(), 2):
		var held: int = frames[i + 1]
		if before + held <= skip:
			dropped += held
		elif before < skip + count:
			wanted.append_array(frames.slice(i, i + 2))
		before += held
	for i: int in range(0, wanted.size(), 2 * _BATCH):
		_qoa_batch(data, wanted.slice(i, i + 2 * _BATCH), late, found)
	if found.size() == count and skip == dropped:
		return found
	return found.slice(skip - dropped, skip - dropped + count)


## The engine takes it for granted that every frame but the last is of the longest kind: each gets that much room.
static func _qoa_batch(data: PackedByteArray, frames: PackedInt32Array, late: int, into: PackedVector2Array) -> void:
	@warning_ignore("integer_division")
	var number: int = frames.size() / 2
	var total: int = number * Qoa.MOST_SAMPLES
	var file: PackedByteArray = "qoaf".to_ascii_buffer()
	for shift: int in [24, 16, 8, 0] as Array[int]:
		file.append((total >> shift) & 0xff)
	for i: int in number:
		file.append_array(data.slice(frames[2 * i], frames[2 * i] + Qoa.size_of(frames[2 * i + 1])))
		file.resize(Qoa.HEADER + (i + 1) * Qoa.MOST_BYTES)
	var made: AudioStreamWAV = _wav(file, AudioStreamWAV.FORMAT_QOA, true, SAMPLE_RATE)
	var playback: AudioStreamPlayback = made.instantiate_playback()
	for i: int in number:
		# Half a sample further: a time that is rounded down is still that sample's.
		var from: float = (i * Qoa.MOST_SAMPLES + 0.5) / SAMPLE_RATE
		into.append_array(_mix(playback, from, frames[2 * i + 1], late))


## The first `count` samples, at 48 kHz, of a stream that nothing else uses: it is set to loop. Only if `works`.
static func stream(source: AudioStream, count: int) -> PackedVector2Array:
	var wav: AudioStreamWAV = source as AudioStreamWAV
	if wav != null:
		# What it loops to is not heard; it only keeps the end from being cut.
		wav.loop_begin = 0
		wav.loop_end = roundi(wav.get_length() * wav.mix_rate)
		wav.loop_mode = AudioStreamWAV.LOOP_FORWARD
	else:
		source.set(&"loop_offset", 0.0)
		source.set(&"loop", true)
	return _mix(source.instantiate_playback(), 0.0, count, delay())


static func _mix(playback: AudioStreamPlayback, from_s: float, count: int, late: int) -> PackedVector2Array:
	# By name: before Godot 4.4 there is no such method, and scripts that call it don't compile.
	playback.call(&"start", from_s)
	# Streams know their own rate: this is the same for all of them.
	var rate: float = AudioServer.get_mix_rate() / SAMPLE_RATE / AudioServer.playback_speed_scale * _HAIR
	var mixed: PackedVector2Array = playback.call(&"mix_audio", rate, late + count)
	return mixed.slice(late) if late > 0 else mixed


static func _wav(data: PackedByteArray, format: int, is_stereo: bool, rate: int) -> AudioStreamWAV:
	var made: AudioStreamWAV = AudioStreamWAV.new()
	made.format = format as AudioStreamWAV.Format
	made.stereo = is_stereo
	made.mix_rate = rate
	made.data = data
	return made


## What every version of the engine has to show before it is trusted.
static func _measure() -> int:
	if not ClassDB.class_has_method(&"AudioStreamPlayback", &"mix_audio"):
		return _NONE
	var ramp: PackedByteArray = PackedByteArray()
	ramp.resize(4 * 400)
	for i: int in 400:
		ramp.encode_s16(4 * i, 50 * (i + 1))
		ramp.encode_s16(4 * i + 2, -50 * (i + 1))
	var got: PackedVector2Array = _pcm16(ramp, true, SAMPLE_RATE, 0)
	var late: int = 0
	while late < got.size() and got[late].x == 0.0:
		late += 1
	if late > 64:
		return _NONE
	got = _pcm16(ramp, true, SAMPLE_RATE, late)
	if got.size() != 400:
		return _NONE
	for i: int in 400:
		if absf(got[i].x * 32767.0 - 50 * (i + 1)) > 0.1 or absf(got[i].y + got[i].x) > 1e-5:
			return _NONE
	return late if _decodes_qoa(late) else _NONE


static func _decodes_qoa(late: int) -> bool:
	var data: PackedByteArray = PackedByteArray()
	for count: int in [40, 20] as Array[int]:
		var frame: PackedByteArray = PackedByteArray([2, 0, 0xbb, 0x80, 0, count, 0, Qoa.size_of(count)])
		for i: int in Qoa.size_of(count) - Qoa.HEADER:
			# Weights of a decaying predictor, and slices of some noise.
			frame.append((0xe0 if i % 16 == 12 else 0x20 if i % 16 == 14 else 0) if i < 32 else (i * 37 + count) & 0x7f)
		data.append_array(frame)
	var frames: PackedInt32Array = Qoa.frames_in(data)
	var want: PackedVector2Array = Qoa.decode(data, frames[0], 40)
	want.append_array(Qoa.decode(data, frames[2], 20))
	var got: PackedVector2Array = _qoa(data, frames, 0, 60, late)
	if got.size() != want.size():
		return false
	for i: int in want.size():
		if (got[i] * 32767.0 - want[i] * 32768.0).length() > 0.1:
			return false
	return true
