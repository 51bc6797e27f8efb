# SPDX-License-Identifier: Apache-2.0
class_name Room
extends Node2D
## Three rooms in a row: floor and walls, drawn and solid. Walls stop light, sight and bodies.

const TILE: float = 32.0
const WALLS_LAYER: int = 1
const MAP: PackedStringArray = [
	"####################################",
	"###########..............###########",
	"###########..............##........#",
	"#.......###..............##........#",
	"#.......###...##....##...##........#",
	"#.......###...##....##...##........#",
	"#.......###..............##........#",
	"#..................................#",
	"#..................................#",
	"#..................................#",
	"#.......###..............##........#",
	"#.......###...##....##...##........#",
	"#.......###...##....##...##........#",
	"#.......###..............##........#",
	"###########..............##........#",
	"###########..............###########",
	"####################################",
]
const FLOOR: Color = Color(0.40, 0.38, 0.44)
const GROUT: Color = Color(0.27, 0.26, 0.31)
const TOP: Color = Color(0.17, 0.165, 0.21)
const EDGE: Color = Color(0.36, 0.34, 0.42)
const BRICK: Color = Color(0.47, 0.44, 0.48)
const MORTAR: Color = Color(0.24, 0.22, 0.26)


## Middle of a tile.
static func at(column: float, row: float) -> Vector2:
	return Vector2(column + 0.5, row + 0.5) * TILE


func _ready() -> void:
	for row: int in MAP.size():
		var begin: int = -1
		for column: int in MAP[row].length() + 1:
			var is_wall: bool = _is_wall(column, row)
			if is_wall and begin < 0:
				begin = column
			elif not is_wall and begin >= 0:
				_build(Rect2(begin, row, column - begin, 1))
				begin = -1
	var walls: Node2D = $Walls
	walls.draw.connect(_draw_walls.bind(walls))


func _draw() -> void:
	for row: int in MAP.size():
		for column: int in MAP[row].length():
			if _is_wall(column, row):
				continue
			var place: Rect2 = Rect2(Vector2(column, row) * TILE, Vector2(TILE, TILE))
			draw_rect(place, GROUT)
			draw_rect(place.grow(-1.0), FLOOR.darkened(0.22 * _chance(column, row)))
			if _chance(row, column) > 0.9:
				_draw_crack(place.get_center(), TAU * _chance(column, row))
			if _is_wall(column, row - 1):
				draw_rect(Rect2(place.position, Vector2(TILE, 7.0)), Color(0.0, 0.0, 0.0, 0.35))


func _draw_crack(at_point: Vector2, turned: float) -> void:
	var way: Vector2 = Vector2.from_angle(turned)
	draw_polyline([at_point - 8.0 * way, at_point + 2.0 * way.orthogonal(), at_point + 9.0 * way], GROUT, 1.5)


func _draw_walls(on: CanvasItem) -> void:
	for row: int in MAP.size():
		for column: int in MAP[row].length():
			if not _is_wall(column, row):
				continue
			var place: Rect2 = Rect2(Vector2(column, row) * TILE, Vector2(TILE, TILE))
			on.draw_rect(place, TOP.lightened(0.04 * _chance(column, row)))
			if row + 1 < MAP.size() and not _is_wall(column, row + 1):
				_draw_bricks(on, place)
				on.draw_line(place.position, place.position + Vector2(TILE, 0.0), EDGE, 2.0)
			var below: Vector2 = place.end - Vector2(0.0, TILE)
			if row > 0 and not _is_wall(column, row - 1):
				on.draw_line(place.position, below, EDGE, 2.0)
			if column > 0 and not _is_wall(column - 1, row):
				on.draw_line(place.position, place.position + Vector2(0.0, TILE), EDGE, 2.0)
			if column + 1 < MAP[row].length() and not _is_wall(column + 1, row):
				on.draw_line(below, place.end, EDGE, 2.0)


## The face of a wall that looks at us.
func _draw_bricks(on: CanvasItem, place: Rect2) -> void:
	on.draw_rect(place, MORTAR)
	for line: int in 3:
		var shift: float = 8.0 if line % 2 == 1 else 0.0
		for brick: int in 3:
			var left: float = clampf(brick * 16.0 - shift, 0.0, TILE)
			var right: float = clampf(brick * 16.0 - shift + 15.0, 0.0, TILE)
			if right <= left:
				continue
			var shade: float = 0.25 * _chance(int(place.position.x) + brick, int(place.position.y) + line)
			var at_point: Vector2 = place.position + Vector2(left, line * 11.0)
			on.draw_rect(Rect2(at_point, Vector2(right - left, 9.5)), BRICK.darkened(shade))


func _build(tiles: Rect2) -> void:
	var body: StaticBody2D = StaticBody2D.new()
	body.collision_layer = WALLS_LAYER
	body.position = tiles.get_center() * TILE
	var shape: CollisionShape2D = CollisionShape2D.new()
	var box: RectangleShape2D = RectangleShape2D.new()
	box.size = tiles.size * TILE
	shape.shape = box
	body.add_child(shape)
	var half: Vector2 = box.size / 2.0
	var outline: OccluderPolygon2D = OccluderPolygon2D.new()
	outline.polygon = PackedVector2Array([-half, Vector2(half.x, -half.y), half, Vector2(-half.x, half.y)])
	var shade: LightOccluder2D = LightOccluder2D.new()
	shade.occluder = outline
	body.add_child(shade)
	add_child(body)


static func _is_wall(column: int, row: int) -> bool:
	return row >= 0 and row < MAP.size() and column >= 0 and column < MAP[row].length() and MAP[row][column] == "#"


## 0 to 1, always the same for a tile.
static func _chance(a: int, b: int) -> float:
	return float(hash(Vector2i(a, b)) % 1000) / 1000.0
