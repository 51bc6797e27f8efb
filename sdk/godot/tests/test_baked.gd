# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## What `segue bake` writes: the manifest, WAV and Ogg, raw and imported. data/tone.ogg: 4,800 samples of a sine of
## 500 Hz, 0.4 loud, the right side turned over.

const BakedFolder := preload("res://addons/segue/core/audio/baked_folder.gd")
const Decoder := preload("res://addons/segue/core/audio/decoder.gd")
const Native := preload("res://addons/segue/core/audio/native.gd")
const Recording := preload("res://addons/segue/core/audio/recording.gd")
const WavFile := preload("res://addons/segue/core/audio/wav_file.gd")

const FOLDER: String = "user://test_baked"
const TONE: String = "res://tests/data/tone.ogg"


func before_each() -> void:
	_remove()
	DirAccess.make_dir_recursive_absolute(FOLDER.path_join("stingers"))
	_write("explore.wav", _wav(48000, 2, 16, 5000))
	_write("combat.ogg", FileAccess.get_file_as_bytes(TONE))
	_write("stingers/hit.wav", _wav(44100, 1, 16, 4410))
	_manifest({})


func after_each() -> void:
	_remove()


func test_loops_and_stingers_are_read() -> void:
	var baked: BakedFolder = BakedFolder.new(FOLDER)
	eq(baked.error, "")
	eq([baked.soundtrack, baked.soundtrack_hash, baked.initial], ["dungeon", "sha256:00", "explore"])
	eq([baked.states(), baked.stingers()], [PackedStringArray(["explore", "combat"]), PackedStringArray(["hit"])])
	var loop: Recording = baked.loop("explore")
	eq([loop.loop_start, loop.loop_end], [100, 4900])
	for i: int in 4900:
		if not near(loop.frames[i].x * 32767.0, i % 1000, 0.6, "sample %d" % i):
			return
	eq(baked.loop("unheard of"), null)
	eq(baked.error, "", "a state without a loop is no fault")
	var hit: Recording = baked.stinger("hit")
	near(hit.gain_db, -3.0, 0.0)
	eq(hit.frames.size(), 4800, "a clip of 44.1 kHz is brought to 48")
	near(hit.frames[400].x * 32767.0, 367.5, 2.5, "at its pace")
	eq(hit.frames[400].x, hit.frames[400].y, "mono goes to both sides")


func test_ogg_is_read_to_the_sample() -> void:
	if not _is_native():
		return
	_check_tone(BakedFolder.new(FOLDER), "raw")


func test_an_imported_file_is_read_where_there_is_no_raw_one() -> void:
	if not _is_native():
		return
	var stream: Resource = AudioStreamOggVorbis.load_from_buffer(FileAccess.get_file_as_bytes(TONE))
	ResourceSaver.save(stream, FOLDER.path_join("made.res"))
	DirAccess.remove_absolute(FOLDER.path_join("combat.ogg"))
	_write(
		"combat.ogg.import",
		(
			(
				'[remap]\n\nimporter="oggvorbisstr"\ntype="AudioStreamOggVorbis"\npath="%s"\n'
				% FOLDER.path_join("made.res")
			)
			. to_utf8_buffer()
		)
	)
	_check_tone(BakedFolder.new(FOLDER), "imported")


func test_it_may_be_read_in_a_thread() -> void:
	var thread: Thread = Thread.new()
	thread.start(_read_in_thread)
	eq(thread.wait_to_finish(), [4900, 4800])


func test_what_is_wrong_is_named() -> void:
	var cases: Dictionary = {
		'"format": 1,': ['"format": 2,', "expected format 1, got 2"],
		'"initial": "explore",': ['"initial": 3,', '"initial"'],
		'"states": {': ['"states": 1, "x": {', '"states"'],
	}
	for was: String in cases:
		_manifest({was: cases[was][0]})
		_says(BakedFolder.new(FOLDER).error, cases[was][1])
	_write("manifest.json", '{"format": 1,\n'.to_utf8_buffer())
	_says(BakedFolder.new(FOLDER).error, "line ")
	_says(BakedFolder.new(FOLDER.path_join("none")).error, "manifest.json")


func test_what_is_wrong_with_a_file_is_named() -> void:
	var cases: Dictionary = {
		"4900": ["5001", "loop_end"],
		'"explore.wav"': ['"../explore.wav"', "within the folder"],
		'"samples": 5000': ['"samples": 6000', "expected 6000 samples, got 5000"],
		'"loop_start": 100': ['"loop_start": "100"', '"loop_start"'],
		"explore.wav": ["explore.flac", "expected the file"],
	}
	for was: String in cases:
		_manifest({was: cases[was][0]})
		var baked: BakedFolder = BakedFolder.new(FOLDER)
		eq(baked.error, "", was)
		eq(baked.loop("explore"), null, was)
		_says(baked.error, cases[was][1])
	_write("combat.ogg", "not Ogg at all".to_utf8_buffer())
	var torn: BakedFolder = BakedFolder.new(FOLDER)
	eq(torn.loop("combat"), null)
	_says(torn.error, "expected an Ogg file" if Native.works() else "--format wav")


