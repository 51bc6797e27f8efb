# SPDX-License-Identifier: Apache-2.0
extends "res://tests/staged.gd"
## What is heard of a session, and when.


func test_events_come_when_they_are_heard() -> void:
	_begin()
	_server.tell(4800, "bar", {"bar": 3})
	_server.send_audio(0, 24000)
	_play(0.1)
	eq(_session.take_events(_session.reading().drained).size(), 0, "it is in the generator, and not heard")
	_play(0.03)
	var heard: int = _session.reading().drained
	ok(heard > 4800 and heard < 4800 + 2400, "heard: %d" % heard)
	var events: Array[Dictionary] = _session.take_events(heard)
	eq(events.size(), 1)
	eq(events[0]["bar"], {"bar": 3})
	eq(_session.take_events(heard).size(), 0, "once")


func test_a_take_is_heard_soon_and_without_a_click() -> void:
	_options.lead_ms = 3000
	_begin()
	_server.send_audio(0, 144000, 0.2)
	_play(0.5)
	var from: int = _session.reading().playhead + 2400
	_server.tell(from, "rewound", {"replaced_until_sample": 144000}, 1)
	_server.send_audio(from - 480, 48000, 0.3, 1)
	_play(0.5)
	near(_sink.frames[-1].x, 0.3, 1e-6, "the new take")
	eq(_session.reading().take, 1)
	eq(_session.reading().late_takes, 0)
	ok(_sink.largest_step() <= 0.101, "a take itself may step, its place is the server's: %s" % _sink.largest_step())
	_server.send_audio(_session.reading().playhead - 4800, 48000, -0.3, 2)
	var before: int = _sink.frames.size()
	_play(0.3)
	eq(_session.reading().late_takes, 1, "this one came too late")
	var late: PackedVector2Array = _sink.frames.slice(before - 1)
	_sink.frames = late
	ok(_sink.largest_step() < 0.002, "and is faded in: %s" % _sink.largest_step())
	near(_sink.frames[-1].x, -0.3, 1e-6)


func test_music_that_was_stopped_is_played_out_and_silent() -> void:
	_begin()
	_server.send_audio(0, 24000)
	_server.send({"goodbye": {"reason": Schema.GoodbyeReason.STOPPED, "next_sample": 24000}})
	_server.end(Status.make(Status.OK))
	_play(1.0)
	eq(_session.reading().state, ConnectionState.State.STOPPED)
	eq(_session.reading().playhead, 24000)
	eq(_session.reading().drained, 24000)
	eq(_session.reading().underruns, 0)
	eq(_session.reading().error, null)
	near(_sink.frames[-1].x, 0.0, 1e-6)
	ok(_sink.largest_step() < 0.002, "without a click: %s" % _sink.largest_step())


func test_the_loop_of_the_state_is_heard_while_the_server_is_gone() -> void:
	_begin()
	_session.use_baked(Baked.new())
	_server.send_audio(0, 24000)
	_server.tell(20000, "state_changed", {"from_state": "explore", "to_state": "combat"})
	_server.tell(4800, "stinger_started", {"name": "hit", "clip": "clips/hit.wav", "gain_db": 0.0})
	await _read()
	_server.is_down = true
	_server.end(Status.make(Status.UNAVAILABLE, "gone"))
	_play(1.0)
	eq(_session.reading().music_state, "combat")
	near(_sink.frames[-1].x, 0.5, 1e-6, "the loop of combat")
	ok(_sink.largest_step() < 0.13, "the clip begins hard, all else is faded: %s" % _sink.largest_step())
	_session.request(&"SetState", {"state": "explore"}, _outcomes.append)
	_play(12.0)
	eq(_outcomes.size(), 1)
	eq(_outcomes[0].ok, false)
	eq(_session.reading().music_state, "explore", "the fallback goes there alone")


func test_a_clip_is_heard_at_its_sample() -> void:
	_begin()
	_session.use_baked(Baked.new())
	await _read()
	_server.tell(9600, "stinger_started", {"name": "hit", "clip": "clips/hit.wav", "gain_db": -6.0206})
	_server.send_audio(0, 24000)
	_play(0.3)
	var begin: int = _sink.frames.size() - _session.reading().playhead
	near(_sink.frames[begin + 9599].x, 0.25, 1e-6)
	near(_sink.frames[begin + 9600].x, 0.25 + 0.0625, 1e-5)
	near(_sink.frames[begin + 9600 + 4800].x, 0.25, 1e-6, "it is over")


func test_a_file_that_is_missing_is_told_of() -> void:
	_begin()
	_session.use_baked(Baked.new())
	_server.tell(0, "state_changed", {"to_state": "lost"})
	await _read()
	eq(_session.take_warnings(), PackedStringArray(["lost.wav: not there"]))


func test_a_pause_is_silent_and_no_underrun() -> void:
	_begin()
	_server.send_audio(0, 24000)
	_server.tell(24000, "status_changed", {"status": Schema.SessionStatus.PAUSED})
	_play(1.0)
	near(_sink.frames[-1].x, 0.0, 1e-6)
	_server.tell(24000, "status_changed", {"status": Schema.SessionStatus.PLAYING})
	_server.send_audio(24000, 24000)
	_play(0.2)
	near(_sink.frames[-1].x, 0.25, 1e-6, "it goes on")
	eq(_session.reading().underruns, 0)
	ok(_sink.largest_step() < 0.002, "without a click: %s" % _sink.largest_step())


func test_playing_is_held_in_time_by_the_generator_s_rate() -> void:
	_begin()
	var generator: AudioStreamGenerator = AudioStreamGenerator.new()
	generator.mix_rate = 48000
	_session.use_sink(_sink, generator)
	_server.send_audio(0, 24000)
	var sent: int = 24000
	for i: int in 150:
		_play(0.1)
		_server.send_audio(sent, 4800)
		sent += 4800
	eq(generator.mix_rate, 48000.0, "the reserve is what it was")
	_server.send_audio(sent, 9600)
	sent += 9600
	for i: int in 200:
		_play(0.1)
		_server.send_audio(sent, 4800)
		sent += 4800
	ok(
		generator.mix_rate > 48050.0 and generator.mix_rate <= 48240.0,
		"faster by at most 0.5 %%: %s" % generator.mix_rate
	)
	near(_session.reading().rate, generator.mix_rate / 48000.0, 1e-3, "the rate")


func test_what_is_hushed_goes_on_unheard() -> void:
	_options.resume = false
	_server.sessions.append("s-9")
	_session = Session.new(_options, _server, "s-9", "token of s-9")
	_session.use_sink(_sink)
	_step(4)
	_server.tell(24000, "beat", {})
	_server.send_audio(0, 96000)
	_play(0.3)
	_session.hush(true)
	var frames: int = _sink.frames.size()
	_play(0.5)
	eq(_sink.frames.size(), frames, "nothing is put in")
	ok(absi(_session.reading().playhead - 48000 * 8 / 10) < 7000, "time goes on: %d" % _session.reading().playhead)
	eq(_session.take_events(_session.reading().drained).size(), 1, "and events come")
	_session.hush(false)
	_sink = FakeSink.new()
	_session.use_sink(_sink)
	_play(0.3)
	near(_sink.frames[-1].x, 0.25, 1e-6, "it is heard again")
	ok(_sink.frames[0].length() < 0.001 and _sink.largest_step() < 0.001, "and fades in")
	ok(_session.reading().drained > 0, "its place is known")
