# SPDX-License-Identifier: Apache-2.0
extends "res://tests/captured.gd"
## Sessions on a real server from their first sample to their last: paused, shared, saved, broken off, freed.

const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const Outcome := preload("res://addons/segue/core/session/outcome.gd")

const BAKED: String = "user://test_end_to_end"


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
