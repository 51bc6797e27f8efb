# SPDX-License-Identifier: Apache-2.0
class_name BossDoor
extends StaticBody2D
## Opens when the hero stands before it.

## It begins to open.
signal opened

const OPENS_S: float = 1.6

## Whether it is open, or on its way.
var is_open: bool = false

var _gap: float = 0.0


func _ready() -> void:
	var threshold: Area2D = $Threshold
	threshold.body_entered.connect(_on_body_entered)


func _on_body_entered(body: Node2D) -> void:
	if not body is Hero or is_open:
		return
	is_open = true
	opened.emit()
	var slide: Tween = create_tween()
	slide.tween_method(_slide, 0.0, 1.0, OPENS_S).set_trans(Tween.TRANS_SINE)
	await slide.finished
	($Shape as CollisionShape2D).disabled = true
	$Occluder.hide()


func _slide(gap: float) -> void:
	_gap = gap
	queue_redraw()


func _draw() -> void:
	var half: float = 48.0 * (1.0 - 0.92 * _gap)
	for side: float in [-1.0, 1.0]:
		var top: float = -48.0 if side < 0.0 else 48.0 - half
		var leaf: Rect2 = Rect2(-22.0, top, 44.0, half)
		draw_rect(leaf, Color(0.42, 0.24, 0.12))
		for plank: int in 4:
			draw_line(
				Vector2(-11.0 + 11.0 * plank, top),
				Vector2(-11.0 + 11.0 * plank, top + half),
				Color(0.25, 0.13, 0.06),
				2.0
			)
		draw_rect(leaf, Color(0.62, 0.5, 0.3), false, 3.0)
	if _gap < 0.2:
		draw_circle(Vector2.ZERO, 11.0, Color(0.2, 0.08, 0.25))
		draw_circle(Vector2.ZERO, 8.0, Color(0.75, 0.3, 0.95))
		draw_circle(Vector2.ZERO, 3.5, Color(1.0, 0.85, 1.0))
