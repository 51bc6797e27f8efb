# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## Frames and heads of answers against frames.json, cut at every byte.

const Exchange := preload("res://addons/segue/core/net/exchange.gd")
const FrameParser := preload("res://addons/segue/core/net/frame_parser.gd")
const Reply := preload("res://addons/segue/core/net/reply.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

const BINARY: String = "application/grpc-web+proto"


func test_bodies_are_read_however_they_are_cut() -> void:
	for vector: Dictionary in _binary("bodies"):
		var expect: Dictionary = vector["expect"]
		var want: Array[String] = []
		want.assign(expect["messages"])
		for pieces: Array in _cuts(str(vector["hex"]).hex_decode()):
			var reply: Reply = _read(pieces)
			if not eq(_hex(reply), want, vector["case"]):
				break
			eq(reply.status.code, int(expect["code"]), vector["case"])
			if expect["message"] != null and expect["message"] != "":
				eq(reply.status.message, expect["message"], vector["case"])


func test_faulty_bodies_end_with_one_of_the_codes() -> void:
	for vector: Dictionary in _binary("refused"):
		for pieces: Array in _cuts(str(vector["hex"]).hex_decode()):
			var code: int = _read(pieces).status.code
			ok(vector["codes"].has(float(code)), "%s: got %d" % [vector["case"], code])


func test_a_message_is_handed_on_with_its_last_byte() -> void:
	var body: PackedByteArray = FrameParser.frame(PackedByteArray([1, 2, 3]))
	var reply: Reply = Reply.new()
	reply.push(body.slice(0, -1))
	eq(reply.messages.size(), 0, "before")
	reply.push(body.slice(-1))
	eq(_hex(reply), ["010203"] as Array[String], "with it")


func test_heads_decide() -> void:
	for vector: Dictionary in vectors("frames.json")["http"]:
		var reply: Reply = Reply.new()
		reply.begin(int(vector["status"]), vector["headers"])
		reply.push(str(vector["hex"]).hex_decode())
		reply.end()
		eq(reply.status.code, int(vector["code"]), vector["case"])
		if vector.has("message"):
			eq(reply.status.message, vector["message"], vector["case"])


func test_requests_are_framed_and_tell_their_deadline() -> void:
	for vector: Dictionary in vectors("frames.json")["requests"]:
		if vector.has("message_hex"):
			var message: PackedByteArray = str(vector["message_hex"]).hex_decode()
			eq(FrameParser.frame(message), str(vector["hex"]).hex_decode(), vector["case"])
		else:
			var text: String = Exchange.timeout_text(vector["seconds"])
			ok(text.ends_with("m") and text.to_float() / 1000.0 >= float(vector["seconds"]), text)
	eq(Exchange.timeout_text(1e6), "1000000S", "what milliseconds have no digits for")


func test_nothing_is_allocated_for_a_length_that_is_only_claimed() -> void:
	var before: int = OS.get_static_memory_usage()
	var parser: FrameParser = FrameParser.new()
	parser.push("0001000001".hex_decode())
	ok(not parser.next() and not parser.error.is_empty(), "16 MiB and a byte")
	parser = FrameParser.new()
	parser.push("0001000000".hex_decode())
	ok(not parser.next() and parser.error.is_empty(), "16 MiB")
	ok(OS.get_static_memory_usage() - before < 1 << 20, "memory grew")


func test_bytes_at_random_end_the_call() -> void:
	var dice: RandomNumberGenerator = RandomNumberGenerator.new()
	dice.seed = 3
	var good: PackedByteArray = FrameParser.frame(PackedByteArray([8, 1]))
	var trailers: PackedByteArray = "grpc-status: 7\r\ngrpc-message: %C3%A4\r\n".to_utf8_buffer()
	trailers = FrameParser.frame(trailers)
	trailers[0] = FrameParser.TRAILERS
	good.append_array(trailers)
	for i: int in 3000:
		var body: PackedByteArray = good.duplicate()
		for j: int in 1 + dice.randi() % 6:
			body[dice.randi() % body.size()] = dice.randi() & 0xff
		var reply: Reply = _read([body.slice(0, i % body.size()), body.slice(i % body.size())])
		ok(reply.status != null and reply.status.code != Status.OK or reply.has_trailers, body.hex_encode())


func _binary(list: String) -> Array:
	return vectors("frames.json")[list].filter(func(case: Dictionary) -> bool: return case["content_type"] == BINARY)


## Whole, in two pieces cut at every byte (of long bodies at some), byte by byte.
func _cuts(body: PackedByteArray) -> Array[Array]:
	var found: Array[Array] = [[body]]
	for at: int in range(1, body.size()):
		found.append([body.slice(0, at), body.slice(at)])
	var bytes: Array[PackedByteArray] = []
	for i: int in body.size():
		bytes.append(body.slice(i, i + 1))
	found.append(bytes)
	return found


func _read(pieces: Array) -> Reply:
	var reply: Reply = Reply.new()
	reply.begin(200, {"content-type": BINARY})
	for piece: PackedByteArray in pieces:
		reply.push(piece)
	reply.end()
	return reply


func _hex(reply: Reply) -> Array[String]:
	var found: Array[String] = []
	for message: PackedByteArray in reply.messages:
		found.append(message.hex_encode())
	return found
