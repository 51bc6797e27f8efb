# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## Payloads to samples: the vectors, natively and by loop, and from several threads.

const Decoder := preload("res://addons/segue/core/audio/decoder.gd")
const Native := preload("res://addons/segue/core/audio/native.gd")

# Of floats of 32 bits whose value is about 1, in 16-bit steps.
const ROUNDING: float = 0.004


func test_vectors_natively() -> void:
	if not _is_native():
		return
	_check_vectors(Decoder.to_frames, 32767.0)


func test_vectors_by_loop() -> void:
	_check_vectors(Decoder.to_frames_by_loop, 32768.0)


func test_what_is_malformed_gives_null() -> void:
	for chunk: Dictionary in vectors("chunks.json").get("refused", []):
		for way: Callable in [Decoder.to_frames, Decoder.to_frames_by_loop] as Array[Callable]:
			eq(_decode(way, chunk), null, chunk["case"])
	eq(Decoder.to_frames(Decoder.OPUS, PackedByteArray([0, 0]), 0, 0), null, "Opus")
	eq(Decoder.to_frames(Decoder.S16, PackedByteArray(), 1 << 40, 0), null, "a count beyond all measure")


func test_garbage_is_survived() -> void:
	var qoa: PackedByteArray = _noise_of_qoa(6)
	var dice: RandomNumberGenerator = RandomNumberGenerator.new()
	dice.seed = 3
	var taken: int = 0
	for round: int in 1000:
		var torn: PackedByteArray = qoa.duplicate()
		if round % 4 == 0:
			torn.resize(dice.randi_range(0, qoa.size()))
		for change: int in round % 6:
			if not torn.is_empty():
				torn[dice.randi_range(0, torn.size() - 1)] = dice.randi_range(0, 255)
		for encoding: int in 5:
			var got: Variant = Decoder.to_frames(encoding, torn, dice.randi_range(0, 320), 0)
			if got != null:
				taken += 1 if encoding == Decoder.QOA else 0
				ok(got is PackedVector2Array, "neither null nor frames")
	ok(taken > 200 and taken < 900, "%d of 1000 torn payloads are taken: too harsh or too mild a test" % taken)


func test_many_frames_are_as_each_alone() -> void:
	# More than are laid out at once, of which the first and the last are dropped in part.
	var qoa: PackedByteArray = _noise_of_qoa(150)
	var skip: int = 700
	var count: int = 150 * 320 - 1500
	var got: PackedVector2Array = Decoder.to_frames(Decoder.QOA, qoa, count, skip)
	var want: PackedVector2Array = Decoder.to_frames_by_loop(Decoder.QOA, qoa, count, skip)
	eq(got.size(), count, "samples")
	near(_largest_difference(got, want), 0.0, 4e-5, "natively and by loop")


func test_the_delay_is_that_of_an_impulse() -> void:
	if not _is_native():
		return
	var pcm: PackedByteArray = PackedByteArray()
	pcm.resize(4 * 3840)
	pcm.encode_s16(4 * 1000, 20000)
	pcm.encode_s16(4 * 3839 + 2, -32768)
	var frames: PackedVector2Array = Decoder.to_frames(Decoder.S16, pcm, 3840, 0)
	near(frames[1000].x, 20000 / 32767.0, 1e-6, "in its place")
	near(frames[3839].y, -32768 / 32767.0, 1e-6, "the last sample")
	near(frames[999].length() + frames[1001].length(), 0.0, 1e-7, "beside it")
	ok(Native.delay() >= 0 and Native.delay() < 64, "the delay")


func test_playback_speed_is_none_of_its_business() -> void:
	var chunk: Dictionary = vectors("chunks.json")["chunks"][0]
	var usual: Variant = _decode(Decoder.to_frames, chunk)
	AudioServer.playback_speed_scale = 1.37
	var sped: Variant = _decode(Decoder.to_frames, chunk)
	AudioServer.playback_speed_scale = 1.0
	eq(sped, usual, "the game's audio runs faster")


func test_threads_decode_at_once() -> void:
	var qoa: PackedByteArray = _noise_of_qoa(12)
	var want: PackedVector2Array = Decoder.to_frames(Decoder.QOA, qoa, 3840, 0)
	var threads: Array[Thread] = []
	for i: int in 4:
		var thread: Thread = Thread.new()
		thread.start(_decode_often.bind(qoa, want))
		threads.append(thread)
	for i: int in 20:
		await tree.process_frame
	for thread: Thread in threads:
		eq(thread.wait_to_finish(), 50, "right in a thread")


func test_best_encoding() -> void:
	eq(Decoder.best_encoding(), Decoder.QOA if Native.works() else Decoder.F32)


## An engine that has mix_audio has to pass its trial.
func _is_native() -> bool:
	if not ClassDB.class_has_method(&"AudioStreamPlayback", &"mix_audio"):
		skip("Godot before 4.4 has no mix_audio")
		return false
	return ok(Native.works(), "the engine's decoders failed their trial")


func _decode_often(qoa: PackedByteArray, want: PackedVector2Array) -> int:
	var right: int = 0
	for i: int in 50:
		right += 1 if Decoder.to_frames(Decoder.QOA, qoa, 3840, 0) == want else 0
	return right


func _check_vectors(way: Callable, scale: float) -> void:
	var worst: float = 0.0
	for chunk: Dictionary in vectors("chunks.json").get("chunks", []):
		var case: String = chunk["case"]
		var got: Variant = _decode(way, chunk)
		var want: PackedByteArray = (chunk["pcm_hex"] as String).hex_decode()
		if not ok(got is PackedVector2Array, "%s: refused" % case):
			continue
		var frames: PackedVector2Array = got
		eq(frames.size(), int(chunk["sample_count"]), case)
		for i: int in frames.size():
			for side: int in 2:
				if chunk["pcm_is"] == "f32":
					eq(frames[i][side], want.decode_float(8 * i + 4 * side), case)
				else:
					worst = maxf(worst, absf(frames[i][side] * scale - want.decode_s16(4 * i + 2 * side)))
	near(worst, 0.0, ROUNDING, "largest difference, in steps of 16 bits")


func _decode(way: Callable, chunk: Dictionary) -> Variant:
	var payload: PackedByteArray = (chunk["payload_hex"] as String).hex_decode()
	return way.call(int(chunk["encoding"]), payload, int(chunk["sample_count"]), int(chunk["skip_samples"]))


## Frames of 320 samples, as the service sends them; what they hold differs.
static func _noise_of_qoa(number: int) -> PackedByteArray:
	var dice: RandomNumberGenerator = RandomNumberGenerator.new()
	dice.seed = number
	var data: PackedByteArray = PackedByteArray()
	for i: int in number:
		var frame: PackedByteArray = PackedByteArray([2, 0, 0xbb, 0x80, 1, 0x40, 1, 0x28])
		for word: int in (296 - 8) / 4:
			frame.append_array(PackedByteArray([dice.randi() & 0x5f, dice.randi() & 255, dice.randi() & 255, 0]))
		data.append_array(frame)
	return data


static func _largest_difference(a: PackedVector2Array, b: PackedVector2Array) -> float:
	var worst: float = 0.0
	for i: int in mini(a.size(), b.size()):
		worst = maxf(worst, maxf(absf(a[i].x - b[i].x), absf(a[i].y - b[i].y)))
	return worst
