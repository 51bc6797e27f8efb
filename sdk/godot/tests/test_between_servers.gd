# SPDX-License-Identifier: Apache-2.0
extends "res://tests/staged.gd"
## What a client does while its session is at no server: who waits, how long, and what is said in the end.


func test_a_listener_that_others_have_overtaken_learns_the_way() -> void:
	_server.way = "token by another way"
	_begin()
	eq(_session.reading().token, "token by another way")
	_session.request(&"PostEvent", {"event": "enemy_spotted"}, _outcomes.append)
	_step(3)
	eq(_outcomes.size(), 1)
	eq(_server.tokens[-1], "token by another way")


func test_a_control_is_not_told_that_there_is_no_session_while_it_is_brought_back() -> void:
	_begin()
	_lose()
	_server.is_full = true
	_session.request(&"PostEvent", {"event": "enemy_spotted"}, _outcomes.append)
	_play(8.0)
	eq(_outcomes.size(), 0, "it waits")
	_play(3.0)
	eq(_outcomes.size(), 1, "not for ever")
	eq(_outcomes[0].status.code, Status.UNAVAILABLE)
	eq(_outcomes[0].status.reason, "UNKNOWN_SESSION")
	ok(_server.tried.size() > 10, "sent again: %d" % _server.tried.size())
	for fields: Dictionary in _server.tried:
		eq(fields["control"]["request_id"], _server.tried[0]["control"]["request_id"], "the control's name")
	_server.is_full = false
	_play(6.0)
	_session.request(&"PostEvent", {"event": "enemy_spotted"}, _outcomes.append)
	_step(3)
	eq(_outcomes[-1].state, "combat")


func test_where_nobody_brings_it_back_a_control_fails_at_once() -> void:
	_begin()
	_server.send({"resume_point": {"token": PackedByteArray([42])}})
	_server.send_audio(0, 24000)
	_server.send({"goodbye": {"reason": Schema.GoodbyeReason.CLOSED}})
	_server.end(Status.make(Status.OK))
	_play(0.1)
	eq(_session.reading().state, ConnectionState.State.STOPPED)
	_server.sessions.clear()
	_session.request(&"PostEvent", {"event": "enemy_spotted"}, _outcomes.append)
	_step(3)
	eq(_outcomes.size(), 1)
	eq(_outcomes[0].status.code, Status.NOT_FOUND)
	eq(_server.tried.size(), 1, "times that it was sent")
