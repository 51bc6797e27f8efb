# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## What a listener makes of a stream, keeps of it and does after its end: the vectors.

const Codec := preload("res://addons/segue/core/wire/codec.gd")
const Decoder := preload("res://addons/segue/core/audio/decoder.gd")
const FrameParser := preload("res://addons/segue/core/net/frame_parser.gd")
const Keeper := preload("res://addons/segue/core/session/keeper.gd")
const Options := preload("res://addons/segue/core/session/options.gd")
const Reception := preload("res://addons/segue/core/session/reception.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

## It waits for Play, where the Python SDK raises.
const ACTIONS: Dictionary = {
	Reception.Next.LISTEN: "reconnect",
	Reception.Next.RESUME: "resume",
	Reception.Next.END: "finish",
	Reception.Next.GIVE_UP: "fail",
	Reception.Next.WAIT: "fail",
}


func test_the_recorded_stream_is_understood() -> void:
	var vector: Dictionary = vectors("stream.json").get("stream", {})
	var parser: FrameParser = FrameParser.new()
	parser.push(FileAccess.get_file_as_bytes(conformance().path_join(vector["file"])))
	var reception: Reception = Reception.new(Options.new())
	var kinds: PackedStringArray = PackedStringArray()
	var pcm: PackedByteArray = PackedByteArray()
	while parser.next():
		if parser.flags != 0:
			continue
		var message: Dictionary = Codec.decode(&"StreamAudioResponse", parser.payload)
		kinds.append(message.keys()[0])
		if message.has("audio"):
			var chunk: Dictionary = message["audio"]
			var first: int = chunk.get("first_sample", 0)
			var frames: PackedVector2Array = Decoder.to_frames_by_loop(
				reception.encoding, chunk["payload"], chunk["sample_count"], chunk.get("skip_samples", 0)
			)
			pcm.resize(4 * (first + frames.size()))  # a take replaces what lies behind its first sample
			for i: int in frames.size():
				pcm.encode_s16(4 * (first + i), roundi(frames[i].x * 32768.0))
				pcm.encode_s16(4 * (first + i) + 2, roundi(frames[i].y * 32768.0))
		reception.take(message)
	var wanted: PackedStringArray = PackedStringArray()
	for message: Dictionary in vector["messages"]:
		wanted.append(message["kind"])
	eq(kinds, wanted, "messages")
	eq(reception.next_sample, int(str(vector["next_sample"])), "next sample")
	eq(reception.gaps, int(vector["gaps"]), "gaps")
	eq(reception.takes, int(vector["takes"]), "takes")
	eq(pcm.size(), int(vector["pcm_bytes"]), "bytes")
	var hash: HashingContext = HashingContext.new()
	hash.start(HashingContext.HASH_SHA256)
	hash.update(pcm)
	eq(hash.finish().hex_encode(), vector["pcm_sha256"], "samples")
	eq(reception.after_end(), Reception.Next.END, "after the end")


func test_what_is_kept_is_what_another_server_needs() -> void:
	for vector: Dictionary in vectors("resume.json").get("kept", []):
		var keeper: Keeper = Keeper.new()
		for hex: String in vector["messages_hex"]:
			var message: Dictionary = Codec.decode(&"StreamAudioResponse", hex.hex_decode())
			if message.has("audio"):
				keeper.chunk(message["audio"])
			if message.has("resume_point"):
				keeper.point(message["resume_point"])
		eq(keeper.is_ready, vector["resume"] != null, vector["case"])
		if vector["resume"] != null:
			var fields: Dictionary = keeper.resume(int(str(vector["next_sample"])), vector["session_token"])
			eq(Codec.encode(&"ResumeRequest", fields).hex_encode(), vector["resume"]["hex"], vector["case"])


func test_every_end_is_met_as_it_should() -> void:
	for vector: Dictionary in vectors("resume.json").get("endings", []):
		for has_point: bool in [true, false]:
			if vector.get("has_resume_point", has_point) == has_point:
				_meet(vector, has_point)


func test_a_stream_is_taken_up_where_it_broke_off() -> void:
	var request: Dictionary = _listening(true).request("s-1")
	eq(request.get("from_sample"), 5760)
	eq(request.get("take"), 2)
	eq(request.get("with_continuation"), true)
	var options: Options = Options.new()
	options.resume = false
	request = Reception.new(options).request("s-1")
	eq(request.has("from_sample"), false, "the live edge")
	eq(request.get("with_continuation"), false)


func _meet(vector: Dictionary, has_point: bool) -> void:
	var reception: Reception = _listening(has_point)
	var next: Reception.Next
	if vector.has("code"):
		var status: Status = Status.make(int(vector["code"]), "told so")
		status.reason = vector.get("reason", "")
		next = reception.after_error(status)
	else:
		if vector.has("goodbye_hex"):
			var hex: String = vector["goodbye_hex"]
			reception.take(Codec.decode(&"StreamAudioResponse", hex.hex_decode()))
		next = reception.after_end()
	var expected: String = vector.get("action", vector.get("action_with_resume_point", ""))
	if not has_point:
		expected = vector.get("action", vector.get("action_without", ""))
	var is_live: bool = next == Reception.Next.LISTEN and reception.next_sample == Reception.LIVE_EDGE
	eq("live edge" if is_live else ACTIONS[next], expected, "%s (%s)" % [vector["case"], has_point])


func _listening(has_point: bool) -> Reception:
	var reception: Reception = Reception.new(Options.new())
	reception.take({"audio": {"first_sample": 3840, "sample_count": 1920, "take": 2}})
	if has_point:
		reception.take({"resume_point": {"token": PackedByteArray([1])}})
	return reception
