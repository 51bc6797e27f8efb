# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## A folder that `segue bake` wrote: its manifest, loops and stingers. Reading takes a while; one thread at a time.
##
## The folder may be of the project (res://), the user's (user://) or anywhere. A game that is exported with all its
## resources takes the folder along as it is: manifest.json is one, and of WAV and Ogg files it has what the editor
## imported, which is read where there is no raw file. The import's defaults are right; it must not trim or normalise.
## Where only chosen scenes are exported, choose the folder's files as well. A file whose import is "Keep File" is
## exported raw.
## Ogg, and what was imported, is decoded by the engine, which lends its decoders since Godot 4.4; before, only raw WAV
## files of 48 kHz can be read.

const Native := preload("res://addons/segue/core/audio/native.gd")
const Recording := preload("res://addons/segue/core/audio/recording.gd")
const WavFile := preload("res://addons/segue/core/audio/wav_file.gd")

## Longest recording that is read: 10 minutes.
const MOST_SAMPLES: int = 600 * Native.SAMPLE_RATE

## What was wrong last, in a sentence; "" if nothing was.
var error: String = ""
## Name of the soundtrack.
var soundtrack: String = ""
## SHA-256 of the soundtrack that was baked.
var soundtrack_hash: String = ""
## State at the start.
var initial: String = ""

var _folder: String = ""
var _states: Dictionary = {}
var _stingers: Dictionary = {}


## Reads manifest.json; `error` says whether it could.
func _init(folder: String) -> void:
	_folder = folder
	var path: String = folder.path_join("manifest.json")
	if not FileAccess.file_exists(path):
		error = "%s: expected the manifest of `segue bake` (is it exported with the game?)" % path
		return
	var json: JSON = JSON.new()
	if json.parse(FileAccess.get_file_as_string(path)) != OK:
		error = "%s: line %d: %s" % [path, json.get_error_line() + 1, json.get_error_message()]
		return
	if not json.data is Dictionary:
		error = "%s: expected an object" % path
		return
	_take_manifest(json.data)


## Names of the states that have a loop.
func states() -> PackedStringArray:
	return PackedStringArray(_states.keys())


## Names of the stingers that were baked.
func stingers() -> PackedStringArray:
	return PackedStringArray(_stingers.keys())


## The loop of a state; null if it has none (`error` is "") or it can't be read.
func loop(state: String) -> Recording:
	error = ""
	if not _states.has(state):
		return null
	var entry: Dictionary = _entry(_states, state, "states." + state, ["samples", "loop_start", "loop_end"])
	if not error.is_empty():
		return null
	var begin: int = int(entry["loop_start"])
	var end: int = int(entry["loop_end"])
	var held: int = int(entry["samples"])
	if begin < 0 or begin >= end or end > held:
		_fault("states.%s: expected 0 ≤ loop_start < loop_end ≤ %d, got %d, %d" % [state, held, begin, end])
		return null
	var frames: PackedVector2Array = _frames(entry["file"], held, Native.SAMPLE_RATE)
	return Recording.new(frames, begin, end) if error.is_empty() else null


## A stinger's recording, with its gain; null if there is none of the name (`error` is "") or it can't be read.
func stinger(name: String) -> Recording:
	error = ""
	if not _stingers.has(name):
		return null
	var entry: Dictionary = _entry(_stingers, name, "stingers." + name, ["samples", "sample_rate", "gain_db"])
	if not error.is_empty():
		return null
	var rate: int = int(entry["sample_rate"])
	if rate < 8000 or rate > 192000:
		_fault("stingers.%s: expected a sample_rate of 8000 to 192000, got %d" % [name, rate])
		return null
	var frames: PackedVector2Array = _frames(entry["file"], int(entry["samples"]), rate)
	if not error.is_empty():
		return null
	var made: Recording = Recording.new(frames)
	made.gain_db = entry["gain_db"]
	return made


func _take_manifest(manifest: Dictionary) -> void:
	var format: Variant = manifest.get("format")
	if not (format is float and format == 1.0):
		_fault("expected format 1, got %s; is the addon older than `segue bake`?" % [format])
		return
	for key: String in ["soundtrack", "hash", "initial"]:
		if not manifest.get(key) is String:
			_fault('expected a text as "%s"' % key)
			return
	for key: String in ["states", "stingers"]:
		if not manifest.get(key) is Dictionary:
			_fault('expected an object as "%s"' % key)
			return
	soundtrack = manifest["soundtrack"]
	soundtrack_hash = manifest["hash"]
	initial = manifest["initial"]
	_states = manifest["states"]
	_stingers = manifest["stingers"]


