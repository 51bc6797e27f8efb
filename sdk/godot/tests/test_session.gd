# SPDX-License-Identifier: Apache-2.0
extends "res://tests/staged.gd"
## A session from its creation to its end.

const Controls := preload("res://addons/segue/core/session/controls.gd")
const Pump := preload("res://addons/segue/core/session/pump.gd")


func test_a_session_is_created_heard_and_steered() -> void:
	_options.music_seed = 7
	_options.lead_ms = 500
	_options.parameters = {&"danger": 0.5}
	_begin()
	eq(_server.created[0].get("soundtrack_id"), "dungeon")
	eq(_server.created[0].get("seed"), 7)
	eq(_server.created[0]["parameters"], [{"name": "danger", "value": 0.5}])
	eq(_server.streams.size(), 1, "listeners")
	_server.send_audio(0, 24000)
	_play(0.05)
	eq(_session.reading().state, ConnectionState.State.PLAYING)
	eq(_sink.frames.size(), 4800 + 2400, "frames: a tenth of a second ahead of what was played")
	eq(_session.reading().playhead, _sink.frames.size() - 960, "the playhead, after 20 ms of waiting")
	near(_sink.frames[-1].x, 0.25, 1e-6)
	_session.request(
		&"PostEvent", {"event": "enemy_spotted"}, _outcomes.append, {"exit_source_at": Schema.ExitSourceAt.NEXT_BAR}
	)
	_step(3)
	eq(_outcomes.size(), 1, "outcomes")
	eq(_outcomes[0].audible_at_sample, 9600)
	eq(_outcomes[0].landing, Outcome.Landing.REWOUND)
	var header: Dictionary = _server.controls[0]["control"]
	eq(header.get("request_id", "").length(), 32)
	eq(header.get("playhead_sample"), _session.reading().playhead)
	eq(header.get("listener_id"), "l-1")
	eq(header.get("exit_source_at"), 3)
	eq(_server.tokens[-1], "token of s-1", "the token")
	_play(0.6)
	eq(_server.reports[0].get("listener_id"), "l-1", "reports")
	eq(_session.reading().underruns, 1, "nothing came any more")


func test_a_broken_stream_is_taken_up_where_it_broke_off() -> void:
	_begin()
	_server.send_audio(0, 24000)
	_step(1)
	_server.end(Status.make(Status.UNAVAILABLE, "the connection broke"))
	_step(1)
	eq(_session.reading().state, ConnectionState.State.RECONNECTING)
	_play(0.1)
	eq(_server.streams.size(), 2, "streams")
	eq(_server.streams[1].get("from_sample"), 24000)
	_server.send_audio(24000, 24000)
	_play(0.1)
	eq(_session.reading().reconnects, 1)
	eq(_session.reading().gaps, 0)
	eq(_session.reading().state, ConnectionState.State.PLAYING)


func test_a_server_that_has_lost_the_session_is_given_it_back() -> void:
	_begin()
	_lose()
	_server.is_down = true
	_play(0.1)
	eq(_session.reading().state, ConnectionState.State.RECONNECTING)
	_session.request(&"PostEvent", {"event": "enemy_spotted"}, _outcomes.append)
	_play(0.2)
	eq(_outcomes.size(), 0, "the control waits")
	_server.is_down = false
	_play(3.0)
	eq(_session.reading().resumes, 1)
	var resume: Dictionary = _server.created[-1]["resume"]
	eq(resume.get("from_sample"), 24000)
	eq(resume.get("session_token"), "token of s-1")
	eq(resume.get("token"), PackedByteArray([42]))
	eq(resume["continuation"].size(), 7, "pieces of 80 ms")
	eq(_server.streams[-1].get("from_sample"), 24000)
	eq(_outcomes.size(), 1, "outcomes")
	eq(_outcomes[0].state, "combat")


func test_where_resuming_is_refused_a_session_of_the_same_kind_begins() -> void:
	_server.refuses_resume = "RESUME_REFUSED"
	_begin()
	_server.tell(20000, "state_changed", {"from_state": "explore", "to_state": "combat"})
	_lose()
	_play(3.0)
	eq(_server.created[-1].get("initial_state"), "combat")
	eq(_server.streams[-1].has("from_sample"), false, "the live edge")
	eq(_session.take_events(1 << 40).size(), 0, "events of the old timeline are void")
	_server.send_audio(0, 24000, 0.125)
	_play(0.1)
	near(_sink.frames[-1].x, 0.125, 1e-6, "the new timeline")
	ok(_session.reading().playhead < 12000, "its playhead: %d" % _session.reading().playhead)


func test_an_attached_session_that_is_gone_fails_with_the_reason() -> void:
	_options.resume = false
	_session = Session.new(_options, _server, "s-9", "token of s-9")
	_step(4)
	eq(_session.reading().state, ConnectionState.State.FAILED)
	eq(_session.reading().error.reason, "UNKNOWN_SESSION")
	eq(_server.created.size(), 0, "nothing is created")


