# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## A session on a stage: a server within the test, a sound card that the test drains, and a time of the test's.

const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const FakeChannel := preload("res://tests/fake_channel.gd")
const FakeSink := preload("res://tests/fake_sink.gd")
const Options := preload("res://addons/segue/core/session/options.gd")
const Outcome := preload("res://addons/segue/core/session/outcome.gd")
const Recording := preload("res://addons/segue/core/audio/recording.gd")
const Schema := preload("res://addons/segue/core/wire/schema.gd")
const Session := preload("res://addons/segue/core/session/session.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

var _server: FakeChannel = FakeChannel.new()
var _sink: FakeSink = FakeSink.new()
var _session: Session = null
var _options: Options = Options.new()
var _now_s: float = 100.0
var _outcomes: Array[Outcome] = []


class Baked:
	extends RefCounted
	var initial: String = "explore"
	var error: String = ""

	func stingers() -> PackedStringArray:
		return PackedStringArray(["hit"])

	func loop(state: String) -> Recording:
		error = "lost.wav: not there" if state == "lost" else ""
		return _flat(0.5 if state == "combat" else 0.4) if error.is_empty() else null

	func stinger(_name: String) -> Recording:
		error = ""
		return _flat(0.125)

	func _flat(value: float) -> Recording:
		var frames: PackedVector2Array = PackedVector2Array()
		frames.resize(4800)
		frames.fill(Vector2(value, value))
		return Recording.new(frames)


func after_each() -> void:
	if _session != null:
		for i: int in 10:
			if _session.leave(_now_s + i):
				break


func _begin(whole: bool = true) -> void:
	_options.soundtrack = "dungeon"
	_session = Session.new(_options, _server)
	if whole:
		_session.use_sink(_sink)
		_step(4)


## The stream breaks, and the server knows nothing any more.
func _lose() -> void:
	_server.send({"resume_point": {"token": PackedByteArray([42])}})
	_server.send_audio(0, 24000)
	_step(1)
	_server.sessions.clear()
	_server.end(Status.make(Status.UNAVAILABLE, "the connection broke"))
	_step(1)


func _step(times: int) -> void:
	for i: int in times:
		_session.step(_now_s)
	_session.deliver()


## Time goes on, and the sound card takes what is there.
func _play(seconds: float) -> void:
	for i: int in roundi(seconds / 0.01):
		_step(1)
		_now_s += 0.01
		_sink.drain(480)
	_step(1)


## Waits for files.
func _read() -> void:
	for i: int in 30:
		_step(1)
		await tree.process_frame
