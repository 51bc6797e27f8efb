# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## Channel, calls and streams on real sockets, against fake_server.py. SEGUE_PYTHON names the Python, or python3.

const Call := preload("res://addons/segue/core/net/call.gd")
const Channel := preload("res://addons/segue/core/net/channel.gd")
const Codec := preload("res://addons/segue/core/wire/codec.gd")
const Exchange := preload("res://addons/segue/core/net/exchange.gd")
const Schema := preload("res://addons/segue/core/wire/schema.gd")
const Status := preload("res://addons/segue/core/net/status.gd")
const Stream := preload("res://addons/segue/core/net/stream.gd")

const LONG_S: float = 8.0
const PATIENCE_S: float = 5.0

var _server: Dictionary = {}
var _port: int = 0
var _channel: Channel = null
var _slowest_poll_s: float = 0.0


func before_each() -> void:
	_start(PackedStringArray())
	_channel = Channel.new("http://127.0.0.1:%d" % _port)


func after_each() -> void:
	if _channel != null:
		_channel.close()
	_stop()


func test_an_answer() -> void:
	var call: Call = await _called("Well")
	eq(call.status.code, Status.OK, "Well")
	eq(call.response, {"take": 1, "first_sample": 1}, "the answer")


func test_a_connection_is_used_again() -> void:
	for number: int in range(1, 6):
		var call: Call = await _called("Well")
		eq(call.response, {"take": 1, "first_sample": number}, "connection and request")


func test_several_at_once_each_have_their_connection() -> void:
	var calls: Array[Call] = []
	for i: int in 6:
		calls.append(_call("Well"))
	await _until(func() -> bool: return calls.all(func(call: Call) -> bool: return call.done), "all")
	var used: Dictionary = {}
	for call: Call in calls:
		eq(call.status.code, Status.OK, "each")
		used[call.response.get("take")] = true
	eq(used.size(), 6, "connections")


func test_what_a_request_says() -> void:
	var call: Call = _channel.unary("Headers", &"GetServerInfoRequest", {}, &"ErrorInfo", "to\nken", 2.5)
	await _until(func() -> bool: return call.done, "Headers")
	var head: String = str(call.response.get("reason", "")).to_lower()
	for line: String in [
		"post /segue.v1.livesoundtrackservice/headers http/1.1",
		"content-type: application/grpc-web+proto",
		"accept: application/grpc-web+proto",
		"x-grpc-web: 1",
		"x-user-agent: segue-godot/" + Exchange.VERSION,
		"authorization: bearer token",
		"grpc-timeout: 2",
		"content-length: 5",
	]:
		ok(head.contains("\r\n" + line) or head.begins_with(line), "expected %s in %s" % [line, head])
	var settings: ConfigFile = ConfigFile.new()
	eq(settings.load("res://addons/segue/plugin.cfg"), OK, "plugin.cfg")
	eq(settings.get_value("plugin", "version"), Exchange.VERSION, "one version")


func test_messages_come_when_they_are_sent() -> void:
	var stream: Stream = _stream("Drip")
	var arrivals: PackedFloat64Array = PackedFloat64Array()
	var takes: Array[int] = []
	while not stream.done and arrivals.size() < 100:
		_poll()
		for message: PackedByteArray in stream.take_messages():
			arrivals.append(_now())
			takes.append(Codec.decode(&"AudioChunk", message)["take"])
		await tree.process_frame
	eq(takes, [1, 2, 3, 4, 5, 6, 7, 8] as Array[int], "in order")
	eq(stream.status.code, Status.OK, "its end")
	# That they were not held back until the end; how long each took is not asserted.
	ok(arrivals[7] - arrivals[0] > 0.2, "all at once: %s" % arrivals)


func test_a_stream_does_not_delay_a_control() -> void:
	var stream: Stream = _stream("Drip")
	await _until(func() -> bool: return stream.last_arrival_s >= 0.0, "the stream's head")
	for i: int in 3:
		var call: Call = await _called("Well")
		eq(call.status.code, Status.OK, "control %d" % i)
	ok(not stream.done, "three controls took longer than the stream of 0.5 s")
	await _until(func() -> bool: return stream.done, "its end")
	eq(stream.take_messages().size(), 8, "messages")


