# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## The editor's panel: what a game tells, what is kept of it, what is drawn, and what is asked of the game.

const EventText := preload("res://addons/segue/editor/live/event_text.gd")
const FakePlayer := preload("res://tests/fake_player.gd")
const FigureGraph := preload("res://addons/segue/editor/panel/figure_graph.gd")
const History := preload("res://addons/segue/editor/live/history.gd")
const HistoryCsv := preload("res://addons/segue/editor/live/history_csv.gd")
const Live := preload("res://addons/segue/editor/live/live.gd")
const LocalServer := preload("res://addons/segue/editor/server/local_server.gd")
const Outline := preload("res://addons/segue/editor/inspector/outline.gd")
const Reading := preload("res://addons/segue/core/session/reading.gd")
const Remote := preload("res://addons/segue/core/remote.gd")
const SoundtrackPanel := preload("res://addons/segue/editor/panel/panel.gd")
const StateGraph := preload("res://addons/segue/editor/panel/state_graph.gd")

const SESSION: int = 3
const SOUNDTRACK: String = """{"format": 1, "hash": "sha256:0a", "document": {
"soundtrack": "dungeon", "version": 3, "initial": "explore",
"states": {"explore": {}, "combat": {}, "boss": {}}, "stingers": {"hit": {}},
"parameters": {"danger": {"range": [0, 1], "default": 0}},
"transitions": [{"from": ["any"], "to": "combat", "on": ["spotted"], "exit_source_at": "immediate"},
{"from": ["combat"], "to": "explore", "on": [], "when": "danger < 0.2", "after": "6 s",
"exit_source_at": "next_bar"}]}}"""

var _sent: Array[Array] = []
var _nodes: Array[Node] = []


func after_each() -> void:
	for node: Node in _nodes:
		node.free()


#region What is kept


func test_readings_are_kept_for_a_minute_and_what_changes_is_marked() -> void:
	var history: History = History.new(10.0, 20)
	for i: int in 1000:
		history.add(i * 0.05, {"connection": "playing", "buffer_ms": float(i), "underruns": 1 if i >= 900 else 0})
	ok(history.times.size() >= 200 and history.times.size() < 200 + History.SPARE, "%d" % history.times.size())
	for name: String in History.FIGURES:
		var column: PackedFloat32Array = history.figures[name]
		eq(column.size(), history.times.size(), name)
	eq(history.music_states.size(), history.times.size())
	near(history.end(), 49.95, 1e-9)
	eq(history.last("buffer_ms"), 999.0)
	ok(is_nan(history.last("adherence")), "nothing was said of it")
	eq(_texts(history), PackedStringArray(["playing", "underrun 1"]))
	eq(history.marks[1].time, 45.0)
	history.heard(50.0, {"adherence": {"similarity": 0.5}})
	history.add(50.0, {"connection": "reconnecting", "underruns": 1})
	eq(history.last("adherence"), 0.5)
	eq(_texts(history)[2], "reconnecting")
	history.add(51.0, {"connection": "connecting", "underruns": 0})
	ok(is_nan(history.last("adherence")), "another session")
	history.add(52.0, {"connection": "playing", "underruns": 1})
	eq(_texts(history)[-1], "underrun 1", "counted from zero")
	history.clear()
	eq(history.end(), 0.0)
	eq(history.marks.size(), 0)


func test_states_along_the_time() -> void:
	var history: History = History.new()
	history.add(0.0, {"connection": "playing", "music_state": "explore"})
	eq(history.lane.current, "explore", "told, not heard")
	var began: Dictionary = {"from_state": "explore", "to_state": "combat", "length_samples": 96000}
	history.heard(1.0, {"transition_started": began})
	eq(history.lane.transition(2.0).state, "combat")
	eq(history.lane.transition(3.1), null, "over")
	eq(history.lane.transition(0.9), null, "before")
	history.heard(3.0, {"state_changed": {"from_state": "explore", "to_state": "combat"}})
	history.add(3.1, {"connection": "playing", "music_state": "explore"})
	eq(history.lane.current, "combat", "what is heard is known better")
	eq(history.lane.states.size(), 2)
	eq(history.lane.states[0].end, 3.0)
	history.heard(4.0, {"transition_started": {"from_state": "combat", "to_state": "boss", "length_samples": 480000}})
	history.heard(5.0, {"transition_cancelled": {"to_state": "boss", "reason": "gone"}})
	eq(history.lane.transition(5.1), null, "cancelled")
	for i: int in 1000:
		history.heard(6.0 + i, {"state_changed": {"to_state": "s%d" % i}})
	eq(history.lane.states.size(), 256)


