# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## Player nodes and the real service on the fake engine, through the engine's mixer: what a bus gets is looked at.

const Channel := preload("res://addons/segue/core/net/channel.gd")
const Codec := preload("res://addons/segue/core/wire/codec.gd")
const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const Decoder := preload("res://addons/segue/core/audio/decoder.gd")
const Departures := preload("res://addons/segue/player/departures.gd")
const Outcome := preload("res://addons/segue/core/session/outcome.gd")
const RealServer := preload("res://tests/real_server.gd")

const BAKED: String = "user://test_end_to_end"
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


func test_what_the_server_sends_is_what_a_bus_gets() -> void:
	if not skipped.is_empty():
		return
	var music: SoundtrackPlayer = _player()
	music.encoding = Decoder.F32
	music.play()
	await _until_heard(music, 96000)
	var sent: PackedVector2Array = await _sent(music, 72000)
	var at: int = _find(sent.slice(24000, 24064))
	ok(at >= 0, "the bus gets it as it is")
	var worst: float = 0.0
	for i: int in range(24000, 72000):
		worst = maxf(worst, (_captured[at + i - 24000] - sent[i]).abs()[Vector2.AXIS_X])
	near(worst, 0.0, 1e-6, "a second of it, sample by sample")
	few(music.get_reading().underruns, "underruns")
	eq(music.get_reading().gaps, 0, "gaps")


func test_controls_are_heard_where_they_said() -> void:
	if not skipped.is_empty():
		return
	var music: SoundtrackPlayer = _player()
	var told: Array[Array] = []
	var beats: Array[int] = []
	music.state_changed.connect(
		func(to: StringName, from: StringName) -> void: told.append([to, from, music.heard_sample])
	)
	music.beat.connect(func(of: int) -> void: beats.append(of))
	music.bar.connect(func(_of: int) -> void: told.append(["bar"]))
	music.transition_started.connect(func(from: StringName, to: StringName) -> void: told.append([from, to]))
	music.play()
	await _until_heard(music, 48000)
	music.set_parameter(&"danger", 0.5)
	var outcome: Outcome = await music.post_event(&"enemy_spotted")
	eq(outcome.ok, true, str(outcome))
	eq(outcome.state, "combat")
	ok(outcome.audible_at_sample > 48000, str(outcome))
	await _until_heard(music, outcome.audible_at_sample + 48000)
	eq(music.music_state, &"combat")
	ok(told.has([&"explore", &"combat"]), "transition_started: %s" % [told])
	var changed: Array = told.filter(func(one: Array) -> bool: return one.size() == 3)
	eq(changed.size(), 1, "state_changed")
	if changed.size() == 1:
		eq(changed[0].slice(0, 2), [&"combat", &"explore"])
		var late: int = changed[0][2] - outcome.audible_at_sample
		print("    state_changed %d ms after its sample (the dummy driver mixes 85 ms at once)" % roundi(late / 48.0))
	ok(beats.size() >= 2, "beats: %s" % [beats])
	for i: int in range(1, beats.size()):
		eq(beats[i], (beats[i - 1] + 1) % 4, "beats in order: %s" % [beats])
	near(music.bpm, 93.75, 0.01, "tempo")
	var wrong: Outcome = await music.set_state(&"comat")
	eq(wrong.status.reason, "UNKNOWN_NAME")
	eq(wrong.status.near_misses[0], "combat")


func test_a_change_is_heard_soon_however_much_is_buffered_and_without_a_click() -> void:
	if not skipped.is_empty():
		return
	for encoding: int in [Decoder.F32, Decoder.QOA, Decoder.S16]:
		_captured.clear()
		var music: SoundtrackPlayer = _player()
		music.lead_ms = 3000
		music.encoding = encoding
		var takes: Array[int] = []
		music.take_changed.connect(takes.append)
		music.play()
		await _until_heard(music, 24000)
		await until(func() -> bool: return music.get_reading().reserve_s > 2.0, 10.0, "two seconds of reserve")
		var before: int = music.heard_sample
		var outcome: Outcome = await music.set_state(&"combat", SoundtrackPlayer.ExitSourceAt.IMMEDIATE)
		eq(outcome.landing, Outcome.Landing.REWOUND, str(outcome))
		var later: int = outcome.audible_at_sample - before
		ok(later < 24000, "half a second later at most, not the lead: %d" % later)
		await _until_heard(music, outcome.audible_at_sample + 24000)
		eq(takes, [1] as Array[int], "take_changed")
		few(music.get_reading().underruns, "underruns")
		eq(music.get_reading().late_takes, 0, "late takes")
		_check_steps(music)
		print("    encoding %d: heard %d ms later" % [encoding, roundi(later / 48.0)])
		music.free()
		await sleep(0.3)