func test_an_answer_in_the_smallest_pieces() -> void:
	var stream: Stream = _stream("Pieces")
	await _until(func() -> bool: return stream.done, "Pieces")
	eq(stream.take_messages().size(), 2, "messages")
	eq(stream.status.code, Status.OK, "its end")


func test_bodies_that_are_not_chunked() -> void:
	for method: String in ["Length", "UntilClosed"]:
		var call: Call = await _called(method)
		eq(call.status.code, Status.OK, "%s: %s" % [method, call.status])
		eq(call.response, {"take": 1, "first_sample": 2}, method)


func test_a_kept_connection_that_was_closed() -> void:
	eq((await _called("ClosedAfter")).response.get("take"), 1, "first")
	await sleep(0.1)
	var call: Call = await _called("Well")
	eq(call.response, {"take": 2, "first_sample": 1}, "on a new connection: %s" % call.status)


func test_a_kept_connection_that_dies_when_it_is_used_is_tried_again_once() -> void:
	eq((await _called("Well")).response.get("take"), 1, "first")
	var call: Call = await _called("DeadWhenKept")
	eq(call.response, {"take": 2, "first_sample": 1}, "on a new connection: %s" % call.status)
	call = await _called("Nothing")
	eq(call.status.code, Status.UNAVAILABLE, "a new connection that dies is not tried again")


func test_faults_end_the_call() -> void:
	# The engine's own HTTP says something about those two.
	expected_errors = PackedStringArray(["HTTP", "hunk"])
	for pair: Array in [
		["Garbage", Status.INTERNAL],
		["HugeFrame", Status.INTERNAL],
		["NotHttp", Status.UNKNOWN],
		["Nothing", Status.UNAVAILABLE],
		["Dies", Status.UNAVAILABLE],
		["NoTrailers", Status.UNAVAILABLE],
		["BadChunk", Status.UNAVAILABLE],
		["HugeChunk", Status.UNAVAILABLE],
		["Page", Status.UNKNOWN],
		["Page502", Status.UNAVAILABLE],
		["Refused", Status.NOT_FOUND],
		["TwoAnswers", Status.INTERNAL],
		["NoAnswer", Status.INTERNAL],
		["WrongMessage", Status.INTERNAL],
	]:
		var before: int = OS.get_static_memory_usage()
		var call: Call = await _called(pair[0])
		eq(call.status.code, pair[1], "%s: %s" % [pair[0], call.status])
		ok(OS.get_static_memory_usage() - before < 32 << 20, "%s: memory grew" % pair[0])
	eq((await _called("Well")).status.code, Status.OK, "the channel goes on")


func test_a_stream_whose_server_dies_hands_on_what_was_whole() -> void:
	var stream: Stream = _stream("Dies")
	await _until(func() -> bool: return stream.done, "Dies")
	eq(stream.take_messages().size(), 1, "messages")
	eq(stream.status.code, Status.UNAVAILABLE, "its end")


func test_trailers_are_an_end_also_where_the_body_has_none() -> void:
	var call: Call = await _called("Unended")
	eq(call.status.code, Status.OK, str(call.status))


func test_a_refusal_leaves_the_connection_open() -> void:
	eq((await _called("Refused")).status.message, "no such", "Refused")
	eq((await _called("Well")).response, {"take": 1, "first_sample": 2}, "on the same connection")


func test_the_server_is_killed_in_mid_stream() -> void:
	var stream: Stream = _stream("Drip")
	await _until(func() -> bool: return stream.last_arrival_s >= 0.0, "the stream's head")
	_stop()
	await _until(func() -> bool: return stream.done, "after the kill")
	eq(stream.status.code, Status.UNAVAILABLE, "its end")
	eq((await _called("Well")).status.code, Status.UNAVAILABLE, "nobody listens")


func test_deadlines() -> void:
	for method: String in ["Silent", "SlowHead", "Endless"]:
		var begin: float = _now()
		var call: Call = _channel.unary(method, &"GetServerInfoRequest", {}, &"AudioChunk", "", 0.3)
		await _until(func() -> bool: return call.done, method)
		eq(call.status.code, Status.DEADLINE_EXCEEDED, "%s: %s" % [method, call.status])
		ok(_now() - begin >= 0.3, "%s: too early" % method)