func test_events_in_words() -> void:
	for pair: Array in [
		[{"state_changed": {"from_state": "a", "to_state": "b"}}, "state a → b"],
		[
			{"transition_started": {"from_state": "a", "to_state": "b", "length_samples": 24000, "via": "c"}},
			"transition a → b, 0.50 s, via c"
		],
		[{"transition_finished": {"to_state": "b", "interrupted": true}}, "transition to b interrupted"],
		[{"transition_cancelled": {"to_state": "b", "reason": "gone"}}, "transition to b cancelled: gone"],
		[{"beat": {"beat": 2, "bar": 1}}, "beat 2 of bar 1"],
		[{"stinger_started": {"name": "hit"}}, "stinger hit"],
		[{"sample": 48000, "take": 2, "rewound": {"replaced_until_sample": 96000}}, "take 2 replaces 1.00 s"],
		[{"refreshed": {"cause": 2}}, "refreshed: silence"],
		[{"status_changed": {"status": 2}}, "status paused"],
		[{"parameter_changed": {"name": "danger", "value": 0.25}}, "parameter danger = 0.25"],
		[{"sample": 1, "dreamt": {"of": 1}}, "an event of a later version"],
		[{}, "an event of a later version"],
	]:
		eq(EventText.of(pair[0]), pair[1])


func test_a_table_of_it() -> void:
	var history: History = History.new()
	history.add(10.0, {"connection": "playing", "buffer_ms": 250.0, "rate_ppm": -12.5, "music_state": 'a,"b'})
	history.heard(10.02, {"stinger_started": {"name": "=1+1"}})
	history.heard(10.02, {"beat": {"beat": 1}})
	history.add(10.05, {"connection": "playing", "buffer_ms": 240.0, "underruns": 1})
	var rows: PackedStringArray = HistoryCsv.write(history).split("\n")
	eq(rows[0].split(",").size(), 11)
	eq(rows[1], "0,connection,,,,,,,,,playing")
	eq(rows[2], '0,reading,250,,-12.5,,,,playing,"a,""b",')
	eq(rows[3], "0.02,event,,,,,,,,,stinger =1+1")
	eq(rows[4], "0.05,underrun,,,,,,,,,underrun 1")
	eq(rows[5].split(",").size(), 11)
	eq(rows.size(), 7)
	eq(HistoryCsv.write(History.new()), HistoryCsv.HEADER + "\n", "of nothing")


#endregion
#region Game and editor


