# SPDX-License-Identifier: Apache-2.0
extends SceneTree
## Draws the Soundtrack panel with sample data in a window and saves it as a picture. It needs a display (Xvfb does):
## godot --path sdk/godot --script res://tools/panel_shot.gd -- SHOT.png [OUTLINE.soundtrack.json]

const Live := preload("res://addons/segue/editor/live/live.gd")
const LocalServer := preload("res://addons/segue/editor/server/local_server.gd")
const Remote := preload("res://addons/segue/core/remote.gd")
const SoundtrackPanel := preload("res://addons/segue/editor/panel/panel.gd")

const SIZE: Vector2i = Vector2i(1280, 380)
const SAMPLE: String = """{"format": 1, "hash": "sha256:0", "document": {
"soundtrack": "dungeon", "version": 3, "initial": "explore",
"states": {"explore": {}, "tension": {}, "combat": {}, "boss": {}, "victory": {}},
"stingers": {"treasure": {}, "hit": {}}, "parameters": {"danger": {"range": [0, 1], "default": 0}},
"events": {"chest_opened": {}, "room_entered": {}},
"transitions": [
{"from": ["any"], "to": "combat", "on": ["enemy_spotted"]}, {"from": ["any"], "to": "boss", "on": ["boss_door_opened"]},
{"from": ["explore"], "to": "tension", "when": "danger >= 0.75"},
{"from": ["tension"], "to": "explore", "when": "danger < 0.5"},
{"from": ["combat"], "to": "explore", "when": "danger < 0.2"}, {"from": ["boss"], "to": "victory", "on": ["boss_died"]},
{"from": ["victory"], "to": "explore", "after": "12 s"}]}}"""


func _initialize() -> void:
	_shoot.call_deferred()


func _shoot() -> void:
	var words: PackedStringArray = OS.get_cmdline_user_args()
	if words.is_empty():
		printerr("expected the path of a PNG to write, after --")
		quit(2)
		return
	var text: String = FileAccess.get_file_as_string(words[1]) if words.size() > 1 else SAMPLE
	var soundtrack: SoundtrackResource = SoundtrackResource.parse(text)
	if not soundtrack.error.is_empty():
		printerr(soundtrack.error)
		quit(2)
		return
	root.size = SIZE
	var live: Live = Live.new()
	var panel: SoundtrackPanel = SoundtrackPanel.new(live, LocalServer.new())
	var back: ColorRect = ColorRect.new()
	back.color = Color("2b2d33")
	back.set_anchors_preset(Control.PRESET_FULL_RECT)
	panel.set_anchors_preset(Control.PRESET_FULL_RECT)
	root.add_child(back)
	root.add_child(panel)
	_tell(live, soundtrack)
	for i: int in 10:
		await process_frame
	var error: Error = ERR_UNAVAILABLE
	if DisplayServer.get_name() != "headless":
		error = root.get_texture().get_image().save_png(words[0])
	print(words[0] if error == OK else "no picture: %s (is there a display?)" % error_string(error))
	panel.free()
	quit(0 if error == OK else 1)


## A minute of a game, the same one every time.
func _tell(live: Live, soundtrack: SoundtrackResource) -> void:
	var outline: Dictionary = {}
	for key: String in Remote.OUTLINE:
		outline[key] = soundtrack.get(key)
	live.take(0, "segue:players", [[{"id": 1, "name": "Music", "soundtrack": soundtrack.id, "outline": outline}]])
	var dice: RandomNumberGenerator = RandomNumberGenerator.new()
	dice.seed = 5
	var states: PackedStringArray = soundtrack.states
	for i: int in 1200:
		var now: float = i / 20.0
		var turn: int = floori(i / 240.0)
		var reading: Dictionary = {
			"connection": "playing" if i > 20 else "connecting",
			"music_state": states[0],
			"buffer_ms": 0.0 if i < 20 else 230.0 + 40.0 * sin(now) + dice.randf_range(-12.0, 12.0),
			"round_trip_ms": 12.0 + dice.randf_range(0.0, 6.0) + (20.0 if i > 700 and i < 760 else 0.0),
			"rate_ppm": 180.0 * sin(now / 6.0),
			"underruns": 1 if i > 730 else 0,
			"late_takes": 0,
			"take": turn,
		}
		live.take(0, "segue:readings", [now, {1: reading}])
		if i % 100 == 50:
			live.take(0, "segue:event", [now, 1, {"adherence": {"similarity": dice.randf_range(0.6, 0.8)}}])
		if i % 240 == 200:
			_tell_transition(live, now, states[turn % states.size()], states[(turn + 1) % states.size()])
		if i % 310 == 300:
			live.take(0, "segue:event", [now, 1, {"stinger_started": {"name": "hit"}}])
	_tell_transition(live, 59.0, states[0], states[1 % states.size()], false)


func _tell_transition(live: Live, now: float, from: String, to: String, is_over: bool = true) -> void:
	var began: Dictionary = {"from_state": from, "to_state": to, "length_samples": 96000}
	live.take(0, "segue:event", [now, 1, {"transition_started": began}])
	if is_over:
		live.take(0, "segue:event", [now, 1, {"take": 2, "sample": 0, "rewound": {"replaced_until_sample": 12000}}])
		live.take(0, "segue:event", [now + 2.0, 1, {"state_changed": {"from_state": from, "to_state": to}}])
