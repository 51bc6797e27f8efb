# SPDX-License-Identifier: Apache-2.0
class_name Foe
extends CharacterBody2D
## Walks up and down until it sees the hero, and then after him. The boss sleeps until it is woken.

## Sees the hero for the first time.
signal spotted
## Has no strength left.
signal died

const SIGHT: float = 165.0
const TOUCH: float = 26.0
const BEAT: float = 40.0

@export var is_boss: bool = false
@export var strength: int = 2
@export var tint: Color = Color(0.95, 0.3, 0.24)
## How far it walks up and down.
@export var patrol: Vector2 = Vector2.ZERO

## Whom it looks for.
var hero: Hero
## Whether it is after the hero.
var is_awake: bool = false

var _age_s: float = 0.0
var _hurt_s: float = 0.0
var _home: Vector2
var _push: Vector2 = Vector2.ZERO
var _most: int = 0

@onready var _scale: float = 2.1 if is_boss else 1.0


## How far the hero is, from skin to skin.
func distance() -> float:
	return maxf(0.0, global_position.distance_to(hero.global_position) - 14.0 * (_scale - 1.0))


## Is after the hero from now on.
func wake() -> void:
	if not is_awake:
		is_awake = true
		spotted.emit()


## Loses strength.
func hit() -> void:
	strength -= 1
	_hurt_s = 0.18
	_push = (120.0 if is_boss else 300.0) * hero.global_position.direction_to(global_position)
	if strength <= 0:
		died.emit()
		queue_free()
	else:
		wake()


func _ready() -> void:
	_home = position
	_most = strength


func _physics_process(elapsed: float) -> void:
	_age_s += elapsed
	_hurt_s -= elapsed
	_push = _push.move_toward(Vector2.ZERO, 900.0 * elapsed)
	if not is_awake and not is_boss and _sees():
		wake()
	var goal: Vector2 = hero.global_position if is_awake else _home + patrol * sin(0.9 * _age_s)
	velocity = _push
	if not is_awake or distance() > TOUCH - 6.0:
		velocity += (70.0 if is_awake else 40.0) * (goal - global_position).limit_length(10.0) / 10.0
	move_and_slide()
	if is_awake and distance() < TOUCH:
		hero.push(global_position.direction_to(hero.global_position))
	queue_redraw()


func _sees() -> bool:
	if distance() > SIGHT:
		return false
	var ray: PhysicsRayQueryParameters2D = PhysicsRayQueryParameters2D.create(
		global_position, hero.global_position, Room.WALLS_LAYER
	)
	return get_world_2d().direct_space_state.intersect_ray(ray).is_empty()


func _draw() -> void:
	var wobble: float = sin(5.0 * _age_s) if is_awake else 0.4 * sin(2.0 * _age_s)
	draw_circle(Vector2(0.0, 9.0 * _scale), 12.0 * _scale, Color(0.0, 0.0, 0.0, 0.35))
	draw_set_transform(Vector2.ZERO, 0.0, _scale * Vector2(1.0 + 0.05 * wobble, 1.0 - 0.05 * wobble))
	var skin: Color = Color.WHITE if _hurt_s > 0.0 else tint
	if is_boss:
		for side: float in [-1.0, 1.0]:
			draw_colored_polygon(
				[Vector2(3.0 * side, -9.0), Vector2(13.0 * side, -22.0), Vector2(11.0 * side, -5.0)],
				Color(0.9, 0.86, 0.75)
			)
	draw_circle(Vector2.ZERO, 13.0, skin.darkened(0.35))
	draw_circle(Vector2(0.0, -2.0), 11.5, skin)
	var look: Vector2 = 1.8 * global_position.direction_to(hero.global_position) if is_awake else Vector2.ZERO
	for side: float in [-1.0, 1.0]:
		var eye: Vector2 = Vector2(4.5 * side, -3.0)
		if is_awake or not is_boss:
			draw_circle(eye, 3.2, Color(1.0, 0.95, 0.75))
			draw_circle(eye + look, 1.6, Color(0.1, 0.05, 0.1))
			if is_awake:
				draw_line(eye + Vector2(4.0 * side, -6.0), eye + Vector2(-3.0 * side, -3.0), skin.darkened(0.6), 2.0)
		else:
			draw_line(eye - Vector2(3.0, 0.0), eye + Vector2(3.0, 0.0), skin.darkened(0.6), 1.5)
	if is_awake:
		draw_arc(Vector2(0.0, 4.0), 3.5, 0.2, PI - 0.2, 8, Color(0.1, 0.05, 0.1), 2.0)
	draw_set_transform(Vector2.ZERO)
	if is_awake and strength < _most:
		var width: float = 30.0 * _scale
		var bar: Rect2 = Rect2(-width / 2.0, -26.0 * _scale, width, 4.0)
		draw_rect(bar, Color(0.1, 0.05, 0.05))
		draw_rect(Rect2(bar.position, Vector2(width * strength / _most, 4.0)), Color(0.95, 0.3, 0.25))
