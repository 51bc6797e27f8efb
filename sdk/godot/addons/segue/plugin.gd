# SPDX-License-Identifier: Apache-2.0
@tool
extends EditorPlugin
## What Segue adds to the editor: the importer, the Soundtrack panel, inspectors, and Project > Tools > Segue.

const ConstantsFile := preload("res://addons/segue/editor/importing/constants_file.gd")
const Importer := preload("res://addons/segue/editor/importing/importer.gd")
const Inspectors := preload("res://addons/segue/editor/inspector/inspectors.gd")
const Live := preload("res://addons/segue/editor/live/live.gd")
const LiveDebugger := preload("res://addons/segue/editor/live/debugger.gd")
const LocalServer := preload("res://addons/segue/editor/server/local_server.gd")
const SoundtrackPanel := preload("res://addons/segue/editor/panel/panel.gd")
const SoundtrackFile := preload("res://addons/segue/soundtrack_resource.gd")
const Tools := preload("res://addons/segue/editor/tools.gd")

## Where the developer's choice of the program is kept, among the editor's settings.
const PROGRAM: String = "segue/local_server/program"
const TOOLS_ITEM: String = "Segue"

var _importer: Importer
var _inspectors: Inspectors
var _live: Live
var _debugger: LiveDebugger
var _server: LocalServer
var _panel: SoundtrackPanel
var _dialog: EditorFileDialog


func _enter_tree() -> void:
	_importer = Importer.new()
	add_import_plugin(_importer)
	_server = LocalServer.new()
	_server.told.connect(_say)
	_live = Live.new()
	_debugger = LiveDebugger.new(_live)
	add_debugger_plugin(_debugger)
	_panel = SoundtrackPanel.new(_live, _server, EditorInterface.get_editor_scale())
	_panel.server_tab.wanted.connect(_choose_soundtrack)
	_panel.server_tab.program_wanted.connect(_choose_program)
	add_control_to_bottom_panel(_panel, "Soundtrack")
	_inspectors = Inspectors.new()
	_inspectors.constants_wanted.connect(_write_constants)
	_inspectors.server_wanted.connect(_serve)
	add_inspector_plugin(_inspectors)
	var tools: Tools = Tools.new(_server)
	tools.wanted.connect(_do)
	add_tool_submenu_item(TOOLS_ITEM, tools)


func _exit_tree() -> void:
	remove_tool_menu_item(TOOLS_ITEM)
	remove_inspector_plugin(_inspectors)
	remove_control_from_bottom_panel(_panel)
	# The editor may be quitting: there is no later.
	_panel.free()
	remove_debugger_plugin(_debugger)
	_live.send = Callable()
	remove_import_plugin(_importer)
	_server.end()
	if _dialog != null:
		_dialog.free()
		_dialog = null


func _process(_delta: float) -> void:
	_server.poll()


func _do(what: Tools.Item) -> void:
	match what:
		Tools.Item.CONSTANTS:
			var found: Array[SoundtrackFile] = ConstantsFile.soundtracks()
			if found.is_empty():
				push_warning("Segue: there is no soundtrack in the project: put what `segue build` wrote into it")
			for soundtrack: SoundtrackFile in found:
				_write_constants(soundtrack)
		Tools.Item.START_FILE:
			_choose_soundtrack(false)
		Tools.Item.START_FOLDER:
			_choose_soundtrack(true)
		Tools.Item.STOP:
			_server.stop()
		Tools.Item.CHOOSE:
			_choose_program()


func _write_constants(soundtrack: SoundtrackFile) -> void:
	var made: ConstantsFile = ConstantsFile.new(soundtrack)
	if not made.problem.is_empty():
		push_error("Segue: no constants of %s: %s" % [soundtrack.id, made.problem])
	elif made.has_changed:
		print("Segue: wrote %s" % made.path)
		EditorInterface.get_resource_filesystem().scan()
	else:
		print("Segue: %s is up to date" % made.path)


## Serves a file of the project, or one to be chosen if there is none.
func _serve(path: String) -> void:
	make_bottom_panel_item_visible(_panel)
	_panel.current_tab = _panel.get_tab_idx_from_control(_panel.server_tab)
	if path.is_empty():
		_choose_soundtrack(false)
		return
	var settings: EditorSettings = EditorInterface.get_editor_settings()
	_server.chosen = settings.get_setting(PROGRAM) if settings.has_setting(PROGRAM) else ""
	_server.start(path)


func _choose_soundtrack(is_folder: bool) -> void:
	var dialog: EditorFileDialog = _new_dialog()
	if is_folder:
		dialog.file_mode = EditorFileDialog.FILE_MODE_OPEN_DIR
		dialog.dir_selected.connect(_serve)
	else:
		dialog.file_mode = EditorFileDialog.FILE_MODE_OPEN_FILE
		dialog.add_filter("*.yaml, *.json", "Soundtracks")
		dialog.file_selected.connect(_serve)
	dialog.popup_centered_ratio(0.5)


func _choose_program() -> void:
	var dialog: EditorFileDialog = _new_dialog()
	dialog.file_mode = EditorFileDialog.FILE_MODE_OPEN_FILE
	dialog.title = "The program segue"
	dialog.file_selected.connect(
		func(path: String) -> void: EditorInterface.get_editor_settings().set_setting(PROGRAM, path)
	)
	dialog.popup_centered_ratio(0.5)


func _new_dialog() -> EditorFileDialog:
	if _dialog != null:
		_dialog.queue_free()
	_dialog = EditorFileDialog.new()
	_dialog.access = EditorFileDialog.ACCESS_FILESYSTEM
	EditorInterface.get_base_control().add_child(_dialog)
	return _dialog


func _say(line: String, is_wrong: bool) -> void:
	if is_wrong:
		push_warning("segue serve: %s" % line)
	else:
		print("segue serve: %s" % line)
