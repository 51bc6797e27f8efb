# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## Player nodes and the real service on the fake engine, through the engine's mixer: what a bus gets is captured.

const Channel := preload("res://addons/segue/core/net/channel.gd")
const Departures := preload("res://addons/segue/player/departures.gd")
const RealServer := preload("res://tests/real_server.gd")

const BUS: StringName = &"Captured"
## Steps of the fake engine's tones: 1,775 Hz at 0.126 in both takes of a fade.
const TONE_STEP: float = 0.06

var _server: RealServer = RealServer.new()
var _players: Array[SoundtrackPlayer] = []
var _capture: AudioEffectCapture = null
var _captured: PackedVector2Array = PackedVector2Array()


func limit_s() -> float:
	return 150.0


func before_each() -> void:
	if not _server.missing().is_empty():
		skip(_server.missing())
		return
	AudioServer.add_bus()
	AudioServer.set_bus_name(AudioServer.bus_count - 1, BUS)
	_capture = AudioEffectCapture.new()
	_capture.buffer_length = 2.0
	AudioServer.add_bus_effect(AudioServer.bus_count - 1, _capture)
	tree.process_frame.connect(_collect)


func after_each() -> void:
	tree.paused = false
	for player: SoundtrackPlayer in _players:
		if is_instance_valid(player):
			player.free()
	await until(func() -> bool: return Departures.count() == 0, 5.0, "threads end")
	await sleep(0.25)
	if _capture != null:
		tree.process_frame.disconnect(_collect)
		AudioServer.remove_bus(AudioServer.get_bus_index(BUS))


func _player() -> SoundtrackPlayer:
	var music: SoundtrackPlayer = SoundtrackPlayer.new()
	music.server = _server.address
	music.soundtrack = "dungeon"
	music.seed = 7
	music.bus = BUS
	tree.root.add_child(music)
	_players.append(music)
	return music


func _until_heard(music: SoundtrackPlayer, sample: int) -> void:
	await until(func() -> bool: return music.heard_sample >= sample, 20.0, "sample %d is heard" % sample)


func _collect() -> void:
	_captured.append_array(_capture.get_buffer(_capture.get_frames_available()))


func _loudest() -> float:
	var found: float = 0.0
	for frame: Vector2 in _captured:
		found = maxf(found, absf(frame.x))
	return found


func _largest_step() -> float:
	var found: float = 0.0
	for i: int in range(1, _captured.size()):
		found = maxf(found, (_captured[i] - _captured[i - 1]).abs()[Vector2.AXIS_X])
	return found


## A change is no click: tones meet without one, and what is faded has no larger steps.
func _check_steps(music: SoundtrackPlayer) -> void:
	if OS.get_environment("SEGUE_MODEL") == "starter":
		print("    the click check is for the fake engine's tones: a drum is a larger step than a click of theirs")
		return
	var step: float = _largest_step()
	if _skips(music) > 0:
		print("    largest step %.4f: not judged, as the machine was too busy to play without a gap" % step)
		return
	ok(step < TONE_STEP, "no click: %s" % step)


## Gaps that are the machine's, not the stream's: it did not call the threads for a tenth of a second.
func _skips(music: SoundtrackPlayer) -> int:
	return music.get_reading().skips


func _call(method: StringName, fields: Dictionary, token: String) -> Channel.Call:
	var channel: Channel = Channel.new(_server.address)
	var call: Channel.Call = channel.unary(
		method, StringName(method + "Request"), fields, StringName(method + "Response"), token, 5.0
	)
	while not call.done:
		channel.poll(Time.get_ticks_usec() / 1e6)
		await tree.process_frame
	channel.close()
	return call


## Fields of a Session; {} if there is none.
func _session_of(id: String, token: String) -> Dictionary:
	return (await _call(&"GetSession", {"session_id": id}, token)).response.get("session", {})


func _session(music: SoundtrackPlayer) -> Dictionary:
	return await _session_of(music.session_id, music.session_token)
