# SPDX-License-Identifier: Apache-2.0
@tool
extends VBoxContainer
## A player of the running game: its states as a graph, controls, figures of the last minute, and what happened.

const FigureGraph := preload("res://addons/segue/editor/panel/figure_graph.gd")
const History := preload("res://addons/segue/editor/live/history.gd")
const HistoryCsv := preload("res://addons/segue/editor/live/history_csv.gd")
const LaneView := preload("res://addons/segue/editor/panel/lane_view.gd")
const Live := preload("res://addons/segue/editor/live/live.gd")
const StateGraph := preload("res://addons/segue/editor/panel/state_graph.gd")
const Steering := preload("res://addons/segue/editor/panel/steering.gd")

const LISTED: int = 200
const NOBODY: String = "Run a game with a SoundtrackPlayer: how it fares is shown here, and it can be steered."

## The player that is shown; null for none.
var player: Live.Player = null

var _live: Live
var _picker: OptionButton = OptionButton.new()
var _status: Label = Label.new()
var _hold: Button = Button.new()
var _buttons: Array[Button] = []
var _body: HSplitContainer = HSplitContainer.new()
var _nobody: Label = Label.new()
var _graph: StateGraph = StateGraph.new()
var _steering: Steering = Steering.new()
var _lane: LaneView = LaneView.new()
var _figures: Array[FigureGraph] = []
var _log: RichTextLabel = RichTextLabel.new()
var _logged: int = -1
var _logged_last: History.Mark = null
var _file: FileDialog = null


func _init(live: Live = null, draw_scale: float = 1.0) -> void:
	_live = live if live != null else Live.new()
	_graph.draw_scale = draw_scale
	_build_bar()
	_build_body(draw_scale)
	_live.listed.connect(_listed)
	_live.heard.connect(_heard)
	_steering.asked.connect(_ask)
	_graph.chosen.connect(func(state: String) -> void: _ask("set_state", [state]))
	visibility_changed.connect(_heard)
	_listed()


## Shows a player; what is asked from now on is asked of it.
func show_player(of: Live.Player) -> void:
	player = of
	_nobody.visible = of == null
	_body.visible = of != null
	for button: Button in _buttons:
		button.disabled = of == null or of.is_gone
	_graph.player = of
	_steering.show_player(of)
	_lane.history = of.history if of != null else null
	for figure: FigureGraph in _figures:
		figure.history = _lane.history
	_logged = -1
	_heard()


## How it stands, in a line.
static func status(of: Live.Player) -> String:
	if of == null or of.reading.is_empty():
		return ""
	var reading: Dictionary = of.reading
	var text: String = (
		"%s, take %d, underruns %d, late takes %d, reconnects %d, resumes %d, gaps %d"
		% [
			reading.get("connection", ""),
			reading.get("take", 0),
			reading.get("underruns", 0),
			reading.get("late_takes", 0),
			reading.get("reconnects", 0),
			reading.get("resumes", 0),
			reading.get("gaps", 0),
		]
	)
	var error: String = reading.get("error", "")
	return text if error.is_empty() else "%s: %s" % [text, error]


func _build_bar() -> void:
	var bar: HBoxContainer = HBoxContainer.new()
	_picker.tooltip_text = "Players of running games"
	_picker.item_selected.connect(func(at: int) -> void: show_player(_live.players[at]))
	bar.add_child(_picker)
	for row: Array in [
		["Play", "play", []], ["Pause", "set_paused", [true]], ["Go On", "set_paused", [false]], ["Stop", "stop", []]
	]:
		var button: Button = _button(bar, row[0], "", _ask.bind(row[1], row[2]))
		_buttons.append(button)
	_status.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_status.text_overrun_behavior = TextServer.OVERRUN_TRIM_ELLIPSIS
	_status.clip_text = true
	bar.add_child(_status)
	_hold.text = "Hold"
	_hold.tooltip_text = "Stop drawing, to look at it"
	_hold.toggle_mode = true
	bar.add_child(_hold)
	_button(bar, "Clear", "Forget what was seen", _clear)
	_button(bar, "Save CSV…", "The last minute as a table", _ask_for_file)
	add_child(bar)