func test_what_a_game_tells_arrives_and_what_is_asked_is_done() -> void:
	var live: Live = Live.new()
	var player: FakePlayer = _player("Music")
	player.resource = SoundtrackResource.parse(SOUNDTRACK)
	var remote: Remote = Remote.new(func(message: String, data: Array) -> void: _across(live, message, data))
	live.send = func(session: int, message: String, data: Array) -> void:
		eq(session, SESSION)
		remote.take(message.trim_prefix("segue:"), data)
	remote.join(player)
	eq(live.players.size(), 1)
	eq(live.players[0].label(), "Music (dungeon)")
	eq(live.players[0].outline["states"], PackedStringArray(["explore", "combat", "boss"]))
	player.reading.state = Reading.ConnectionState.State.PLAYING
	player.reading.reserve_s = 0.2
	player.reading.token = "secret"
	remote.tick()
	remote.tick()
	eq(live.players[0].history.times.size(), 1, "20 a second, not every frame")
	near(live.players[0].history.last("buffer_ms"), 200.0, 1e-3)
	eq(live.players[0].reading["connection"], "playing")
	ok(not str(_sent).contains("secret"), "what opens a session stays in the game")
	player.music_event.emit({"state_changed": {"from_state": "explore", "to_state": "combat"}})
	eq(live.players[0].history.lane.current, "combat")
	for row: Array in [
		["set_state", ["boss"]],
		["post_event", ["spotted"]],
		["post_trigger", ["hit"]],
		["set_parameter", ["danger", 0.5]],
		["set_paused", [true]],
		["stop", []],
		["play", []],
	]:
		live.ask(live.players[0], row[0], row[1])
		eq(player.asked.pop_back(), [row[0]] + (row[1] as Array), row[0])
	player.name = "Other"
	await sleep(0.06)
	remote.tick()
	eq(live.players[0].name, "Other", "what changes is told")
	remote.leave(player)
	eq(live.players[0].is_gone, true)
	live.ask(live.players[0], "play", [])
	eq(player.asked.size(), 0, "nobody is asked")
	remote.join(player)
	eq(live.players.size(), 1, "moved in the tree, it is the same one")
	live.stopped(SESSION)
	eq(live.players[0].is_gone, true)
	eq(live.players[0].history.lane.current, "combat", "to be looked at after playing")
	live.started(SESSION)
	eq(live.players.size(), 1, "the game of the test is there still, and says hello")
	eq(live.players[0].is_gone, false)
	remote.leave(player)
	eq(player.music_event.get_connections().size(), 0)
	live.send = Callable()


func test_a_game_is_not_asked_for_what_is_not_on_the_list() -> void:
	var player: FakePlayer = _player("Music")
	var remote: Remote = Remote.new(func(_message: String, _data: Array) -> void: pass)
	remote.join(player)
	var id: int = player.get_instance_id()
	for data: Array in [
		[],
		[id],
		[id, "free", []],
		[id, "queue_free", []],
		[id, "set_state", []],
		[id, "set_state", [1]],
		[id, "set_parameter", ["danger", "high"]],
		[id, 3, []],
		["x", "play", []],
		[id + 1, "play", []],
		[id, "play", {}],
	]:
		remote.take("do", data)
		eq(player.asked.size(), 0, str(data))
	eq(remote.take("dance", []), false)
	remote.leave(player)


func test_messages_of_another_version_are_left_alone() -> void:
	var live: Live = Live.new()
	for row: Array in [
		["segue:players", []],
		["segue:players", [3]],
		["segue:readings", [0.0]],
		["segue:readings", ["x", {}]],
		["segue:event", [0.0, "x", {}]],
		["segue:later", [1]],
	]:
		eq(live.take(SESSION, row[0], row[1]), false, str(row))
	eq(live.take(SESSION, "segue:players", [[7, {}]]), true)
	eq(live.take(SESSION, "segue:readings", [0.0, {99: {}, 0: 3}]), true)
	eq(live.players.size(), 1)


func test_players_that_have_gone_do_not_pile_up() -> void:
	var live: Live = Live.new()
	for i: int in 100:
		live.take(SESSION, "segue:players", [[{"id": i + 1, "name": "p%d" % i}]])
	eq(live.players.size(), 5)
	eq(live.players[-1].is_gone, false)


func test_without_a_debugger_nothing_is_told() -> void:
	var player: FakePlayer = _player("Music")
	Remote.add(player)
	eq(player.music_event.get_connections().size(), 0)
	Remote.remove(player)


#endregion
#region The panel


