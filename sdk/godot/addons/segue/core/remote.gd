# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## A game's side of the editor's Soundtrack panel: tells how players fare, and does what the panel asks of them. Only in
## a game that was started by the editor; elsewhere, adding a player does nothing. The main thread's.
##
## The game sends "segue:players", "segue:readings" and "segue:event"; the editor sends "segue:hello" and "segue:do".

const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const Reading := preload("res://addons/segue/core/session/reading.gd")
const Self := preload("res://addons/segue/core/remote.gd")

const HERTZ: int = 20
## What may be asked of a player, with the types of arguments.
const COMMANDS: Dictionary = {
	"play": [],
	"stop": [],
	"set_paused": [TYPE_BOOL],
	"set_state": [TYPE_STRING],
	"post_event": [TYPE_STRING],
	"post_trigger": [TYPE_STRING],
	"set_parameter": [TYPE_STRING, TYPE_FLOAT],
}
const OUTLINE: PackedStringArray = ["initial", "states", "events", "stingers", "parameters", "transitions"]

static var _running: Self = null

var _send: Callable
var _players: Array[Told] = []
var _next_usec: int = 0


## A player of the game and what was told of it.
class Told:
	extends RefCounted
	var player: Node = null
	var resource: Resource = null
	var hearing: Callable = Callable()
	var name: String = ""
	var soundtrack: String = ""


## A player has come into the game: a SoundtrackPlayer, or what is like one.
static func add(player: Node) -> void:
	if _running == null:
		if not EngineDebugger.is_active():
			return
		_running = Self.new(EngineDebugger.send_message)
		EngineDebugger.register_message_capture(&"segue", _running.take)
		(Engine.get_main_loop() as SceneTree).process_frame.connect(_running.tick)
	_running.join(player)


## It is gone.
static func remove(player: Node) -> void:
	if _running == null:
		return
	_running.leave(player)
	if _running.is_empty():
		EngineDebugger.unregister_message_capture(&"segue")
		(Engine.get_main_loop() as SceneTree).process_frame.disconnect(_running.tick)
		_running = null


## send: called with a message's name and its data, an Array.
func _init(send: Callable) -> void:
	_send = send


func is_empty() -> bool:
	return _players.is_empty()


func join(player: Node) -> void:
	leave(player)
	var told: Told = Told.new()
	told.player = player
	told.hearing = _heard.bind(player.get_instance_id())
	player.connect(&"music_event", told.hearing)
	_players.append(told)
	_tell_players()


func leave(player: Node) -> void:
	for told: Told in _players:
		if told.player == player:
			player.disconnect(&"music_event", told.hearing)
			_players.erase(told)
			_tell_players()
			return


## Every frame.
func tick() -> void:
	var now_usec: int = Time.get_ticks_usec()
	if now_usec < _next_usec:
		return
	# From the rate's own beat, so that a late frame does not make the next ones late; unless it was very late.
	@warning_ignore("integer_division")
	var period_usec: int = 1000000 / HERTZ
	_next_usec = _next_usec + period_usec if now_usec - _next_usec < period_usec else now_usec + period_usec
	if _players.any(_is_news):
		_tell_players()
	var readings: Dictionary = {}
	for told: Told in _players:
		readings[told.player.get_instance_id()] = fields(told.player.call(&"get_reading"))
	_send.call("segue:readings", [now_usec / 1e6, readings])


## A message of the editor, without the prefix. Whether it is one.
func take(message: String, data: Array) -> bool:
	match message:
		"hello":
			_tell_players()
			return true
		"do":
			_do(data)
			return true
	return false


## What is told of a reading: figures and names, and nothing that opens a session.
static func fields(reading: Reading) -> Dictionary:
	return {
		"connection": str(ConnectionState.State.find_key(reading.state)).to_lower(),
		"music_state": reading.music_state,
		"error": reading.error.message if reading.error != null else "",
		"buffer_ms": reading.reserve_s * 1000.0,
		"round_trip_ms": reading.round_trip_s * 1000.0,
		"rate_ppm": (reading.rate - 1.0) * 1e6,
		"lead_ms": reading.lead_ms,
		"take": reading.take,
		"underruns": reading.underruns + reading.skips,
		"late_takes": reading.late_takes,
		"jumps": reading.jumps,
		"gaps": reading.gaps,
		"reconnects": reading.reconnects,
		"resumes": reading.resumes,
	}


func _is_news(told: Told) -> bool:
	var player: Node = told.player
	return (
		told.resource != player.get(&"resource")
		or told.name != player.name
		or told.soundtrack != str(player.get(&"soundtrack"))
	)


func _tell_players() -> void:
	var all: Array[Dictionary] = []
	for told: Told in _players:
		told.name = told.player.name
		told.resource = told.player.get(&"resource")
		told.soundtrack = str(told.player.get(&"soundtrack"))
		var path: String = str(told.player.get_path()) if told.player.is_inside_tree() else told.name
		var outline: Dictionary = {}
		if told.resource != null and str(told.resource.get(&"error")).is_empty():
			for key: String in OUTLINE:
				outline[key] = told.resource.get(key)
		(
			all
			. append(
				{
					"id": told.player.get_instance_id(),
					"name": told.name,
					"path": path,
					"soundtrack": str(told.resource.get(&"id")) if not outline.is_empty() else told.soundtrack,
					"outline": outline,
				}
			)
		)
	_send.call("segue:players", [all])


func _heard(event: Dictionary, id: int) -> void:
	_send.call("segue:event", [Time.get_ticks_usec() / 1e6, id, event])


func _do(data: Array) -> void:
	if data.size() != 3 or not data[0] is int or not data[1] is String or not data[2] is Array:
		return
	var method: String = data[1]
	var arguments: Array = data[2]
	if not COMMANDS.has(method):
		return
	var types: Array = COMMANDS[method]
	if types.size() != arguments.size():
		return
	for i: int in types.size():
		if typeof(arguments[i]) != types[i]:
			return
	for told: Told in _players:
		if told.player.get_instance_id() == data[0]:
			told.player.callv(method, arguments)
			return
