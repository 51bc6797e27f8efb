# SPDX-License-Identifier: Apache-2.0
extends "res://tests/captured.gd"
## What is heard of a real server, and when: its samples as they are, controls at their place, no click and no gap.

const Codec := preload("res://addons/segue/core/wire/codec.gd")
const Decoder := preload("res://addons/segue/core/audio/decoder.gd")
const Outcome := preload("res://addons/segue/core/session/outcome.gd")


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
