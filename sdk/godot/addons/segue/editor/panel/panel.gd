# SPDX-License-Identifier: Apache-2.0
@tool
extends TabContainer
## The bottom panel: a running game's players, and the local server.

const Live := preload("res://addons/segue/editor/live/live.gd")
const LiveTab := preload("res://addons/segue/editor/panel/live_tab.gd")
const LocalServer := preload("res://addons/segue/editor/server/local_server.gd")
const ServerTab := preload("res://addons/segue/editor/panel/server_tab.gd")

const ICON: String = "res://addons/segue/icons/soundtrack_panel.svg"

var live_tab: LiveTab
var server_tab: ServerTab


func _init(live: Live = null, server: LocalServer = null, draw_scale: float = 1.0) -> void:
	custom_minimum_size = Vector2(0.0, 260.0) * draw_scale
	live_tab = LiveTab.new(live, draw_scale)
	live_tab.name = "Running Game"
	add_child(live_tab)
	_show_icon(draw_scale)
	server_tab = ServerTab.new(server)
	server_tab.name = "Local Server"
	add_child(server_tab)


## Read as a file: as the plugin is loaded for the first time, nothing has been imported yet.
func _show_icon(draw_scale: float) -> void:
	var image: Image = Image.new()
	if image.load_svg_from_string(FileAccess.get_file_as_string(ICON), draw_scale) == OK:
		set_tab_icon(0, ImageTexture.create_from_image(image))