func test_wav_files_of_other_kinds() -> void:
	for bits: int in [16, 24, 32] as Array[int]:
		for channels: int in [1, 2] as Array[int]:
			var wav: WavFile = WavFile.new(_wav(48000, channels, bits, 1200))
			eq(wav.error, "", "%d bits" % bits)
			var frames: PackedVector2Array = wav.frames()
			eq(frames.size(), 1200)
			near(frames[999].x * 32768.0, 999.0, 0.1, "%d bits, %d channels" % [bits, channels])
			near(frames[999].y * 32768.0, 999.0 if channels == 1 else -999.0, 0.1, "%d bits" % bits)
	var odd: PackedByteArray = _wav(48000, 2, 16, 100)
	odd.encode_u16(34, 12)
	_says(WavFile.new(odd).error, "12 bits")
	_says(WavFile.new("RIFF".to_ascii_buffer()).error, "a WAV file")


func test_torn_wav_files_are_survived() -> void:
	var dice: RandomNumberGenerator = RandomNumberGenerator.new()
	dice.seed = 3
	var taken: int = 0
	for round: int in 1000:
		var torn: PackedByteArray = _wav(48000, 2, [16, 24, 32][round % 3], 20).slice(0, dice.randi_range(1, 200))
		torn[dice.randi_range(0, mini(torn.size() - 1, 47))] = dice.randi_range(0, 255)
		var wav: WavFile = WavFile.new(torn)
		if wav.error.is_empty():
			taken += 1
			wav.frames()
	ok(taken > 50 and taken < 950, "%d of 1000 are taken" % taken)


## An engine that has mix_audio has to pass its trial.
func _is_native() -> bool:
	if not ClassDB.class_has_method(&"AudioStreamPlayback", &"mix_audio"):
		skip("Godot before 4.4 has no mix_audio")
		return false
	return ok(Native.works(), "the engine's decoders failed their trial")


func _check_tone(baked: BakedFolder, what: String) -> void:
	var loop: Recording = baked.loop("combat")
	if not ok(loop != null, "%s: %s" % [what, baked.error]):
		return
	eq(loop.frames.size(), 4800, what)
	var worst: float = 0.0
	for i: int in range(200, 4600):
		var want: float = 0.4 * sin(TAU * 500.0 * i / 48000.0)
		worst = maxf(worst, maxf(absf(loop.frames[i].x - want), absf(loop.frames[i].y + want)))
	# A sample's delay would be 0.026.
	near(worst, 0.0, 0.008, what)


func _read_in_thread() -> Array[int]:
	var baked: BakedFolder = BakedFolder.new(FOLDER)
	return [baked.loop("explore").loop_end, baked.stinger("hit").frames.size()]


func _says(error: String, part: String) -> void:
	ok(error.contains(part), 'expected "%s" in "%s"' % [part, error])


func _manifest(changes: Dictionary) -> void:
	var text: String = (
		'{"format": 1, "soundtrack": "dungeon", "soundtrack_version": 1, "hash": "sha256:00", "initial": "explore",'
		+ ' "states": {"explore": {"file": "explore.wav", "samples": 5000, "loop_start": 100, "loop_end": 4900},'
		+ ' "combat": {"file": "combat.ogg", "samples": 4800, "loop_start": 960, "loop_end": 3840}},'
		+ ' "stingers": {"hit": {"kind": "clip", "file": "stingers/hit.wav", "samples": 4410, "sample_rate": 44100,'
		+ ' "gain_db": -3.0}}}'
	)
	for was: String in changes:
		ok(text.contains(was), "the manifest has no %s" % was)
		text = text.replace(was, changes[was])
	_write("manifest.json", text.to_utf8_buffer())


## A ramp, over and over: 0 to 999 on the left, the other way on the right.
static func _wav(rate: int, channels: int, bits: int, count: int) -> PackedByteArray:
	@warning_ignore("integer_division")
	var size: int = bits / 8
	var body: PackedByteArray = PackedByteArray()
	body.resize(count * channels * size)
	for i: int in count * channels:
		@warning_ignore("integer_division")
		var value: int = (i / channels) % 1000 * (1 if i % channels == 0 else -1)
		if bits == 32:
			body.encode_float(4 * i, value / 32768.0)
		else:
			body.encode_s16(size * i + size - 2, value)
	var file: PackedByteArray = "RIFF".to_ascii_buffer()
	file.resize(44)
	file.encode_u32(4, 36 + body.size())
	for i: int in 8:
		file[8 + i] = "WAVEfmt ".unicode_at(i)
	file.encode_u32(16, 16)
	file.encode_u16(20, 3 if bits == 32 else 1)
	file.encode_u16(22, channels)
	file.encode_u32(24, rate)
	file.encode_u32(28, rate * channels * size)
	file.encode_u16(32, channels * size)
	file.encode_u16(34, bits)
	for i: int in 4:
		file[36 + i] = "data".unicode_at(i)
	file.encode_u32(40, body.size())
	file.append_array(body)
	return file


static func _write(file: String, bytes: PackedByteArray) -> void:
	var into: FileAccess = FileAccess.open(FOLDER.path_join(file), FileAccess.WRITE)
	into.store_buffer(bytes)
	into.close()


static func _remove() -> void:
	for folder: String in [FOLDER.path_join("stingers"), FOLDER] as Array[String]:
		for file: String in DirAccess.get_files_at(folder) if DirAccess.dir_exists_absolute(folder) else []:
			DirAccess.remove_absolute(folder.path_join(file))
		DirAccess.remove_absolute(folder)
