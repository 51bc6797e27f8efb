# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## The engine's performance monitors.

const FakePlayer := preload("res://tests/fake_player.gd")
const Ladder := preload("res://addons/segue/core/audio/ladder.gd")
const Monitors := preload("res://addons/segue/core/monitors.gd")
const Reading := preload("res://addons/segue/core/session/reading.gd")

var _players: Array[FakePlayer] = []


func before_each() -> void:
	for i: int in 3:
		_players.append(FakePlayer.new())


func after_each() -> void:
	for player: FakePlayer in _players:
		Monitors.remove(player)
		player.free()


func test_they_come_with_the_first_player_and_go_with_the_last() -> void:
	eq(Performance.has_custom_monitor(Monitors.BUFFER_MS), false, "before")
	Monitors.add(_players[0])
	Monitors.add(_players[0])
	Monitors.add(_players[1])
	Monitors.remove(_players[0])
	eq(Performance.has_custom_monitor(Monitors.BUFFER_MS), true, "one is left")
	Monitors.remove(_players[0])
	eq(Performance.has_custom_monitor(Monitors.BUFFER_MS), true, "that one was gone already")
	Monitors.remove(_players[1])
	for name: StringName in Monitors.ALL:
		eq(Performance.has_custom_monitor(name), false, name)
	Monitors.add(_players[2])
	eq(Performance.get_custom_monitor_names().size(), Monitors.ALL.size(), "and anew")


func test_values_of_several_players() -> void:
	for player: FakePlayer in _players:
		Monitors.add(player)
	for name: StringName in Monitors.ALL:
		eq(Performance.get_custom_monitor(name), 0.0, "%s: nobody plays" % name)
	_players[0].reading = _reading(0.25, 0.010, 1.0001, 2)
	_players[1].reading = _reading(0.1, 0.020, 0.9995, 3)
	_players[2].reading = _reading(0.05, 0.0, 1.0, 0)
	_players[2].reading.mode = Ladder.Mode.STARVED
	_players[2].reading.skips = 1
	for pair: Array in [
		[Monitors.PLAYERS, 3.0],
		[Monitors.BUFFER_MS, 100.0],
		[Monitors.ROUND_TRIP_MS, 20.0],
		[Monitors.RATE_PPM, -500.0],
		[Monitors.UNDERRUNS, 6.0],
		[Monitors.LATE_TAKES, 3.0],
		[Monitors.RECONNECTS, 3.0],
	]:
		near(Performance.get_custom_monitor(pair[0]), pair[1], 1e-3, pair[0])


static func _reading(reserve_s: float, round_trip_s: float, rate: float, underruns: int) -> Reading:
	var reading: Reading = Reading.new()
	reading.state = Reading.ConnectionState.State.PLAYING
	reading.mode = Ladder.Mode.PLAYING
	reading.reserve_s = reserve_s
	reading.round_trip_s = round_trip_s
	reading.rate = rate
	reading.underruns = underruns
	reading.late_takes = 1
	reading.reconnects = 1
	return reading
