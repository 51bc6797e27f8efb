# SPDX-License-Identifier: Apache-2.0
class_name Chest
extends Area2D
## Opens when the hero comes near.

## It is open now.
signal opened

var _is_open: bool = false


func _ready() -> void:
	body_entered.connect(_on_body_entered)


func _on_body_entered(body: Node2D) -> void:
	if body is Hero and not _is_open:
		_is_open = true
		$Gleam.show()
		queue_redraw()
		opened.emit()


func _draw() -> void:
	draw_rect(Rect2(-17.0, 8.0, 34.0, 6.0), Color(0.0, 0.0, 0.0, 0.35))
	draw_rect(Rect2(-15.0, -4.0, 30.0, 16.0), Color(0.55, 0.33, 0.14))
	if _is_open:
		draw_rect(Rect2(-15.0, -18.0, 30.0, 8.0), Color(0.42, 0.25, 0.1))
		draw_rect(Rect2(-13.0, -10.0, 26.0, 8.0), Color(0.12, 0.07, 0.04))
		for coin: int in 6:
			draw_circle(Vector2(-10.0 + 4.0 * coin, -5.0 - 3.0 * (coin % 2)), 3.5, Color(1.0, 0.84, 0.3))
	else:
		draw_rect(Rect2(-15.0, -12.0, 30.0, 10.0), Color(0.62, 0.38, 0.17))
	for band: float in [-11.0, 8.0]:
		draw_rect(Rect2(band, -4.0, 3.0, 16.0), Color(0.85, 0.7, 0.35))
	draw_rect(Rect2(-3.0, -5.0, 6.0, 7.0), Color(0.95, 0.8, 0.4))