func _entry(of: Dictionary, key: String, where: String, numbers: Array[String]) -> Dictionary:
	if not of[key] is Dictionary:
		_fault("%s: expected an object" % where)
		return {}
	var entry: Dictionary = of[key]
	if not entry.get("file") is String or (entry["file"] as String).contains(".."):
		_fault('%s: expected a path within the folder as "file"' % where)
	for number: String in numbers:
		if not entry.get(number) is float:
			_fault('%s: expected a number as "%s"' % [where, number])
	return entry


## `held` samples at `rate` of a file, brought to 48 kHz.
func _frames(file: String, held: int, rate: int) -> PackedVector2Array:
	var path: String = _folder.path_join(file)
	var extension: String = file.get_extension().to_lower()
	@warning_ignore("integer_division")
	var count: int = held * Native.SAMPLE_RATE / rate
	if count <= 0 or count > MOST_SAMPLES:
		error = "%s: expected 1 to %d samples, got %d" % [path, MOST_SAMPLES, count]
	elif FileAccess.file_exists(path) and extension == "wav":
		return _wav(path, held, rate)
	elif not Native.works():
		error = (
			(
				"%s: this engine can only read WAV files (Godot 4.4 reads Ogg): `segue bake --format wav` writes them, "
				% path
			)
			+ "and a soundtrack's clips may be WAV files"
		)
	elif FileAccess.file_exists(path) and extension == "ogg":
		var bytes: PackedByteArray = FileAccess.get_file_as_bytes(path)
		if bytes.slice(0, 4) != "OggS".to_ascii_buffer():
			error = "%s: expected an Ogg file" % path
		else:
			return _stream(_ogg(bytes), path, count)
	elif extension in ["wav", "ogg", "mp3"] and ResourceLoader.exists(path):
		# One of one's own: it is made to loop.
		var imported: Resource = ResourceLoader.load(path, "", ResourceLoader.CACHE_MODE_IGNORE)
		return _stream(imported as AudioStream, path, count)
	elif FileAccess.file_exists(path):
		error = "%s: nothing here can decode it; a soundtrack's clips may be WAV or Ogg files" % path
	else:
		error = "%s: expected the file (is it exported with the game?)" % path
	return PackedVector2Array()


func _wav(path: String, held: int, rate: int) -> PackedVector2Array:
	var wav: WavFile = WavFile.new(FileAccess.get_file_as_bytes(path))
	if not wav.error.is_empty():
		error = "%s: %s" % [path, wav.error]
	elif wav.rate != rate:
		error = "%s: expected %d Hz, got %d" % [path, rate, wav.rate]
	elif wav.samples() < held:
		error = "%s: expected %d samples, got %d" % [path, held, wav.samples()]
	elif rate != Native.SAMPLE_RATE and not Native.works():
		error = "%s: this engine can only read WAV files of 48000 Hz (Godot 4.4 reads others), got %d" % [path, rate]
	else:
		return wav.frames()
	return PackedVector2Array()


## By name: a build of the engine may lack Ogg.
func _ogg(bytes: PackedByteArray) -> AudioStream:
	var maker: Object = ClassDB.instantiate(&"AudioStreamOggVorbis")
	return maker.call(&"load_from_buffer", bytes) as AudioStream if maker != null else null


func _stream(stream: AudioStream, path: String, count: int) -> PackedVector2Array:
	if stream == null:
		error = "%s: expected audio that the engine can decode" % path
		return PackedVector2Array()
	var there: int = roundi(stream.get_length() * Native.SAMPLE_RATE)
	# A length in seconds is not always told to the sample.
	if there < count - 4:
		error = "%s: expected %d samples at 48 kHz, got %d; was it trimmed at its import?" % [path, count, there]
		return PackedVector2Array()
	return Native.stream(stream, count)


func _fault(what: String) -> void:
	error = "%s: %s" % [_folder.path_join("manifest.json"), what]
