# SPDX-License-Identifier: Apache-2.0
class_name Torch
extends Node2D
## A torch: it flickers, and flares up when it is told to.

const CALM: float = 0.85
const FLARE: float = 1.1
const FADES_PER_S: float = 2.6

@export var tint: Color = Color(1.0, 0.62, 0.28)
## Whether it stands on the floor, rather than hanging on a wall.
@export var stands: bool = false

var _flare: float = 0.0
var _phase: float = 0.0
var _noise: FastNoiseLite = FastNoiseLite.new()

@onready var _lights: Array[PointLight2D] = [$OnFloor, $OnWalls]


## Flares up: 1 on a bar, less on a beat.
func flare(strength: float) -> void:
	_flare = maxf(_flare, strength)


func _ready() -> void:
	_noise.frequency = 1.0
	_phase = fmod(position.x * 7.3 + position.y * 3.1, 100.0)
	for light: PointLight2D in _lights:
		light.color = tint
	if stands:
		_lights[0].position = Vector2.ZERO


func _process(elapsed: float) -> void:
	_phase += elapsed
	_flare = maxf(0.0, _flare - FADES_PER_S * elapsed)
	var energy: float = CALM + 0.18 * _noise.get_noise_1d(2.5 * _phase) + FLARE * _flare
	for light: PointLight2D in _lights:
		light.energy = energy
	queue_redraw()


func _draw() -> void:
	var sway: float = 2.0 * _noise.get_noise_1d(40.0 + 3.0 * _phase)
	var size: float = 6.0 + 5.0 * _flare + 1.5 * _noise.get_noise_1d(80.0 + 4.0 * _phase)
	if stands:
		draw_colored_polygon(
			[Vector2(-9.0, 2.0), Vector2(9.0, 2.0), Vector2(5.0, 13.0), Vector2(-5.0, 13.0)], Color(0.3, 0.28, 0.33)
		)
	else:
		draw_rect(Rect2(-2.0, 2.0, 4.0, 11.0), Color(0.45, 0.28, 0.14))
	draw_circle(Vector2.ZERO, size + 2.0, Color(tint, 0.45))
	draw_colored_polygon(
		[Vector2(-size, 2.0), Vector2(sway, -2.4 * size), Vector2(size, 2.0), Vector2(0.0, size)], tint
	)
	draw_circle(Vector2(0.0, 1.0), 0.55 * size, Color(1.0, 0.93, 0.7))