func test_the_panel_shows_and_steers() -> void:
	var live: Live = Live.new()
	live.send = func(session: int, message: String, data: Array) -> void: _sent.append([session, message, data])
	var panel: SoundtrackPanel = SoundtrackPanel.new(live, LocalServer.new())
	_nodes.append(panel)
	tree.root.add_child(panel)
	panel.size = Vector2(1200.0, 400.0)
	_tell(live, 1)
	_tell(live, 2)
	var tab: SoundtrackPanel.LiveTab = panel.live_tab
	eq(tab.player, live.players[0])
	live.take(SESSION, "segue:readings", [1.0, {1: {"connection": "playing", "take": 4, "error": "no"}}])
	live.take(SESSION, "segue:event", [1.0, 1, {"stinger_started": {"name": "hit"}}])
	await tree.process_frame
	ok(SoundtrackPanel.LiveTab.status(tab.player).begins_with("playing, take 4"), "status")
	ok(SoundtrackPanel.LiveTab.status(tab.player).ends_with(": no"), "error")
	var log: RichTextLabel = _first(panel, "RichTextLabel") as RichTextLabel
	ok(log.text.contains("stinger hit"), log.text)
	_press(panel, "spotted")
	eq(_sent[-1], [SESSION, "segue:do", [1, "post_event", ["spotted"]]])
	_press(panel, "hit")
	eq(_sent[-1], [SESSION, "segue:do", [1, "post_trigger", ["hit"]]])
	_press(panel, "Pause")
	eq(_sent[-1], [SESSION, "segue:do", [1, "set_paused", [true]]])
	(_first(panel, "HSlider") as HSlider).value = 0.5
	eq(_sent[-1], [SESSION, "segue:do", [1, "set_parameter", ["danger", 0.5]]])
	tab.show_player(live.players[1])
	_press(panel, "Stop")
	eq(_sent[-1], [SESSION, "segue:do", [2, "stop", []]], "the other one")
	live.stopped(SESSION)
	eq((_button(panel, "Stop")).disabled, true, "the game has ended")
	var path: String = "user://profile.csv"
	tab.show_player(live.players[0])
	tab.save(path)
	ok(FileAccess.get_file_as_string(path).contains(",event,,,,,,,,,stinger hit"), "saved")
	DirAccess.remove_absolute(path)


func test_a_player_without_a_resource_is_steered_by_name() -> void:
	var live: Live = Live.new()
	live.send = func(_session: int, _message: String, data: Array) -> void: _sent.append(data)
	var panel: SoundtrackPanel = SoundtrackPanel.new(live, LocalServer.new())
	_nodes.append(panel)
	tree.root.add_child(panel)
	live.take(SESSION, "segue:players", [[{"id": 1, "name": "Music"}]])
	var field: LineEdit = _first(panel.live_tab, "LineEdit") as LineEdit
	field.text_submitted.emit(" boss ")
	eq(_sent, [[1, "set_state", ["boss"]]])
	field.text_submitted.emit(" ")
	eq(_sent.size(), 1)


func test_states_have_places_that_do_not_touch() -> void:
	for count: int in range(1, 11):
		var states: PackedStringArray = PackedStringArray()
		for i: int in count:
			states.append("state%d" % i)
		var room: Vector2 = Vector2(90.0, 24.0)
		var all: Dictionary = StateGraph.places(states, true, Vector2(600.0, 260.0), room)
		eq(all.size(), count + 1)
		for a: String in all:
			var box: Rect2 = Rect2(all[a] - room / 2.0, room)
			ok(Rect2(0.0, 0.0, 600.0, 260.0).encloses(box), "%s of %d is within" % [a, count])
			for b: String in all:
				ok(a == b or not box.intersects(Rect2(all[b] - room / 2.0, room)), "%s, %s of %d" % [a, b, count])
	var soundtrack: SoundtrackResource = SoundtrackResource.parse(SOUNDTRACK)
	eq(
		StateGraph.arrows(soundtrack.transitions),
		[PackedStringArray(["any", "combat"]), PackedStringArray(["combat", "explore"])] as Array[PackedStringArray]
	)
	eq(StateGraph.cause(soundtrack.transitions[1]), "when danger < 0.2, after 6 s, at next_bar")


func test_a_click_on_a_state_goes_there() -> void:
	var live: Live = Live.new()
	live.send = func(_session: int, _message: String, data: Array) -> void: _sent.append(data)
	_tell(live, 1)
	var graph: StateGraph = StateGraph.new()
	_nodes.append(graph)
	tree.root.add_child(graph)
	graph.size = Vector2(500.0, 300.0)
	graph.player = live.players[0]
	var chosen: PackedStringArray = PackedStringArray()
	graph.chosen.connect(func(state: String) -> void: chosen.append(state))
	var all: Dictionary = StateGraph.places(live.players[0].outline["states"], true, graph.size, graph._box("explore"))
	for state: String in ["combat", "any"]:
		var click: InputEventMouseButton = InputEventMouseButton.new()
		click.button_index = MOUSE_BUTTON_LEFT
		click.pressed = true
		click.position = all[state]
		graph._gui_input(click)
	eq(chosen, PackedStringArray(["combat"]), "any is no state")
	ok(graph._get_tooltip(all["combat"]).contains("→ explore: when danger < 0.2"), graph._get_tooltip(all["combat"]))