func test_pause_and_stop() -> void:
	if not skipped.is_empty():
		return
	var music: SoundtrackPlayer = _player()
	music.play()
	await _until_heard(music, 24000)
	tree.paused = true
	await sleep(0.5)
	var heard: int = music.heard_sample
	_captured.clear()
	await sleep(0.5)
	ok(music.heard_sample - heard <= 512, "time stands still with the tree: %d" % (music.heard_sample - heard))
	near(_loudest(), 0.0, 1e-6, "silence")
	tree.paused = false
	await _until_heard(music, heard + 24000)
	few(music.get_reading().underruns, "a pause is no underrun")
	eq(music.get_reading().jumps, 0)
	_check_steps(music)
	music.pause()
	await sleep(0.3)
	eq((await _session(music)).get("status"), 2, "paused on the server, too")
	var id: String = music.session_id
	music.play()
	heard = music.heard_sample
	await _until_heard(music, heard + 24000)
	eq(music.session_id, id, "the same session")
	var token: String = music.session_token
	music.notification(Node.NOTIFICATION_APPLICATION_PAUSED)
	await sleep(0.3)
	eq((await _session(music)).get("status"), 2, "paused with the program")
	music.notification(Node.NOTIFICATION_APPLICATION_RESUMED)
	heard = music.heard_sample
	await _until_heard(music, heard + 24000)
	music.stop()
	await until(func() -> bool: return Departures.count() == 0, 5.0, "it ends")
	eq((await _session_of(id, token)).is_empty(), true, "the session is freed")


func test_music_that_the_server_ends_finishes() -> void:
	if not skipped.is_empty():
		return
	var music: SoundtrackPlayer = _player()
	var finished: Array[bool] = []
	var states: Array[int] = []
	music.finished.connect(func() -> void: finished.append(true))
	music.connection_state_changed.connect(states.append)
	music.play()
	await _until_heard(music, 24000)
	await _call(&"Stop", {"control": {"session_id": music.session_id}}, music.session_token)
	await until(func() -> bool: return finished.size() == 1, 5.0, "finished")
	eq(music.playing, false)
	eq(states.slice(-2), [ConnectionState.State.STOPPED, ConnectionState.State.IDLE] as Array[int])
	await sleep(0.3)
	_check_steps(music)


func test_three_players_and_a_fourth_that_listens_along() -> void:
	if not skipped.is_empty():
		return
	for i: int in 3:
		_player().play()
	for music: SoundtrackPlayer in _players:
		await _until_heard(music, 24000)
	var along: SoundtrackPlayer = _player()
	along.attach(_players[0].session_id, _players[0].session_token)
	await _until_heard(along, _players[0].heard_sample)
	for step: int in 20:
		for music: SoundtrackPlayer in _players:
			music.set_parameter(&"danger", step * 0.05)
		await sleep(0.02)
	eq((await _players[1].post_event(&"enemy_spotted")).state, "combat")
	along.stream_paused = true
	await sleep(0.5)
	along.stream_paused = false
	await sleep(1.0)
	var apart: int = absi(along.heard_sample - _players[0].heard_sample)
	ok(apart < 24000, "after a pause it is where the others are: %d ms apart" % roundi(apart / 48.0))
	var id: String = _players[0].session_id
	var token: String = _players[0].session_token
	along.free()
	for i: int in 3:
		few(_players[i].get_reading().underruns, "underruns")
		eq(_players[i].get_reading().gaps, 0, "gaps")
	await sleep(0.3)
	eq((await _session_of(id, token)).is_empty(), false, "the session of another goes on")


