# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## The codec against codec.json and against bytes that are no messages.

const Codec := preload("res://addons/segue/core/wire/codec.gd")
const Schema := preload("res://addons/segue/core/wire/schema.gd")
const Utf8 := preload("res://addons/segue/core/wire/utf8.gd")

const FUZZ_ROUNDS: int = 6000


func test_bytes_become_the_fields_and_fields_the_bytes() -> void:
	for vector: Dictionary in _codec()["messages"]:
		var message: StringName = _short_name(vector)
		var what: String = "%s, %s" % [message, vector["case"]]
		var bytes: PackedByteArray = str(vector["hex"]).hex_decode()
		var fields: Dictionary = _fields(message, vector["fields"])
		eq(Codec.decode(message, bytes), fields, what)
		# The engine's strings can't hold a NUL.
		if not bytes.hex_encode().contains("efbfbd") and not str(fields).contains("\ufffd"):
			eq(Codec.encode(message, fields), bytes, what)
		else:
			eq(Codec.decode(message, Codec.encode(message, fields)), fields, what)


func test_what_no_encoder_makes_is_taken() -> void:
	for vector: Dictionary in _codec()["decode_only"]:
		var message: StringName = _short_name(vector)
		var got: Variant = Codec.decode(message, str(vector["hex"]).hex_decode())
		eq(got, _fields(message, vector["fields"]), vector["case"])


func test_what_is_malformed_is_refused() -> void:
	for vector: Dictionary in _codec()["malformed"]:
		var got: Variant = Codec.decode(_short_name(vector), str(vector["hex"]).hex_decode())
		ok(got == null or vector.get("or_taken", false), "%s: expected null, got %s" % [vector["case"], got])


func test_the_corners_of_the_rules() -> void:
	eq(Codec.decode(&"AudioChunk", "08050800".hex_decode()), {}, "a number, then its default")
	var merged: Dictionary = {"outcome": {"take": 9, "request_id": "r"}}
	eq(Codec.decode(&"PostEventResponse", "0a0218090a030a0172".hex_decode()), merged, "a message in two parts")
	eq(Codec.decode(&"AudioChunk", "10ffffffffffffffffff7f".hex_decode()), null, "a varint of more than 64 bits")
	eq(Codec.decode(&"AudioChunk", "22f5ffffffffffffffff01".hex_decode()), null, "a length that leads back to its tag")
	eq(Codec.decode(&"AudioChunk", "e33e".repeat(50000).hex_decode()), null, "groups too deep")
	var labels: Dictionary = {"labels": {"b": "2", "a": "1"}}
	eq(
		Codec.encode(&"Session", labels).hex_encode().right(36),
		"8a01060a0161120131" + "8a01060a0162120132",
		"a map by its keys"
	)
	var weight: PackedByteArray = Codec.encode(&"Adherence", {"similarity": -0.0})
	eq(weight.hex_encode(), "0d00000080", "a negative zero is not the default")


func test_a_name_that_a_message_does_not_have_is_told() -> void:
	expected_errors = PackedStringArray(["AudioChunk: expected fields"])
	eq(Codec.encode(&"AudioChunk", {"take": 1, "tak": 2}), PackedByteArray([8, 1]), "the rest")


func test_every_method_has_its_messages() -> void:
	for method: Dictionary in _codec()["methods"]:
		for key: String in ["request", "response"]:
			ok(Schema.MESSAGES.has(StringName(str(method[key]).get_extension())), str(method[key]))


func test_messages_cut_anywhere_end() -> void:
	for vector: Dictionary in _codec()["messages"]:
		var bytes: PackedByteArray = str(vector["hex"]).hex_decode()
		var steps: int = maxi(1, bytes.size() / 40)
		for count: int in range(0, bytes.size(), steps):
			var got: Variant = Codec.decode(_short_name(vector), bytes.slice(0, count))
			ok(got == null or got is Dictionary, "cut")


