# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Players in the engine's performance monitors (Debugger > Monitors, and Performance.get_custom_monitor in games). They
## come with the first player and go with the last. The main thread's.

const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const Ladder := preload("res://addons/segue/core/audio/ladder.gd")
const Reading := preload("res://addons/segue/core/session/reading.gd")

## Players that have a session.
const PLAYERS: StringName = &"Segue/Players"
## The least that any of those has to play whose stream is heard.
const BUFFER_MS: StringName = &"Segue/Buffer (ms)"
## The longest of their last reports' round trips.
const ROUND_TRIP_MS: StringName = &"Segue/Round trip (ms)"
## How much faster (or slower, below 0) than it was made the music plays: of the one that is furthest from 0.
const RATE_PPM: StringName = &"Segue/Rate (ppm)"
## Times that streams ran dry.
const UNDERRUNS: StringName = &"Segue/Underruns"
## Takes that came after their place had been played.
const LATE_TAKES: StringName = &"Segue/Late takes"
## Times that streams were taken up again.
const RECONNECTS: StringName = &"Segue/Reconnects"
const ALL: Array[StringName] = [PLAYERS, BUFFER_MS, ROUND_TRIP_MS, RATE_PPM, UNDERRUNS, LATE_TAKES, RECONNECTS]

static var _players: Array[Node] = []


## A player has come into the game: a SoundtrackPlayer, or what is like one.
static func add(player: Node) -> void:
	if _players.is_empty():
		for name: StringName in ALL:
			if not Performance.has_custom_monitor(name):
				Performance.add_custom_monitor(name, value.bind(name))
	if not _players.has(player):
		_players.append(player)


## It is gone.
static func remove(player: Node) -> void:
	_players.erase(player)
	if not _players.is_empty():
		return
	for name: StringName in ALL:
		if Performance.has_custom_monitor(name):
			Performance.remove_custom_monitor(name)


## The value of a monitor now; 0 if nobody plays.
static func value(name: StringName) -> float:
	var readings: Array[Reading] = []
	for player: Node in _players:
		var reading: Reading = player.call(&"get_reading")
		if reading.state != ConnectionState.State.IDLE:
			readings.append(reading)
	var found: float = 0.0
	var is_first: bool = true
	for reading: Reading in readings:
		match name:
			PLAYERS:
				found += 1.0
			BUFFER_MS:
				if reading.mode != Ladder.Mode.PLAYING:
					continue
				found = reading.reserve_s * 1000.0 if is_first else minf(found, reading.reserve_s * 1000.0)
			ROUND_TRIP_MS:
				found = maxf(found, reading.round_trip_s * 1000.0)
			RATE_PPM:
				var ppm: float = (reading.rate - 1.0) * 1e6
				found = ppm if absf(ppm) > absf(found) else found
			UNDERRUNS:
				found += reading.underruns + reading.skips
			LATE_TAKES:
				found += reading.late_takes
			RECONNECTS:
				found += reading.reconnects
		is_first = false
	return found