func test_a_killed_server_is_survived_under_the_loop() -> void:
	if not skipped.is_empty():
		return
	var music: SoundtrackPlayer = _player()
	var states: Array[int] = []
	music.connection_state_changed.connect(states.append)
	_bake()
	music.baked_folder = BAKED
	music.play()
	await _until_heard(music, 48000)
	await _server.kill(tree)
	await until(func() -> bool: return states.has(ConnectionState.State.RECONNECTING), 10.0, "the break is noticed")
	await sleep(1.0)
	var control: Callable = func() -> Outcome: return await music.post_event(&"enemy_spotted")
	_captured.clear()
	await sleep(0.3)
	near(_loudest(), 0.4, 0.01, "the loop is heard")
	eq(music.get_reading().has_fallback, true)
	var heard: int = music.heard_sample
	await _server.start(tree)
	eq((await control.call()).state, "combat", "a control that waited")
	await _until_heard(music, heard + 48000)
	var reading: SoundtrackPlayer.Conductor.Reading = music.get_reading()
	eq(reading.resumes, 1, "resumes")
	eq(reading.gaps, 0, "gaps")
	eq(reading.jumps, 0, "the timeline is continuous")
	eq(reading.state, ConnectionState.State.PLAYING)
	_check_steps(music)


func test_a_saved_game_goes_on() -> void:
	if not skipped.is_empty():
		return
	var music: SoundtrackPlayer = _player()
	music.play()
	await _until_heard(music, 48000)
	await music.set_state(&"boss", SoundtrackPlayer.ExitSourceAt.IMMEDIATE)
	await _until_heard(music, music.heard_sample + 48000)
	var saved: PackedByteArray = music.save()
	var heard: int = music.heard_sample
	var id: String = music.session_id
	ok(saved.size() > 100 and saved.size() < 30000, "%d bytes" % saved.size())
	music.stop()
	await sleep(0.2)
	var loaded: SoundtrackPlayer = _player()
	eq(loaded.resume_from(saved), true)
	await _until_heard(loaded, heard + 24000)
	ok(loaded.session_id != id, "another session")
	eq(loaded.music_state, &"boss")


func test_a_scene_that_is_changed_frees_its_session() -> void:
	if not skipped.is_empty():
		return
	var music: SoundtrackPlayer = _player()
	music.play()
	await _until_heard(music, 24000)
	var id: String = music.session_id
	var token: String = music.session_token
	var begin: int = Time.get_ticks_usec()
	music.free()
	var took: int = Time.get_ticks_usec() - begin
	print("    freeing the node took %d µs" % took)
	await until(func() -> bool: return Departures.count() == 0, 3.0, "it ends in the background")
	eq((await _session_of(id, token)).is_empty(), true, "the session is freed")


func test_a_hitch_of_the_game_does_not_stop_the_music() -> void:
	if not skipped.is_empty():
		return
	var music: SoundtrackPlayer = _player()
	music.play()
	await _until_heard(music, 48000)
	var gaps: Array[int] = []
	for hitch: int in 3:
		var before: int = _skips(music)
		OS.delay_msec(500)
		await tree.process_frame
		gaps.append(_skips(music) - before)
		await sleep(0.2)
	ok(gaps.has(0), "half a second of nothing, three times: gaps %s" % [gaps])
	few(music.get_reading().underruns, "underruns")


func test_players_at_places_play_too() -> void:
	if not skipped.is_empty():
		return
	for node: Node in [SoundtrackPlayer2D.new(), SoundtrackPlayer3D.new()]:
		node.set("server", _server.address)
		node.set("soundtrack", "dungeon")
		tree.root.add_child(node)
		node.call("play")
		await until(func() -> bool: return node.get("heard_sample") >= 24000, 20.0, node.get_class())
		node.free()