func _build_body(draw_scale: float) -> void:
	_nobody.text = NOBODY
	_nobody.horizontal_alignment = HORIZONTAL_ALIGNMENT_CENTER
	_nobody.vertical_alignment = VERTICAL_ALIGNMENT_CENTER
	_nobody.size_flags_vertical = Control.SIZE_EXPAND_FILL
	add_child(_nobody)
	_body.size_flags_vertical = Control.SIZE_EXPAND_FILL
	_graph.custom_minimum_size = Vector2(260.0, 180.0) * draw_scale
	_body.add_child(_graph)
	var right: HSplitContainer = HSplitContainer.new()
	right.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	right.size_flags_stretch_ratio = 1.8
	var scroll: ScrollContainer = ScrollContainer.new()
	scroll.custom_minimum_size.x = 220.0 * draw_scale
	scroll.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	scroll.size_flags_stretch_ratio = 0.4
	scroll.horizontal_scroll_mode = ScrollContainer.SCROLL_MODE_DISABLED
	scroll.add_child(_steering)
	right.add_child(scroll)
	right.add_child(_build_figures())
	_body.add_child(right)
	add_child(_body)


func _build_figures() -> Control:
	var split: HSplitContainer = HSplitContainer.new()
	split.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	var column: VBoxContainer = VBoxContainer.new()
	column.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	column.add_child(_lane)
	_figures = [
		FigureGraph.new("Buffer", "ms", "buffer_ms", Color("66d973"), 0.0, 300.0),
		FigureGraph.new("Round trip", "ms", "round_trip_ms", Color("f2bf4d"), 0.0, 50.0),
		FigureGraph.new("Adherence", "", "adherence", Color("b38cff"), 0.0, 1.0),
		FigureGraph.new("Rate", "ppm", "rate_ppm", Color("66bff2"), -500.0, 500.0),
	]
	for figure: FigureGraph in _figures:
		column.add_child(figure)
	split.add_child(column)
	_log.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_log.size_flags_stretch_ratio = 0.6
	_log.custom_minimum_size.x = 160.0
	_log.selection_enabled = true
	split.add_child(_log)
	return split


func _button(bar: Control, text: String, tooltip: String, pressed: Callable) -> Button:
	var button: Button = Button.new()
	button.text = text
	button.tooltip_text = tooltip
	button.pressed.connect(pressed)
	bar.add_child(button)
	return button


func _listed() -> void:
	_picker.clear()
	for listed: Live.Player in _live.players:
		_picker.add_item(listed.label())
		_picker.set_item_tooltip(_picker.item_count - 1, listed.path)
	_picker.disabled = _live.players.is_empty()
	var at: int = _live.players.find(player)
	if at < 0 or player.is_gone:
		# One that can be steered is likelier to be wanted than one that has ended.
		for i: int in _live.players.size():
			if not _live.players[i].is_gone:
				at = i
				break
	at = mini(maxi(at, 0), _live.players.size() - 1)
	if at >= 0:
		_picker.select(at)
	show_player(_live.players[at] if at >= 0 else null)


func _heard() -> void:
	if _hold.button_pressed or not is_visible_in_tree():
		return
	_status.text = status(player)
	_status.tooltip_text = _status.text
	_graph.queue_redraw()
	_lane.queue_redraw()
	for figure: FigureGraph in _figures:
		figure.queue_redraw()
	_write_log()


## The newest on top.
func _write_log() -> void:
	var marks: Array[History.Mark] = []
	if player != null:
		marks = player.history.marks
	var newest: History.Mark = marks[-1] if not marks.is_empty() else null
	if marks.size() == _logged and newest == _logged_last:
		return
	_logged = marks.size()
	_logged_last = newest
	var lines: PackedStringArray = PackedStringArray()
	for i: int in mini(LISTED, marks.size()):
		var mark: History.Mark = marks[-1 - i]
		lines.append("%.1f s  %s" % [mark.time, mark.text])
	_log.text = "\n".join(lines)


func _ask(method: String, arguments: Array) -> void:
	if player != null:
		_live.ask(player, method, arguments)


func _clear() -> void:
	if player != null:
		player.history.clear()
		_logged = -1
		_heard()


func _ask_for_file() -> void:
	if player == null:
		return
	if _file == null:
		_file = FileDialog.new()
		_file.file_mode = FileDialog.FILE_MODE_SAVE_FILE
		_file.access = FileDialog.ACCESS_FILESYSTEM
		_file.add_filter("*.csv", "Table")
		_file.file_selected.connect(save)
		add_child(_file)
	_file.current_file = "soundtrack-profile.csv"
	_file.popup_centered_ratio(0.5)


## Writes the last minute of the player that is shown as CSV; says what is wrong if it can't.
func save(path: String) -> void:
	if player == null:
		return
	var file: FileAccess = FileAccess.open(path, FileAccess.WRITE)
	if file == null:
		push_error("%s: %s" % [path, error_string(FileAccess.get_open_error())])
		return
	file.store_string(HistoryCsv.write(player.history))
	file.close()
	print("Segue: wrote %s" % path)
