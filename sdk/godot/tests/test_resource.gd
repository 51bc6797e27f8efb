# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## What is read of a file that `segue build` wrote.

const WHOLE: String = """{"format": 1, "hash": "sha256:0a", "document": {
"soundtrack": "dungeon", "version": 3, "description": "Five states.", "initial": "explore",
"states": {"explore": {}, "combat": {}, "boss": {}},
"stingers": {"hit": {}, "treasure": {}},
"events": {"chest_opened": {"trigger": ["treasure"]}, "spotted": {}},
"parameters": {"danger": {"range": [-1, 1], "default": 0.5}},
"transitions": [{"from": ["any"], "to": "combat", "on": ["spotted", "ambush"], "exit_source_at": "immediate"},
{"from": ["combat"], "to": "explore", "on": [], "when": "danger < 0.2", "after": "6 s", "via": "aftermath"}]}}"""


func test_all_that_is_read() -> void:
	var found: SoundtrackResource = SoundtrackResource.parse(WHOLE)
	eq(found.error, "")
	eq(found.id, "dungeon")
	eq(found.version, 3)
	eq(found.soundtrack_hash, "sha256:0a")
	eq(found.description, "Five states.")
	eq(found.initial, "explore")
	eq(found.states, PackedStringArray(["explore", "combat", "boss"]), "in the order of the file")
	eq(found.stingers, PackedStringArray(["hit", "treasure"]))
	eq(found.events, PackedStringArray(["spotted", "ambush", "chest_opened"]), "causes first, each once")
	eq(found.parameters, {"danger": {"minimum": -1.0, "maximum": 1.0, "default": 0.5}})
	eq(found.transitions.size(), 2)
	eq(found.transitions[0]["on"], PackedStringArray(["spotted", "ambush"]))
	eq(found.transitions[1]["when"], "danger < 0.2")
	eq(found.transitions[1]["exit_source_at"], "", "not said")
	ok(found.has_state("boss") and not found.has_state("Boss"), "states")
	ok(found.has_event("ambush") and found.has_event("hit") and not found.has_event("boss"), "events")
	ok(found.has_stinger("hit") and not found.has_stinger("spotted"), "stingers")
	ok(found.has_parameter("danger") and not found.has_parameter(""), "parameters")


func test_what_is_wrong_is_said_with_its_key() -> void:
	for row: PackedStringArray in [
		["", "", ""],
		['"format": 1', '"format": 2', "format: expected 1"],
		['"format": 1,', "", "format: expected 1"],
		['"hash": "sha256:0a"', '"hash": 3', "hash: expected a text"],
		['"soundtrack": "dungeon", ', "", "document.soundtrack: expected a text, got nothing"],
		['"initial": "explore"', '"initial": "caves"', "document.initial: expected one of the states (explore, combat"],
		["[-1, 1]", "[1]", "document.parameters.danger.range: expected two numbers"],
		['"default": 0.5', '"default": "x"', "document.parameters.danger.default: expected a number"],
		['"to": "combat"', '"to": 5', "document.transitions[0].to: expected a text"],
		['"from": ["combat"]', '"from": [2]', "document.transitions[1].from: expected a list of names"],
		['"stingers": {"hit": {}, "treasure": {}}', '"stingers": []', "document.stingers: expected an object"],
	]:
		var text: String = WHOLE.replace(row[0], row[1]) if not row[0].is_empty() else "[]"
		var want: String = row[2] if not row[2].is_empty() else "expected a file that `segue build` wrote"
		var found: SoundtrackResource = SoundtrackResource.parse(text)
		ok(found.error.begins_with(want), "%s: got %s" % [want, found.error])
		eq(found.states, PackedStringArray(), "nothing of what is broken is used")
	ok(SoundtrackResource.parse("{\n\n").error.begins_with("line "), "no JSON at all")


func test_cut_files_never_pass_for_whole_ones() -> void:
	for end: int in range(0, WHOLE.length() - 1, 7):
		if SoundtrackResource.parse(WHOLE.left(end)).error.is_empty():
			ok(false, "the first %d characters" % end)
	ok(true, "all are refused")


func test_a_byte_order_mark_and_a_new_text() -> void:
	var found: SoundtrackResource = SoundtrackResource.parse("\ufeff" + WHOLE)
	eq(found.error, "")
	found.json = WHOLE.replace("dungeon", "cave").replace(', "boss": {}', "")
	eq(found.id, "cave")
	eq(found.states.size(), 2, "nothing is left of the old one")


func test_it_is_saved_and_loaded_as_a_resource() -> void:
	var path: String = "user://soundtrack_%d.tres" % OS.get_process_id()
	eq(ResourceSaver.save(SoundtrackResource.parse(WHOLE), path), OK)
	var found: SoundtrackResource = (
		ResourceLoader.load(path, "", ResourceLoader.CACHE_MODE_IGNORE) as SoundtrackResource
	)
	eq(found.id, "dungeon")
	eq(found.transitions.size(), 2)
	DirAccess.remove_absolute(path)
