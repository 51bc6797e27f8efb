# SPDX-License-Identifier: Apache-2.0
class_name Hero
extends CharacterBody2D
## Who is moved by the keys.

## Strikes; whoever is within REACH is hit.
signal struck

const SPEED: float = 150.0
const REACH: float = 52.0
const STRIKE_S: float = 0.28
const PUSH_FADES: float = 700.0

## Whether the keys move it; otherwise whoever sets `wish` does.
var is_steered: bool = true
## Where to go: length 1 at most.
var wish: Vector2 = Vector2.ZERO

var _push: Vector2 = Vector2.ZERO
var _facing: Vector2 = Vector2.RIGHT
var _striking_s: float = 0.0
var _walked: float = 0.0


## Swings the sword.
func strike() -> void:
	if _striking_s <= 0.0:
		_striking_s = STRIKE_S
		struck.emit()


## Is thrown back.
func push(direction: Vector2) -> void:
	_push = 260.0 * direction


## Turns to a place.
func face(place: Vector2) -> void:
	_facing = global_position.direction_to(place)


func _physics_process(elapsed: float) -> void:
	if is_steered:
		wish = Input.get_vector(&"move_left", &"move_right", &"move_up", &"move_down")
		if Input.is_action_just_pressed(&"strike"):
			strike()
	if not wish.is_zero_approx():
		_facing = wish.normalized()
	_push = _push.move_toward(Vector2.ZERO, PUSH_FADES * elapsed)
	velocity = SPEED * wish + _push
	_walked += velocity.length() * elapsed
	_striking_s -= elapsed
	move_and_slide()
	queue_redraw()


func _draw() -> void:
	draw_circle(Vector2(0.0, 9.0), 11.0, Color(0.0, 0.0, 0.0, 0.35))
	var step: float = 3.0 * sin(_walked / 7.0)
	draw_circle(Vector2(-4.0, 10.0 + step), 4.0, Color(0.25, 0.2, 0.2))
	draw_circle(Vector2(4.0, 10.0 - step), 4.0, Color(0.25, 0.2, 0.2))
	draw_circle(Vector2.ZERO, 11.5, Color(0.24, 0.55, 0.95))
	draw_circle(Vector2(0.0, -7.0), 8.5, Color(0.16, 0.38, 0.75))
	draw_circle(Vector2(0.0, -7.0) + 2.5 * _facing, 5.5, Color(0.98, 0.86, 0.72))
	var angle: float = _facing.angle()
	if _striking_s > 0.0:
		var done: float = 1.0 - _striking_s / STRIKE_S
		angle += lerpf(-1.3, 1.3, done)
		draw_arc(Vector2.ZERO, REACH - 14.0, angle - 1.2 * done, angle, 12, Color(1.0, 1.0, 0.85, 0.7), 7.0)
	var hand: Vector2 = 12.0 * Vector2.from_angle(angle)
	draw_line(hand, hand + 24.0 * Vector2.from_angle(angle), Color(0.9, 0.93, 1.0), 3.5)
	draw_line(
		hand + 6.0 * Vector2.from_angle(angle + PI / 2.0),
		hand - 6.0 * Vector2.from_angle(angle + PI / 2.0),
		Color(0.85, 0.7, 0.3),
		3.5
	)