func test_bytes_at_random_and_changed_messages_end() -> void:
	var dice: RandomNumberGenerator = RandomNumberGenerator.new()
	dice.seed = 7
	var known: Array = _codec()["messages"]
	var taken: int = 0
	for round_number: int in FUZZ_ROUNDS:
		var vector: Dictionary = known[dice.randi() % known.size()]
		var bytes: PackedByteArray = str(vector["hex"]).hex_decode()
		if round_number % 3 == 0 or bytes.is_empty():
			bytes.resize(dice.randi() % 60)
			for i: int in bytes.size():
				bytes[i] = dice.randi() & 0xff
		else:
			for i: int in 1 + dice.randi() % 4:
				bytes[dice.randi() % bytes.size()] = dice.randi() & 0xff
		var got: Variant = Codec.decode(_short_name(vector), bytes)
		if got is Dictionary:
			taken += 1
			# What was taken can be written, and reads the same again (nan is not equal to itself).
			var again: PackedByteArray = Codec.encode(_short_name(vector), got)
			if str(got).contains("nan"):
				continue
			eq(Codec.decode(_short_name(vector), again), got, "round %d" % round_number)
	ok(taken > FUZZ_ROUNDS / 50 and taken < FUZZ_ROUNDS, "%d of %d were taken" % [taken, FUZZ_ROUNDS])


func test_a_claimed_length_allocates_nothing() -> void:
	var before: int = OS.get_static_memory_usage()
	for head: String in ["22ffffffff07", "22ffffffffffffffff7f", "22ffffffffffffffffff01"]:
		eq(Codec.decode(&"AudioChunk", (head + "61").hex_decode()), null, head)
	ok(OS.get_static_memory_usage() - before < 1 << 20, "memory grew")


func test_text_that_is_not_utf8() -> void:
	for hex: String in ["c328", "80", "c0af", "e08080", "eda080", "f4908080", "f0808080", "e282", "ff", "c2"]:
		eq(Utf8.text(hex.hex_decode()), null, hex)
	for text: String in ["", "a", "Größe — 音楽 🎵", "\u07ff\u0800\uffff"]:
		eq(Utf8.text(text.to_utf8_buffer()), text, text)
	eq(Utf8.text("610062".hex_decode()), "a\ufffdb", "NUL")


func test_what_a_chunk_costs() -> void:
	var payload: PackedByteArray = PackedByteArray()
	payload.resize(3840 * 8)
	var chunk: Dictionary = {"take": 3, "first_sample": 480000, "sample_count": 3840, "payload": payload}
	var bytes: PackedByteArray = Codec.encode(&"StreamAudioResponse", {"audio": chunk})
	var begin: int = Time.get_ticks_usec()
	for i: int in 1000:
		Codec.decode(&"StreamAudioResponse", bytes)
	print("-- decoding a StreamAudioResponse of 80 ms: %.1f µs" % ((Time.get_ticks_usec() - begin) / 1000.0))
	eq(Codec.decode(&"StreamAudioResponse", bytes), {"audio": chunk}, "chunk")


## The engine reads the smallest double of JSON as 0, so it is marked by a string.
func _codec() -> Dictionary:
	var text: String = FileAccess.get_file_as_string(conformance().path_join("codec.json"))
	return JSON.parse_string(text.replace("5e-324", '"5e-324"').replace("\\u0000", "\\ufffd"))


func _short_name(vector: Dictionary) -> StringName:
	return StringName(str(vector["message"]).get_extension())


## JSON's fields as the codec has them.
func _fields(message: StringName, given: Dictionary) -> Dictionary:
	var table: Dictionary = {}
	for tag: int in Schema.MESSAGES[message]:
		table[Schema.MESSAGES[message][tag][0]] = Schema.MESSAGES[message][tag]
	var made: Dictionary = {}
	for name: String in given:
		var field: Array = table[name]
		match field[2]:
			Schema.Presence.REPEATED, Schema.Presence.UNPACKED:
				made[name] = (given[name] as Array).map(func(item: Variant) -> Variant: return _value(field, item))
			Schema.Presence.MAP:
				made[name] = given[name]
			_:
				made[name] = _value(field, given[name])
	return made


func _value(field: Array, value: Variant) -> Variant:
	match field[1]:
		Schema.Kind.INT64:
			return str(value).to_int()
		Schema.Kind.INT32:
			return int(value)
		Schema.Kind.BYTES:
			return Marshalls.base64_to_raw(value) if not str(value).is_empty() else PackedByteArray()
		Schema.Kind.FLOAT:
			return PackedFloat32Array([value])[0]
		Schema.Kind.DOUBLE:
			return "0100000000000000".hex_decode().decode_double(0) if value is String else float(value)
		Schema.Kind.MESSAGE:
			return _fields(field[3], value)
	return value
