# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## Players of running games, as their debuggers tell of them. What a game that has ended has told stays until the next
## one begins, to be looked at.

## Players have come, gone or changed.
signal listed
## New readings or events are there.
signal heard

const History := preload("res://addons/segue/editor/live/history.gd")

## Players: those of the oldest game first.
var players: Array[Player] = []
## Called with a debugger session's number, a message's name and its data.
var send: Callable = Callable()


## A player of a game.
class Player:
	extends RefCounted
	## The number of the debugger's session.
	var session: int = 0
	## Its number in the game.
	var id: int = 0
	var name: String = ""
	## Where it is in the tree.
	var path: String = ""
	## The soundtrack's name; may be empty.
	var soundtrack: String = ""
	## Names of the soundtrack, as remote.gd tells them; {} if the player has no resource.
	var outline: Dictionary = {}
	## How it stands, as remote.gd tells it.
	var reading: Dictionary = {}
	var history: History = History.new()
	## Whether it can't be asked for anything any more.
	var is_gone: bool = false

	func label() -> String:
		var text: String = name if soundtrack.is_empty() else "%s (%s)" % [name, soundtrack]
		return text + ", ended" if is_gone else text


## A game begins: those that have ended are forgotten.
func started(session: int) -> void:
	players = players.filter(func(player: Player) -> bool: return not player.is_gone and player.session != session)
	listed.emit()
	if send.is_valid():
		send.call(session, "segue:hello", [])


## A game has ended.
func stopped(session: int) -> void:
	for player: Player in players:
		if player.session == session:
			player.is_gone = true
	listed.emit()


## A message of a game. Whether it is one of ours, and as expected.
func take(session: int, message: String, data: Array) -> bool:
	match message:
		"segue:players":
			if data.size() < 1 or not data[0] is Array:
				return false
			_take_players(session, data[0])
			return true
		"segue:readings":
			if data.size() < 2 or not data[0] is float or not data[1] is Dictionary:
				return false
			_take_readings(session, data[0], data[1])
			return true
		"segue:event":
			if data.size() < 3 or not data[0] is float or not data[1] is int or not data[2] is Dictionary:
				return false
			var player: Player = _find(session, data[1])
			if player != null:
				player.history.heard(data[0], data[2])
				heard.emit()
			return true
	return false


## Asks something of a player: a method of remote.gd's COMMANDS.
func ask(player: Player, method: String, arguments: Array) -> void:
	if not player.is_gone and send.is_valid():
		send.call(player.session, "segue:do", [player.id, method, arguments])


func _take_players(session: int, told: Array) -> void:
	var ids: Array[int] = []
	for one: Variant in told:
		if not one is Dictionary:
			continue
		var fields: Dictionary = one
		var id: int = fields.get("id", 0)
		# A player that is moved in the tree goes and comes back.
		var player: Player = _find(session, id, true)
		if player == null:
			player = Player.new()
			player.session = session
			player.id = id
			players.append(player)
		player.is_gone = false
		player.name = fields.get("name", "")
		player.path = fields.get("path", "")
		player.soundtrack = fields.get("soundtrack", "")
		player.outline = fields.get("outline", {})
		ids.append(id)
	for player: Player in players:
		if player.session == session and not ids.has(player.id):
			player.is_gone = true
	# A game that changes scenes all day shall not fill the list.
	var gone: Array[Player] = players.filter(func(player: Player) -> bool: return player.is_gone)
	for player: Player in gone.slice(0, maxi(0, gone.size() - 4)):
		players.erase(player)
	listed.emit()


func _take_readings(session: int, time: float, readings: Dictionary) -> void:
	for id: Variant in readings:
		var player: Player = _find(session, id)
		if player != null and readings[id] is Dictionary:
			player.reading = readings[id]
			player.history.add(time, readings[id])
	heard.emit()


func _find(session: int, id: int, even_gone: bool = false) -> Player:
	for player: Player in players:
		if player.session == session and player.id == id and (even_gone or not player.is_gone):
			return player
	return null
