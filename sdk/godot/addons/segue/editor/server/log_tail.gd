# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## New lines of a file that another process writes.

const MOST: int = 64 * 1024
const NEWLINE: int = 10

var _path: String
var _position: int = 0


func _init(path: String) -> void:
	_path = path


## Lines that have ended since the last call, the empty ones left out; none while there is no file.
## is_over: nothing more is coming, so that the last line counts even if it has no end.
func read(is_over: bool = false) -> PackedStringArray:
	var lines: PackedStringArray = PackedStringArray()
	if not FileAccess.file_exists(_path):
		return lines
	var file: FileAccess = FileAccess.open(_path, FileAccess.READ)
	if file == null:
		return lines
	var length: int = file.get_length()
	if length < _position:
		_position = 0
	file.seek(_position)
	var bytes: PackedByteArray = file.get_buffer(mini(MOST, length - _position))
	var end: int = bytes.rfind(NEWLINE) + 1
	# A line that is longer than all that is read at once is taken in pieces.
	if end == 0 and (is_over or bytes.size() == MOST):
		end = bytes.size()
	if is_over and _position + bytes.size() == length:
		end = bytes.size()
	_position += end
	for line: String in bytes.slice(0, end).get_string_from_utf8().split("\n"):
		if not line.strip_edges().is_empty():
			lines.append(line.strip_edges(false, true))
	return lines
