# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## The nodes as far as they need no server, and what is beside them.

const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const Departures := preload("res://addons/segue/player/departures.gd")
const NearMisses := preload("res://addons/segue/player/near_misses.gd")
const ParameterBoard := preload("res://addons/segue/player/parameter_board.gd")
const Schema := preload("res://addons/segue/core/wire/schema.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

const NOBODY: String = "http://127.0.0.1:9"
const OUTLINE: String = "../../sdk/unity/Tests/Core/Data~/dungeon.soundtrack.json"

var _nodes: Array[Node] = []


func after_each() -> void:
	tree.paused = false
	for node: Node in _nodes:
		if is_instance_valid(node):
			node.free()
	await until(func() -> bool: return Departures.count() == 0, 5.0, "threads end")
	# The engine's mixer lets go of playbacks by its own time; a program that ends before that leaks them.
	await sleep(0.25)


func test_a_typed_call_of_play_begins_a_session_and_stop_ends_it() -> void:
	var music: SoundtrackPlayer = _player()
	var states: Array[int] = []
	music.connection_state_changed.connect(states.append)
	eq(music.connection_state, SoundtrackPlayer.ConnectionState.IDLE)
	music.play()
	await until(func() -> bool: return states.has(ConnectionState.State.CONNECTING), 2.0, "connecting")
	eq(Departures.count(), 1, "sessions")
	music.stop()
	await until(func() -> bool: return states.back() == ConnectionState.State.IDLE, 2.0, "idle")
	eq(music.playing, false)
	music.play()
	music.stop()
	music.play()
	await sleep(0.1)
	eq(states.back(), ConnectionState.State.CONNECTING, "played again")


func test_the_states_and_places_are_those_of_the_core() -> void:
	eq(SoundtrackPlayer.ConnectionState, ConnectionState.State)
	eq(SoundtrackPlayer2D.ConnectionState, ConnectionState.State)
	eq(SoundtrackPlayer3D.ConnectionState, ConnectionState.State)
	var places: Dictionary = (Schema as GDScript).get_script_constant_map()["ExitSourceAt"]
	eq(SoundtrackPlayer.ExitSourceAt.values(), places.values())
	eq(SoundtrackPlayer.ExitSourceAt.NEXT_BAR, places["NEXT_BAR"])


func test_autoplay_begins_in_2d_and_3d_too() -> void:
	for node: Node in [SoundtrackPlayer.new(), SoundtrackPlayer2D.new(), SoundtrackPlayer3D.new()]:
		_nodes.append(node)
		node.set("server", NOBODY)
		node.set("soundtrack", "dungeon")
		node.set("autoplay", true)
		tree.root.add_child(node)
	await sleep(0.1)
	for node: Node in _nodes:
		eq(node.get("connection_state"), ConnectionState.State.CONNECTING, node.get_class())


func test_a_node_may_be_freed_while_it_connects() -> void:
	for i: int in 5:
		var music: SoundtrackPlayer = _player()
		music.play()
		if i % 2 == 0:
			await tree.process_frame
		music.free()
	await until(func() -> bool: return Departures.count() == 0, 5.0, "nobody is left")


func test_whoever_awaits_an_outcome_gets_one() -> void:
	var music: SoundtrackPlayer = _player()
	var outcome: SoundtrackPlayer.Outcome = await music.post_event(&"x")
	eq(outcome.status.code, Status.FAILED_PRECONDITION, "nothing is played")
	music.play()
	var told: Array[SoundtrackPlayer.Outcome] = []
	var ask: Callable = func() -> void: told.append(await music.set_state(&"combat"))
	ask.call()
	await sleep(0.05)
	eq(told.size(), 0, "it waits for the session")
	music.stop()
	await until(func() -> bool: return told.size() == 1, 2.0, "told at the end")
	eq(told[0].status.code, Status.CANCELLED)
	music.play()
	ask.call()
	music.free()
	eq(told.size(), 2, "also where the node is freed")


func test_what_is_missing_is_complained_of() -> void:
	expected_errors.append("no soundtrack")
	expected_errors.append("expected the bytes that save() gave")
	expected_errors.append("expected http://HOST:PORT")
	var music: SoundtrackPlayer = _player()
	music.soundtrack = ""
	music.play()
	await sleep(0.05)
	eq(music.connection_state, SoundtrackPlayer.ConnectionState.IDLE)
	music.stop()
	eq(music.resume_from(PackedByteArray([1, 2])), false)
	eq(music.save(), PackedByteArray())
	music.soundtrack = "dungeon"
	music.server = "localhost"
	music.play()
	var failed: Callable = func() -> bool: return music.connection_state == SoundtrackPlayer.ConnectionState.FAILED
	await until(failed, 2.0, "an address that is none fails")


func test_removing_the_node_pauses_it() -> void:
	var music: SoundtrackPlayer = _player()
	music.play()
	await sleep(0.05)
	tree.root.remove_child(music)
	await sleep(0.05)
	eq(music.connection_state, SoundtrackPlayer.ConnectionState.CONNECTING, "the session is kept")
	eq(music.stream_paused, true)
	tree.root.add_child(music)
	await sleep(0.05)
	eq(music.stream_paused, false)
	eq(Departures.count(), 1, "the same session")


func test_a_pause_of_the_game_outlasts_one_of_the_tree() -> void:
	var music: SoundtrackPlayer = _player()
	music.play()
	await sleep(0.05)
	music.pause()
	tree.paused = true
	await tree.process_frame
	tree.paused = false
	await sleep(0.05)
	eq(music.stream_paused, true)
	music.play()
	await sleep(0.05)
	eq(music.stream_paused, false, "play goes on")
	eq(Departures.count(), 1, "with the same session")


func test_a_generator_s_rate_may_be_changed_while_it_plays() -> void:
	var taken: Array[int] = []
	for rate: int in [48000, 96000]:
		var music: AudioStreamPlayer = AudioStreamPlayer.new()
		_nodes.append(music)
		var generator: AudioStreamGenerator = AudioStreamGenerator.new()
		generator.mix_rate = 48000
		generator.buffer_length = 2.0
		music.stream = generator
		tree.root.add_child(music)
		music.play()
		var playback: AudioStreamGeneratorPlayback = music.get_stream_playback()
		var frames: PackedVector2Array = PackedVector2Array()
		frames.resize(playback.get_frames_available())
		playback.push_buffer(frames)
		await sleep(0.2)
		generator.mix_rate = rate
		var before: int = playback.get_frames_available()
		await sleep(0.5)
		taken.append(playback.get_frames_available() - before)
	near(taken[1] / float(taken[0]), 2.0, 0.5, "twice as fast: %s" % [taken])


func test_wrong_names_are_told_before_they_are_sent() -> void:
	var music: SoundtrackPlayer = _player()
	music.resource = _outline()
	eq(music._get_configuration_warnings(), PackedStringArray())
	music.set_parameter(&"dnger", 1.0)
	music.set_parameter(&"danger", 1.0)
	music.play()
	music.set_state(&"combt")
	music.post_event(&"enemy_spoted")
	music.post_event(&"treasure")
	music.post_trigger(&"tresure")
	var said: PackedStringArray = PackedStringArray(music._conductor.steering._said.keys())
	eq(
		said,
		PackedStringArray(
			[
				'no state "combt". Did you mean "combat"?',
				'no event "enemy_spoted". Did you mean "enemy_spotted"?',
				'no stinger "tresure". Did you mean "treasure"?',
			]
		)
	)


func test_players_are_in_the_engine_s_monitors_while_they_are_in_the_tree() -> void:
	eq(Performance.has_custom_monitor(&"Segue/Players"), false)
	var music: SoundtrackPlayer = _player()
	eq(Performance.get_custom_monitor(&"Segue/Players"), 0.0, "nothing is played")
	music.play()
	await sleep(0.05)
	eq(Performance.get_custom_monitor(&"Segue/Players"), 1.0)
	music.free()
	eq(Performance.has_custom_monitor(&"Segue/Players"), false)


func test_the_resource_knows_the_names() -> void:
	var outline: SoundtrackResource = _outline()
	eq(outline.error, "")
	eq(outline.id, "dungeon")
	eq(outline.version, 3)
	eq(outline.initial, "explore")
	ok(outline.states.has("combat") and outline.has_state("boss") and not outline.has_state("combt"), "states")
	ok(outline.has_event("enemy_spotted") and outline.has_event("treasure"), "events, and stingers by their names")
	eq(outline.parameters["danger"]["maximum"], 1.0)
	eq(outline.transitions[0]["to"], "combat")
	eq(outline.transitions[0]["on"], PackedStringArray(["enemy_spotted"]))


func test_a_resource_that_is_none_says_where() -> void:
	var good: Dictionary = {
		"format": 1, "hash": "h", "document": {"soundtrack": "a", "version": 1, "initial": "x", "states": {"x": {}}}
	}
	eq(SoundtrackResource.parse(JSON.stringify(good)).error, "")
	for fault: Array in [
		["format", 2, "format: expected 1"],
		["hash", 5, "hash: expected a text"],
		["document", [], "document: expected an object"],
	]:
		var bad: Dictionary = good.duplicate(true)
		bad[fault[0]] = fault[1]
		_is_told(bad, fault[2])
	for fault: Array in [
		["initial", "y", "document.initial: expected one of the states (x), got y"],
		["parameters", {"p": {"range": [0]}}, "document.parameters.p.range: expected two numbers"],
		["parameters", {"p": {"range": [0, 1], "default": "z"}}, "document.parameters.p.default: expected a number"],
		["transitions", [{"to": "x"}], "document.transitions[0].from: expected a list of names"],
		["transitions", [7], "document.transitions[0]: expected an object, got 7"],
		["states", null, "document.states: expected an object, got nothing"],
	]:
		var bad: Dictionary = good.duplicate(true)
		bad["document"][fault[0]] = fault[1]
		_is_told(bad, fault[2])
	ok(SoundtrackResource.parse("{").error.begins_with("line 1"), "no JSON")
	eq(SoundtrackResource.parse("[]").error, "expected a file that `segue build` wrote, got []")


func test_near_misses() -> void:
	var known: PackedStringArray = ["explore", "combat", "boss", "victory"]
	eq(NearMisses.unknown("state", "combt", known), 'no state "combt". Did you mean "combat"?')
	eq(NearMisses.unknown("state", "Boss-", known), 'no state "Boss-". Did you mean "boss"?')
	eq(NearMisses.unknown("state", "zzz", known), 'no state "zzz". There are explore, combat, boss, victory.')
	eq(NearMisses.of("ocmbat", known), PackedStringArray(["combat"]), "neighbours that were swapped")
	eq(NearMisses.unknown("event", "x", []), 'no event "x". There are none.')


func test_only_what_has_changed_is_sent() -> void:
	var board: ParameterBoard = ParameterBoard.new()
	board.put(&"danger", 0.5)
	board.put(&"danger", 0.6)
	board.put(&"light", 1.0)
	eq(board.take(), {&"danger": 0.6, &"light": 1.0})
	board.put(&"danger", 0.6)
	eq(board.has_news(), false, "it has that value")
	board.renew({&"danger": 0.1})
	eq(board.take(), {&"danger": 0.6}, "sent again as it is by then")
	board.refuse(&"light")
	board.put(&"light", 2.0)
	eq(board.take_all(), {&"danger": 0.6}, "what there is not is kept from the others")
	board.forgive()
	eq(board.take_all(), {&"danger": 0.6, &"light": 2.0})


func test_the_2d_and_3d_players_are_made_of_the_player() -> void:
	var source: String = _code("res://addons/segue/soundtrack_player.gd")
	for kind: String in ["2D", "3D"]:
		var made: String = _code("res://addons/segue/soundtrack_player_%s.gd" % kind.to_lower())
		ok(made.contains("extends AudioStreamPlayer%s\n" % kind), kind)
		eq(made.replace("Player" + kind, "Player"), source, "%s (tools/make_players.py)" % kind)


func _outline() -> SoundtrackResource:
	var path: String = ProjectSettings.globalize_path("res://").path_join(OUTLINE)
	return SoundtrackResource.parse(FileAccess.get_file_as_string(path))


func _code(path: String) -> String:
	var lines: PackedStringArray = PackedStringArray()
	for line: String in FileAccess.get_file_as_string(path).split("\n"):
		if not line.begins_with("#") and not line.begins_with("@icon"):
			lines.append(line)
	return "\n".join(lines)


func _is_told(bad: Dictionary, expected: String) -> void:
	var error: String = SoundtrackResource.parse(JSON.stringify(bad)).error
	ok(error.begins_with(expected), "expected %s, got %s" % [expected, error])


func _player() -> SoundtrackPlayer:
	var music: SoundtrackPlayer = SoundtrackPlayer.new()
	music.server = NOBODY
	music.soundtrack = "dungeon"
	tree.root.add_child(music)
	_nodes.append(music)
	return music
