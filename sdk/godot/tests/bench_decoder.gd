# SPDX-License-Identifier: Apache-2.0
extends SceneTree
## What a second of audio costs, in chunks of 80 ms as the service sends them:
## `godot --headless --audio-driver Dummy --path sdk/godot --script res://tests/bench_decoder.gd`.

const Decoder := preload("res://addons/segue/core/audio/decoder.gd")
const Ladder := preload("res://addons/segue/core/audio/ladder.gd")
const Native := preload("res://addons/segue/core/audio/native.gd")
const Recording := preload("res://addons/segue/core/audio/recording.gd")

const CHUNK: int = 3840
const NAMES: Dictionary = {Decoder.S16: "S16", Decoder.F32: "F32", Decoder.QOA: "QOA"}


func _initialize() -> void:
	print("engine's decoders: %s, delay %d samples, mix rate %d Hz" % _engine())
	for encoding: int in NAMES:
		var payload: PackedByteArray = _payload(encoding)
		var native: PackedVector2Array = Decoder.to_frames(encoding, payload, CHUNK, 0)
		var loop: PackedVector2Array = Decoder.to_frames_by_loop(encoding, payload, CHUNK, 0)
		var fast: float = _cost_of(encoding, payload, Decoder.to_frames, 10.0)
		var slow: float = _cost_of(encoding, payload, Decoder.to_frames_by_loop, 2.0)
		var words: Array[Variant] = [NAMES[encoding], fast / 1000.0, slow / 1000.0, _difference(native, loop, encoding)]
		print("%s: %.2f ms per second of audio; by loop %.2f ms; they differ by %.5f of a 16-bit step" % words)
	_cost_of_ladder("plays", 0, 0)
	_cost_of_ladder("plays, and a clip sounds", 1, 0)
	_cost_of_ladder("plays, and a late take is faded in every second", 0, 1)
	quit()


func _engine() -> Array[Variant]:
	return [Native.works(), Native.delay(), AudioServer.get_mix_rate()]


## Microseconds per second of audio.
func _cost_of(encoding: int, payload: PackedByteArray, way: Callable, seconds: float) -> float:
	var chunks: int = int(seconds * 48000.0 / CHUNK)
	var begin: int = Time.get_ticks_usec()
	for i: int in chunks:
		way.call(encoding, payload, CHUNK, 0)
	return (Time.get_ticks_usec() - begin) / (chunks * CHUNK / 48000.0)


func _cost_of_ladder(what: String, clips: int, takes: int) -> void:
	var ladder: Ladder = Ladder.new()
	var frames: PackedVector2Array = PackedVector2Array()
	frames.resize(CHUNK)
	var clip: PackedVector2Array = PackedVector2Array()
	clip.resize(480000)
	for i: int in clips:
		ladder.clips.add(Recording.new(clip), 0, 0.5)
	var next: int = 0
	var begin: int = Time.get_ticks_usec()
	for second: int in 10:
		next = maxi(0, second * 48000 - 1000) if takes > 0 else next
		while next < (second + 2) * 48000:
			ladder.put(next, frames, second * takes)
			next += CHUNK
		for part: int in 100:
			ladder.read(480)
	var cost: float = (Time.get_ticks_usec() - begin) / 1000.0 / 10.0
	print("ladder %s: %.2f ms per second of audio" % [what, cost])


func _difference(a: PackedVector2Array, b: PackedVector2Array, encoding: int) -> float:
	var scale: float = 32767.0 if encoding != Decoder.F32 and Native.works() else 32768.0
	var worst: float = 0.0
	for i: int in a.size():
		worst = maxf(worst, absf(a[i].x * scale - b[i].x * 32768.0))
	return worst


func _payload(encoding: int) -> PackedByteArray:
	var dice: RandomNumberGenerator = RandomNumberGenerator.new()
	dice.seed = 1
	var data: PackedByteArray = PackedByteArray()
	if encoding != Decoder.QOA:
		data.resize(CHUNK * (4 if encoding == Decoder.S16 else 8))
		for i: int in 2 * CHUNK:
			var value: int = dice.randi_range(-32768, 32767)
			if encoding == Decoder.S16:
				data.encode_s16(2 * i, value)
			else:
				data.encode_float(4 * i, value / 32768.0)
		return data
	for frame: int in 12:
		data.append_array(PackedByteArray([2, 0, 0xbb, 0x80, 1, 0x40, 1, 0x28]))
		for i: int in 288:
			data.append(dice.randi() & 0x5f)
	return data
