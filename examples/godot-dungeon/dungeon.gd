# SPDX-License-Identifier: Apache-2.0
class_name Dungeon
extends Node2D
## The game. What it does with its music is in `_ready`, `_process` and where `music` is told something.

## Distances in pixels at which `danger` is 1, and 0.
const NEAR: float = 160.0
const FAR: float = 450.0

## How near the nearest foe is: 0 to 1.
var danger: float = 0.0

@onready var music: SoundtrackPlayer = $Soundtrack
@onready var hero: Hero = $Hero
@onready var chest: Chest = $Chest
@onready var door: BossDoor = $BossDoor
@onready var boss: Foe = $Boss
@onready var hud: Hud = $Screen/Hud


func _ready() -> void:
	for foe: Foe in foes():
		foe.hero = hero
		foe.spotted.connect(_on_spotted.bind(foe))
		foe.died.connect(_on_died.bind(foe))
	hero.struck.connect(_on_struck)
	chest.opened.connect(_on_chest_opened)
	door.opened.connect(_on_door_opened)
	music.bar.connect(func(_bar_of_phrase: int) -> void: _flare(1.0))
	music.beat.connect(func(_beat_of_bar: int) -> void: _flare(0.35))
	music.state_changed.connect(_on_state_changed)
	hud.watch(self)
	music.play()


func _process(_elapsed: float) -> void:
	danger = 0.0
	for foe: Foe in foes():
		if foe != boss or door.is_open:
			danger = maxf(danger, clampf(inverse_lerp(FAR, NEAR, foe.distance()), 0.0, 1.0))
	music.set_parameter(&"danger", danger)


func _unhandled_input(event: InputEvent) -> void:
	if event.is_action_pressed(&"again"):
		get_tree().reload_current_scene()


## Those who are left.
func foes() -> Array[Foe]:
	var found: Array[Foe] = []
	for node: Node in get_tree().get_nodes_in_group(&"foes"):
		if not node.is_queued_for_deletion():
			found.append(node as Foe)
	return found


func _on_spotted(foe: Foe) -> void:
	if foe != boss:
		_post(&"enemy_spotted", foe.position)


func _on_chest_opened() -> void:
	_post(&"chest_opened", chest.position)
	hud.tell("Treasure.")


func _on_door_opened() -> void:
	_post(&"boss_door_opened", door.position)
	hud.tell("Something sleeps there. It wakes with its music.")


func _on_died(foe: Foe) -> void:
	if foe == boss:
		_post(&"boss_died", foe.position)
		hud.tell("The dungeon is yours. R plays it again.")
	elif foes().size() == 1:
		hud.tell("Quiet again. There is a chest, and a door.")


func _on_struck() -> void:
	for foe: Foe in foes():
		if foe.distance() < Hero.REACH:
			# A recording: heard where a baked folder has it as WAV or Ogg.
			music.post_trigger(&"hit")
			foe.hit()


## Comes when the state is heard, not when it was asked for.
func _on_state_changed(state: StringName, _from_state: StringName) -> void:
	if state == &"boss" and is_instance_valid(boss):
		boss.wake()


func _post(event: StringName, place: Vector2) -> void:
	music.post_event(event)
	hud.shout(event, place)


func _flare(strength: float) -> void:
	for torch: Node in get_tree().get_nodes_in_group(&"torches"):
		(torch as Torch).flare(strength)