func test_one_poll_never_waits() -> void:
	for method: String in ["Endless", "SlowHead", "Silent", "Drip"]:
		_stream(method)
	var end: float = _now() + 0.5
	while _now() < end:
		_poll()
		await tree.process_frame
	ok(_slowest_poll_s < PATIENCE_S / 10.0, "a poll took %.3f s" % _slowest_poll_s)
	print("-- slowest poll with four streams: %.1f ms" % (_slowest_poll_s * 1000.0))


func test_in_a_thread_of_its_own() -> void:
	var thread: Thread = Thread.new()
	thread.start(_in_a_thread)
	while thread.is_alive():
		await tree.process_frame
	eq(thread.wait_to_finish(), [0, 0, 8], "codes and messages")


func test_cancelling() -> void:
	var stream: Stream = _stream("Drip")
	var call: Call = _call("Silent")
	await _until(func() -> bool: return stream.last_arrival_s >= 0.0, "the stream's head")
	stream.cancel()
	call.cancel()
	eq(stream.status.code, Status.CANCELLED, "stream")
	eq(call.status.code, Status.CANCELLED, "call")
	_poll()
	eq((await _called("Well")).status.code, Status.OK, "the channel goes on")


func test_addresses() -> void:
	for address: String in [
		"", "localhost:7471", "http://", "http://:1", "http://a:0", "http://a:x", "ftp://a", "http://u@a"
	]:
		_channel = Channel.new(address)
		eq((await _called("Well")).status.code, Status.INVALID_ARGUMENT, address)
	_channel = Channel.new("http://127.0.0.1:%d/some/where/" % _port)
	var call: Call = _channel.unary("Headers", &"GetServerInfoRequest", {}, &"ErrorInfo", "", LONG_S)
	await _until(func() -> bool: return call.done, "Headers")
	ok(str(call.response.get("reason")).begins_with("POST /some/where/segue.v1."), str(call.response))
	_channel = Channel.new("http://localhost:%d" % _port)
	eq((await _called("Well")).status.code, Status.OK, "by name")
	_channel = Channel.new("http://127.0.0.1:1")
	eq((await _called("Well")).status.code, Status.UNAVAILABLE, "nobody there")


func test_tls() -> void:
	# What a wrong certificate makes the engine say.
	expected_errors = PackedStringArray(["TLS", "X509", "ertificate", "BIO", "mbedtls"])
	var crypto: Crypto = Crypto.new()
	var key: CryptoKey = crypto.generate_rsa(2048)
	var certificate: X509Certificate = crypto.generate_self_signed_certificate(
		key, "CN=localhost,O=Segue,C=DE", "20200101000000", "20500101000000"
	)
	var folder: String = OS.get_user_data_dir()
	DirAccess.make_dir_recursive_absolute(folder)
	var files: PackedStringArray = [folder.path_join("tls_test.crt"), folder.path_join("tls_test.key")]
	certificate.save(files[0])
	key.save(files[1])
	_stop()
	_start(files)
	_channel = Channel.new("https://localhost:%d" % _port, TLSOptions.client(certificate))
	eq((await _called("Well")).response, {"take": 1, "first_sample": 1}, "trusted")
	eq((await _called("Well")).response, {"take": 1, "first_sample": 2}, "kept")
	_channel = Channel.new("https://localhost:%d" % _port)
	eq((await _called("Well")).status.code, Status.UNAVAILABLE, "not trusted")
	for file: String in files:
		DirAccess.remove_absolute(file)


