# SPDX-License-Identifier: Apache-2.0
@tool
extends VBoxContainer
## The local server: start and stop it, and what it says.

## A soundtrack is to be chosen and served. is_folder: a folder of them.
signal wanted(is_folder: bool)
## The program is to be chosen.
signal program_wanted

const LocalServer := preload("res://addons/segue/editor/server/local_server.gd")

const MOST_LINES: int = 1000

var _server: LocalServer
var _status: Label = Label.new()
var _log: RichTextLabel = RichTextLabel.new()
var _starts: Array[Button] = []
var _stop: Button = null
var _lines: PackedStringArray = PackedStringArray()


func _init(server: LocalServer = null) -> void:
	_server = server if server != null else LocalServer.new()
	var bar: HBoxContainer = HBoxContainer.new()
	_starts = [
		_button(bar, "Start on File…", func() -> void: wanted.emit(false)),
		_button(bar, "Start on Folder…", func() -> void: wanted.emit(true)),
	]
	_stop = _button(bar, "Stop", _server.stop)
	_button(bar, "Choose Program…", func() -> void: program_wanted.emit())
	_status.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_status.clip_text = true
	bar.add_child(_status)
	_button(bar, "Clear", _clear)
	add_child(bar)
	_log.size_flags_vertical = Control.SIZE_EXPAND_FILL
	_log.scroll_following = true
	_log.selection_enabled = true
	_log.custom_minimum_size.y = 100.0
	add_child(_log)
	_server.told.connect(_told)
	_server.changed.connect(_changed)
	_changed()


func _button(bar: Control, text: String, pressed: Callable) -> Button:
	var button: Button = Button.new()
	button.text = text
	button.pressed.connect(pressed)
	bar.add_child(button)
	return button


func _told(line: String, is_wrong: bool) -> void:
	_lines.append(line)
	if _lines.size() > MOST_LINES:
		@warning_ignore("integer_division")
		_lines = _lines.slice(_lines.size() - MOST_LINES / 2)
		_log.clear()
		_log.add_text("\n".join(_lines) + "\n")
		return
	if is_wrong:
		_log.push_color(Color("e0696b"))
	_log.add_text(line + "\n")
	if is_wrong:
		_log.pop()


func _clear() -> void:
	_lines.clear()
	_log.clear()


func _changed() -> void:
	_stop.disabled = not _server.is_running
	for button: Button in _starts:
		button.disabled = _server.is_running
	_status.text = "serves %s" % _server.serves if _server.is_running else "not running"