func test_lines_of_a_graph_have_gaps_where_nothing_is_known() -> void:
	var times: PackedFloat64Array = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
	var values: PackedFloat32Array = [0.0, NAN, 1.0, 2.0, NAN, 0.0, 2.0]
	var lines: Array[PackedVector2Array] = FigureGraph.lines(times, values, Vector2(0.0, 2.0), 5.0, Vector2(50.0, 10.0))
	eq(lines.size(), 2)
	eq(lines[0], PackedVector2Array([Vector2(10.0, 5.0), Vector2(20.0, 0.0)]))
	eq(lines[1], PackedVector2Array([Vector2(40.0, 10.0), Vector2(50.0, 0.0)]))
	eq(FigureGraph.span(values, -1.0, 1.0), Vector2(-1.0, 2.0))
	eq(FigureGraph.lines([], [], Vector2(0.0, 1.0), 5.0, Vector2.ONE).size(), 0)


func test_the_outline_in_the_inspector() -> void:
	var outline: Outline = Outline.new(SoundtrackResource.parse(SOUNDTRACK))
	_nodes.append(outline)
	var said: String = _rows(outline.get_root())
	for row: String in [
		"dungeon: version 3",
		"explore: at the start",
		"any → combat: spotted",
		"danger: 0 to 1, 0 at the start.",
	]:
		ok(said.contains(row), "%s in %s" % [row, said])
	var broken: Outline = Outline.new(SoundtrackResource.parse("{}"))
	_nodes.append(broken)
	ok(_rows(broken.get_root()).contains("Broken: format: expected 1"), _rows(broken.get_root()))


#endregion


func _across(live: Live, message: String, data: Array) -> void:
	# The debugger's wire takes what variables are made of, and no objects.
	var bytes: PackedByteArray = var_to_bytes([message, data])
	var arrived: Array = bytes_to_var(bytes)
	_sent.append(arrived)
	ok(live.take(SESSION, arrived[0], arrived[1]), "%s is understood" % message)


func _tell(live: Live, id: int) -> void:
	var outline: Dictionary = {}
	var soundtrack: SoundtrackResource = SoundtrackResource.parse(SOUNDTRACK)
	for key: String in Remote.OUTLINE:
		outline[key] = soundtrack.get(key)
	var told: Array = live.players.map(
		func(player: Live.Player) -> Dictionary: return {"id": player.id, "name": player.name, "outline": outline}
	)
	told.append({"id": id, "name": "p%d" % id, "soundtrack": "dungeon", "outline": outline})
	live.take(SESSION, "segue:players", [told])


func _player(name: String) -> FakePlayer:
	var player: FakePlayer = FakePlayer.new()
	player.name = name
	tree.root.add_child(player)
	_nodes.append(player)
	return player


func _press(within: Node, text: String) -> void:
	var button: Button = _button(within, text)
	if ok(button != null, "there is a button %s" % text):
		button.pressed.emit()


static func _button(within: Node, text: String) -> Button:
	for found: Button in within.find_children("*", "Button", true, false):
		if found.text == text:
			return found
	return null


static func _first(within: Node, type: String) -> Node:
	return within.find_children("*", type, true, false)[0]


static func _rows(item: TreeItem) -> String:
	var text: String = "%s: %s\n" % [item.get_text(0), item.get_text(1)]
	for child: TreeItem in item.get_children():
		text += _rows(child)
	return text


static func _texts(history: History) -> PackedStringArray:
	var texts: PackedStringArray = PackedStringArray()
	for mark: History.Mark in history.marks:
		texts.append(mark.text)
	return texts