func test_a_real_server() -> void:
	var address: String = OS.get_environment("SEGUE_SERVER").get_slice(" ", 0)
	if address.is_empty():
		skip("SEGUE_SERVER names none (test.py starts one)")
		return
	_channel = Channel.new(address)
	var call: Call = _channel.unary("GetServerInfo", &"GetServerInfoRequest", {}, &"GetServerInfoResponse", "", LONG_S)
	await _until(func() -> bool: return call.done, "GetServerInfo")
	ok(call.status.ok and call.response.has("format"), "%s %s" % [call.status, call.response])
	call = _channel.unary("GetSession", &"GetSessionRequest", {"session_id": "x"}, &"GetSessionResponse", "t", LONG_S)
	await _until(func() -> bool: return call.done, "GetSession")
	ok(call.status.is_unknown_session, str(call.status))
	call = _channel.unary(
		"CreateSession",
		&"CreateSessionRequest",
		{"soundtrack_id": "dungeon", "seed": 7, "labels": {"test": "http"}, "request_id": "http-test-of-the-wire"},
		&"CreateSessionResponse",
		"",
		LONG_S
	)
	await _until(func() -> bool: return call.done, "CreateSession")
	var token: String = call.response.get("session_token", "")
	var session: String = call.response.get("session", {}).get("session_id", "")
	ok(not token.is_empty() and not session.is_empty(), str(call.status))
	for encoding: int in [Schema.AudioEncoding.S16, Schema.AudioEncoding.F32, Schema.AudioEncoding.QOA]:
		await _hears(session, token, encoding)
	call = _channel.unary(
		"CloseSession", &"CloseSessionRequest", {"session_id": session}, &"CloseSessionResponse", token, LONG_S
	)
	await _until(func() -> bool: return call.done, "CloseSession")
	ok(call.status.ok, str(call.status))


## A second of the session's audio, without a gap.
func _hears(session: String, token: String, encoding: int) -> void:
	var request: Dictionary = {"session_id": session, "encoding": encoding}
	var stream: Stream = _channel.stream("StreamAudio", &"StreamAudioRequest", request, token)
	var heard: Array[int] = [0, -1]
	var listening: Callable = func() -> bool:
		for message: PackedByteArray in stream.take_messages():
			var fields: Variant = Codec.decode(&"StreamAudioResponse", message)
			if ok(fields is Dictionary, "malformed") and fields.has("audio"):
				var first: int = fields["audio"].get("first_sample", 0)
				if heard[1] >= 0 and fields["audio"].get("take", 0) == 0:
					eq(first, heard[1], "a gap")
				heard[0] += fields["audio"]["sample_count"]
				heard[1] = first + int(fields["audio"]["sample_count"])
		return heard[0] >= 48000 or stream.done
	await _until(listening, "a second of audio in encoding %d" % encoding)
	ok(stream.status == null, str(stream.status))
	stream.cancel()


func _in_a_thread() -> Array:
	var channel: Channel = Channel.new("http://127.0.0.1:%d" % _port)
	var stream: Stream = channel.stream("Drip", &"GetServerInfoRequest", {}, "")
	var call: Call = channel.unary("Well", &"GetServerInfoRequest", {}, &"AudioChunk", "", LONG_S)
	while not (stream.done and call.done):
		channel.poll(_now())
		OS.delay_msec(5)
	return [call.status.code, stream.status.code, stream.take_messages().size()]


func _call(method: String) -> Call:
	return _channel.unary(method, &"GetServerInfoRequest", {}, &"AudioChunk", "", LONG_S)


func _called(method: String) -> Call:
	var call: Call = _call(method)
	await _until(func() -> bool: return call.done, method)
	return call


func _stream(method: String) -> Stream:
	return _channel.stream(method, &"GetServerInfoRequest", {}, "")


func _until(condition: Callable, what: String) -> void:
	var polling: Callable = func() -> bool:
		_poll()
		return condition.call()
	await until(polling, PATIENCE_S, what)


func _poll() -> void:
	var begin: float = _now()
	_channel.poll(begin)
	_slowest_poll_s = maxf(_slowest_poll_s, _now() - begin)


func _now() -> float:
	return Time.get_ticks_usec() / 1e6


func _start(certificate: PackedStringArray) -> void:
	var python: String = OS.get_environment("SEGUE_PYTHON")
	var script: String = ProjectSettings.globalize_path("res://tests/fake_server.py")
	var words: PackedStringArray = PackedStringArray([script]) + certificate
	_server = OS.execute_with_pipe(python if not python.is_empty() else "python3", words)
	var pipe: FileAccess = _server.get("stdio")
	_port = pipe.get_line().to_int() if pipe != null else 0
	ok(_port > 0, "fake_server.py did not start (SEGUE_PYTHON)")


func _stop() -> void:
	if not _server.is_empty():
		OS.kill(_server["pid"])
		(_server["stdio"] as FileAccess).close()
		(_server["stderr"] as FileAccess).close()
	_server = {}
