# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## Constants of soundtracks, and the importer in an editor of its own.

const ConstantsWriter := preload("res://addons/segue/editor/importing/constants_writer.gd")
const EditorProject := preload("res://tests/editor_project.gd")
const Identifiers := preload("res://addons/segue/editor/importing/identifiers.gd")
const Importer := preload("res://addons/segue/editor/importing/importer.gd")
const SoundtrackFile := preload("res://addons/segue/soundtrack_resource.gd")

const SOUNDTRACK: String = """{"format": 1, "hash": "sha256:0a", "document": {
"soundtrack": "dungeon", "version": 3, "initial": "explore",
"states": {"explore": {}, "combat": {}}, "stingers": {"hit": {}},
"parameters": {"danger": {"range": [0, 1], "default": 0}},
"transitions": [{"from": ["any"], "to": "combat", "on": ["enemy_spotted"], "exit_source_at": "immediate"}]}}"""
const MAKE: String = """extends SceneTree
func _init() -> void:
	var soundtracks: Array = load("res://addons/segue/editor/importing/constants_file.gd").soundtracks()
	print(soundtracks.size(), " soundtracks")
	var made: RefCounted = load("res://addons/segue/editor/importing/constants_file.gd").new(soundtracks[0])
	print(made.path, made.problem)
	quit(0 if soundtracks.size() == 2 and made.problem.is_empty() else 1)
"""
const GAME: String = """extends SceneTree
func _init() -> void:
	var found: SoundtrackResource = load("res://dungeon.soundtrack.json")
	print("resource ", found.id, " ", ",".join(found.states), " danger ", found.parameters["danger"]["maximum"])
	print("segue ", (load("res://music/dungeon.segue") as SoundtrackResource).id)
	print("constant ", DungeonSoundtrack.EVENT_ENEMY_SPOTTED)
	assert(load("res://other.json") is JSON)
	quit()
"""
const PRESET: String = """[preset.0]
name="pack"
platform="Linux"
runnable=false
export_filter="all_resources"
export_path=""
include_filter=""
exclude_filter=""
[preset.0.options]
binary_format/embed_pck=false
"""
const NASTY: PackedStringArray = [
	"explore",
	"Explore",
	"boss-fight 2",
	"boss_fight_2",
	"2nd",
	"pi",
	"ok",
	"OK",
	"json",
	"new",
	"self",
	"class",
	"states",
	"events",
	"id",
	"müde",
	"戦闘",
	"😀",
	'"quo\\ted"',
	"a\nb",
	"",
	"_",
	"__",
	"hud",
	"NodeHUD",
	"rid",
	"nan",
	"script",
	"NOTIFICATION_PREDELETE",
	"CONNECT_DEFERRED",
	"KEY_A",
	"TYPE_NIL",
	"vector2",
	"\u202edlrow",
]


func limit_s() -> float:
	return 120.0


func test_identifiers() -> void:
	for row: Array in [
		["enemy_spotted", "P_ENEMY_SPOTTED", "EnemySpotted", "enemy_spotted"],
		["bossDied", "P_BOSS_DIED", "BossDied", "boss_died"],
		["HUD", "P_HUD", "HUD", "hud"],
		["boss-fight 2", "P_BOSS_FIGHT_2", "BossFight2", "boss_fight_2"],
		["2nd", "P_2ND", "_2nd", "2nd"],
		["é", "P_U00E9", "U00E9", "u00e9"],
		["", "P__", "_", "_"],
	]:
		eq(Identifiers.constant("P_", row[0]), row[1])
		eq(Identifiers.pascal(row[0]), row[2])
		eq(Identifiers.snake(row[0]), row[3])