func test_garbage_from_the_server_is_a_break_and_no_more() -> void:
	_begin()
	_server.send_audio(0, 24000)
	_step(1)
	_server.send_raw(PackedByteArray([0xff, 0xff, 0xff]))
	_play(0.2)
	eq(_server.streams.size(), 2, "another stream after no message")
	_server.send_audio(24000, 96000)
	_play(0.1)
	_server.send({"audio": {"sample_count": 99, "first_sample": 120000, "payload": PackedByteArray([1, 2])}})
	_play(0.3)
	eq(_server.streams.size(), 3, "another stream after no audio")
	eq(_session.reading().state, ConnectionState.State.PLAYING)


func test_a_dead_connection_is_noticed() -> void:
	_begin()
	_server.send_audio(0, 24000)
	_play(0.3)
	_server.refuses_calls = true
	_play(1.3)
	eq(_session.reading().reconnects, 1, "two reports failed, and nothing came")
	eq(_server.streams.size(), 2)
	_server.end(Status.make(Status.UNAVAILABLE, "broke"))
	_server.is_deaf = true
	_play(9.0)
	eq(_session.reading().reconnects, 2, "patience")
	_server.is_deaf = false
	_play(5.0)
	eq(_session.reading().reconnects >= 3, true, "a stream that never says a word is given up")
	ok(_server.streams.size() > 2, "taken up again")


func test_a_stream_that_is_dead_while_reports_get_through_is_begun_anew() -> void:
	_begin()
	_server.send_audio(0, 24000)
	_play(2.5)
	eq(_session.reading().state, ConnectionState.State.STARVED)
	eq(_server.streams.size(), 1, "it may still come")
	_play(2.0)
	eq(_server.streams.size(), 2, "another stream")
	eq(_server.streams[1].get("from_sample"), 24000)
	_server.send_audio(24000, 24000)
	_play(0.3)
	eq(_session.reading().state, ConnectionState.State.PLAYING)
	eq(_session.reading().gaps, 0)


func test_a_chunk_or_take_from_far_away_is_not_the_end() -> void:
	for wrong: Dictionary in [{"first_sample": 1 << 40}, {"first_sample": 24000, "take": 1 << 30}, {"first_sample": 0}]:
		_server = FakeChannel.new()
		_sink = FakeSink.new()
		_begin()
		_server.send_audio(0, 24000)
		_play(0.1)
		_server.send_audio(wrong["first_sample"], 3840, 0.5, wrong.get("take", 0))
		_play(0.3)
		eq(_server.streams.size(), 2, "another stream after %s" % wrong)
		eq(_server.streams[1].has("from_sample"), false, "from the live edge")
		_server.send_audio(24000, 48000, 0.125)
		_play(0.3)
		eq(_session.reading().state, ConnectionState.State.PLAYING)
		near(_sink.frames[-1].x, 0.125, 1e-6, "the music after %s" % wrong)
		after_each()


func test_a_server_that_is_not_there_yet_is_waited_for_under_the_loop() -> void:
	_server.is_down = true
	_begin()
	_session.use_baked(Baked.new())
	await _read()
	_play(2.0)
	eq(_session.reading().state, ConnectionState.State.CONNECTING)
	near(_sink.frames[-1].x, 0.4, 1e-6, "the loop of the first state")
	eq(_session.reading().error.code, Status.UNAVAILABLE)
	_server.is_down = false
	_play(3.1)
	eq(_server.streams.size(), 1, "streams")


func test_a_soundtrack_that_does_not_exist_fails() -> void:
	_begin(false)
	_session.request(&"PostEvent", {"event": "x"}, _outcomes.append)
	_server.poll(0.0)
	_session = Session.new(_options, Refusing.new())
	_session.request(&"PostEvent", {"event": "x"}, _outcomes.append)
	_step(4)
	eq(_session.reading().state, ConnectionState.State.FAILED)
	eq(_outcomes.size(), 1)
	eq(_outcomes[0].status.reason, "UNKNOWN_NAME", "what controls are told")


class Refusing:
	extends FakeChannel

	func _create(call: FakeCall) -> void:
		call.status = Status.make(Status.NOT_FOUND, "no soundtrack")
		call.status.reason = "UNKNOWN_NAME"


func test_a_long_pause_waits_for_play() -> void:
	_begin()
	_server.send_audio(0, 24000)
	_server.tell(24000, "status_changed", {"status": Schema.SessionStatus.SUSPENDED})
	_server.send({"goodbye": {"reason": Schema.GoodbyeReason.SUSPENDED, "retry_after_ms": -1}})
	_server.end(Status.make(Status.OK))
	_play(1.0)
	eq(_session.reading().state, ConnectionState.State.SUSPENDED)
	eq(_server.streams.size(), 1, "it waits")
	_session.request(&"Play", {}, _outcomes.append)
	_step(4)
	eq(_server.streams.size(), 2)
	eq(_server.streams[1].get("from_sample"), 24000)
	eq(_session.reading().underruns, 0)