func test_what_it_costs() -> void:
	if not skipped.is_empty():
		return
	for encoding: int in [Decoder.QOA, Decoder.S16, Decoder.F32]:
		var music: SoundtrackPlayer = _player()
		music.encoding = encoding
		music.play()
		await _until_heard(music, 48000)
		await _measure(music, "encoding %d, played" % encoding, false)
		if encoding == Decoder.QOA:
			await _measure(music, "encoding %d, played and steered every frame" % encoding, true)
		music.free()
		await sleep(0.1)


func _measure(music: SoundtrackPlayer, what: String, steers: bool) -> void:
	var conductor: SoundtrackPlayer.Conductor = music._conductor
	var pump: SoundtrackPlayer.Conductor.Pump = conductor.get_pump()
	var heard: int = music.heard_sample
	var busy: int = pump.busy_usec()
	var begin: int = Time.get_ticks_usec()
	var ticks: PackedInt32Array = PackedInt32Array()
	tree.process_frame.disconnect(conductor.tick)
	while Time.get_ticks_usec() - begin < 2500000:
		await tree.process_frame
		var tick: int = Time.get_ticks_usec()
		if steers:
			music.set_parameter(&"danger", 0.5 + 0.5 * sin(ticks.size() * 0.01))
		conductor.tick()
		ticks.append(Time.get_ticks_usec() - tick)
	tree.process_frame.connect(conductor.tick)
	var seconds: float = (Time.get_ticks_usec() - begin) / 1e6
	var thread_ms: float = (pump.busy_usec() - busy) / 1e3 / seconds
	ticks.sort()
	print(
		(
			"    %s: half of %d frames took at most %d µs on the main thread; %.1f ms a second in the pump's"
			% [what, ticks.size(), ticks[ticks.size() >> 1], thread_ms]
		)
	)
	ok(music.heard_sample > heard + 72000, "it plays meanwhile")


## What `segue bake` would write: a tone of 500 Hz, 0.4 loud, as the loop of every state.
func _bake() -> void:
	DirAccess.make_dir_recursive_absolute(BAKED)
	var loop: Dictionary = {"file": "loop.ogg", "samples": 4800, "loop_start": 0, "loop_end": 4800}
	var manifest: Dictionary = {
		"format": 1,
		"soundtrack": "dungeon",
		"hash": "sha256:00",
		"initial": "explore",
		"states": {"explore": loop, "combat": loop},
		"stingers": {},
	}
	var file: FileAccess = FileAccess.open(BAKED.path_join("manifest.json"), FileAccess.WRITE)
	file.store_string(JSON.stringify(manifest))
	file.close()
	file = FileAccess.open(BAKED.path_join("loop.ogg"), FileAccess.WRITE)
	file.store_buffer(FileAccess.get_file_as_bytes("res://tests/data/tone.ogg"))
	file.close()


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


## Where the bus got exactly these frames; −1: nowhere.
func _find(frames: PackedVector2Array) -> int:
	for at: int in _captured.size() - frames.size():
		if (_captured[at] - frames[0]).length() < 1e-6 and (_captured[at + 40] - frames[40]).length() < 1e-6:
			if _captured.slice(at, at + frames.size()) == frames:
				return at
	return -1


## The first `count` samples as the server keeps them.
func _sent(music: SoundtrackPlayer, count: int) -> PackedVector2Array:
	var channel: Channel = Channel.new(_server.address)
	var fields: Dictionary = {"session_id": music.session_id, "encoding": Decoder.F32, "from_sample": 0}
	var stream: Channel.Stream = channel.stream("StreamAudio", &"StreamAudioRequest", fields, music.session_token)
	var found: PackedVector2Array = PackedVector2Array()
	while found.size() < count and not stream.done:
		channel.poll(Time.get_ticks_usec() / 1e6)
		for bytes: PackedByteArray in stream.take_messages():
			var chunk: Dictionary = Codec.decode(&"StreamAudioResponse", bytes).get("audio", {})
			if not chunk.is_empty():
				found.append_array(Decoder.to_frames(Decoder.F32, chunk["payload"], chunk["sample_count"], 0))
		await tree.process_frame
	channel.close()
	ok(found.size() >= count, "%d samples of the server" % found.size())
	return found


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