func test_constants_of_nasty_names_are_a_script_whose_values_are_the_names() -> void:
	var soundtrack: SoundtrackFile = SoundtrackFile.new()
	soundtrack.id = 'wild "one"\n2'
	soundtrack.soundtrack_hash = "sha256:0\nfunc"
	soundtrack.description = "Two\nlines \u2028 and more."
	soundtrack.states = NASTY
	soundtrack.initial = NASTY[0]
	soundtrack.events = NASTY
	soundtrack.stingers = NASTY
	for name: String in NASTY:
		soundtrack.parameters[name] = {"minimum": -0.5, "maximum": 1e300, "default": 0.1}
	soundtrack.transitions = [
		{"from": PackedStringArray(["a\nb"]), "to": "x\n\ty", "on": PackedStringArray(NASTY), "when": "", "after": ""}
	]
	var text: String = ConstantsWriter.write(soundtrack)
	eq(ConstantsWriter.write(soundtrack), text, "the same text again")
	var script: GDScript = _compiled(text)
	if not ok(script != null, "the file has errors:\n" + text):
		return
	var constants: Dictionary = script.get_script_constant_map()
	eq(constants["ID"], soundtrack.id, "id")
	eq(constants.size(), 1 + 4 * NASTY.size(), "constants")
	for prefix: String in ["STATE_", "EVENT_", "PARAMETER_", "STINGER_"]:
		var values: Array = []
		for constant: String in constants:
			if constant.begins_with(prefix):
				values.append(constants[constant])
		for name: String in NASTY:
			ok(values.has(StringName(name)), '%s: "%s" is missing' % [prefix, name])


func test_constants_of_a_soundtrack_without_anything() -> void:
	var soundtrack: SoundtrackFile = SoundtrackFile.new()
	soundtrack.id = "empty"
	eq(ConstantsWriter.file_name(soundtrack), "empty_soundtrack.gd")
	eq(ConstantsWriter.type_name(soundtrack), "EmptySoundtrack")
	var script: GDScript = _compiled(ConstantsWriter.write(soundtrack))
	ok(script != null and script.get_script_constant_map() == {"ID": "empty"}, "only what there is")


func test_what_is_ours() -> void:
	for path: String in ["res://a.soundtrack.json", "res://A.Soundtrack.JSON", "res://x/a.segue"]:
		ok(Importer.is_ours(path), path)
	for path: String in ["res://a.json", "res://soundtrack.json", "res://segue", "res://a.soundtrack.yaml"]:
		ok(not Importer.is_ours(path), path)


func _compiled(text: String) -> GDScript:
	var script: GDScript = GDScript.new()
	# Scripts that are not files of the project have no name of their own there.
	script.source_code = text
	return script if script.reload() == OK else null


func test_an_editor_imports_a_soundtrack_and_games_load_it() -> void:
	var project: EditorProject = EditorProject.new("import", '[autoload]\nEvents="*res://events.gd"\n')
	project.write("dungeon.soundtrack.json", SOUNDTRACK)
	project.write("music/dungeon.segue", SOUNDTRACK)
	project.write("other.json", '{"a": 1}')
	project.write("events.gd", "extends Node\n")
	project.write("export_presets.cfg", PRESET)
	project.write("game.gd", GAME)
	project.write("make.gd", MAKE)
	eq(project.run(["--import"]), 0, "import")
	eq(project.errors(), PackedStringArray(), "import, errors")
	# What the editor's button does; then the scripts are known by their names.
	eq(project.run(["--script", "res://make.gd"]), 0, "constants: " + project.output)
	ok(project.read("dungeon_soundtrack.gd").contains("class_name DungeonSoundtrack"), project.output)
	eq(project.run(["--import"]), 0, "import of constants")
	for words: PackedStringArray in [
		["--script", "res://game.gd"], ["--main-pack", "game.pck", "--script", "res://game.gd"]
	]:
		if words.has("--main-pack"):
			eq(project.run(["--export-pack", "pack", "game.pck"]), 0, "export: " + project.output)
			words[1] = project.folder.path_join("game.pck")
		project.run(words)
		ok(project.output.contains("resource dungeon explore,combat danger 1"), "%s: %s" % [words, project.output])
		ok(project.output.contains("segue dungeon"), "%s: %s" % [words, project.output])
		ok(project.output.contains("constant enemy_spotted"), "%s: %s" % [words, project.output])
		eq(project.errors(), PackedStringArray(), "%s, errors" % words)
	project.remove()


func test_an_editor_says_what_is_wrong_with_a_file() -> void:
	var project: EditorProject = EditorProject.new("broken")
	project.write("bad.soundtrack.json", SOUNDTRACK.replace('"initial": "explore"', '"initial": "boss"'))
	project.write("none.segue", "")
	project.run(["--import"])
	var said: String = "bad.soundtrack.json: document.initial: expected one of the states (explore, combat), got boss"
	ok(project.output.contains(said), project.output)
	ok(project.output.contains("none.segue: it can't be read, or is empty"), project.output)
	project.remove()