func test_controls_keep_their_order_and_too_many_are_dropped() -> void:
	_begin()
	for i: int in Controls.MOST + 2:
		_session.request(&"PostEvent", {"event": "e%d" % i}, _outcomes.append)
	_step(1)
	eq(_outcomes.size(), 2, "dropped at once")
	eq(_outcomes[0].status.code, Status.UNAVAILABLE)
	_step(3 * Controls.MOST)
	eq(_server.controls.size(), Controls.MOST)
	for i: int in _server.controls.size():
		eq(_server.controls[i]["event"], "e%d" % i)


func test_a_control_that_is_sent_again_keeps_its_name() -> void:
	_begin()
	_server.send_audio(0, 24000)
	_server.send({"resume_point": {"token": PackedByteArray([42])}})
	_step(1)
	_server.next_control = Status.make(Status.UNAVAILABLE, "the connection broke before there was an answer")
	_session.request(&"PostTrigger", {"trigger": "treasure"}, _outcomes.append)
	_play(0.5)
	eq(_outcomes.size(), 1)
	eq(_outcomes[0].ok, true)
	eq(_server.controls.size(), 1)
	_server.next_control = Status.make(Status.NOT_FOUND, "no stinger")
	_session.request(&"PostTrigger", {"trigger": "tresure"}, _outcomes.append)
	_step(3)
	eq(_outcomes[1].status.code, Status.NOT_FOUND, "a refusal is not sent again")


func test_what_is_saved_can_be_resumed() -> void:
	_begin()
	eq(_session.save().size(), 0, "nothing was heard")
	_server.send_audio(0, 24000)
	_server.send({"resume_point": {"token": PackedByteArray([42])}})
	_play(0.25)
	var heard: int = _session.reading().drained
	var saved: PackedByteArray = _session.save()
	eq(Session.parse_saved(PackedByteArray([1, 2, 3])), {}, "no save")
	eq(Session.parse_saved(PackedByteArray()), {}, "no save")
	after_each()
	_options.client_token = "tenant"
	_session = Session.new(_options, _server, "", "", Session.parse_saved(saved))
	_step(4)
	var resume: Dictionary = _server.created[-1]["resume"]
	eq(resume.get("from_sample"), heard)
	eq(resume.has("session_token"), false)
	eq(_server.tokens.has("tenant"), true, "the client's token creates")
	eq(_server.created[-1].has("soundtrack_id"), false, "the token's own")


func test_leaving_frees_a_session_of_our_own_and_no_other() -> void:
	_begin()
	_session.request(&"PostEvent", {"event": "x"}, _outcomes.append)
	eq(_session.leave(_now_s), false)
	eq(_session.leave(_now_s + 0.1), true)
	eq(_server.closed, PackedStringArray(["s-1"]))
	_session.deliver()
	eq(_outcomes[0].status.code, Status.CANCELLED, "nobody waits for ever")
	_session = Session.new(_options, _server, "s-1", "token of s-1")
	_step(4)
	eq(_session.leave(_now_s), true)
	eq(_server.closed.size(), 1, "an attached one is left alone")
	_session = Session.new(_options, _server)
	_session.step(_now_s)
	eq(_session.leave(_now_s), false, "what is being created is waited for")
	_session.leave(_now_s)
	_session.leave(_now_s)
	eq(_server.closed.size(), 2, "and freed")
	_server.is_deaf = true
	_session = Session.new(_options, _server)
	_session.step(_now_s)
	eq(_session.leave(_now_s), false)
	eq(_session.leave(_now_s + 2.5), true, "but not for ever")


func test_the_lead_is_asked_for_and_kept() -> void:
	_begin()
	_server.send_audio(0, 12000)
	_play(2.0)
	_server.lead_ms = 450
	_play(1.0)
	eq(_server.reports[-1].get("target_lead_ms"), 450, "after an underrun")
	eq(_session.reading().lead_ms, 450)


func test_a_pump_runs_a_session_with_a_thread_and_without() -> void:
	for threaded: bool in [true, false]:
		var server: FakeChannel = FakeChannel.new()
		_options.soundtrack = "dungeon"
		var pump: Pump = Pump.new(Session.new(_options, server))
		pump.begin(threaded)
		var has_begun: Callable = func() -> bool:
			pump.poll()
			return pump.session.reading().id == "s-1"
		await until(has_begun, 2.0, "a session, threaded: %s" % threaded)
		ok(pump.busy_usec() > 0, "it works")
		pump.leave()
		var is_over: Callable = func() -> bool:
			pump.poll()
			return pump.is_over()
		await until(is_over, 3.0, "the end, threaded: %s" % threaded)
		pump.join()
		eq(server.closed, PackedStringArray(["s-1"]))
		server.is_deaf = true
		pump = Pump.new(Session.new(_options, server))
		pump.begin(threaded)
		pump.cut()
		pump.poll()
		pump.join()
		eq(pump.session.reading().state, ConnectionState.State.STOPPED, "cut at once")
