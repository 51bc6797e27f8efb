# SPDX-License-Identifier: Apache-2.0
@tool
extends PopupMenu
## Project > Tools > Segue.

## An item was chosen.
signal wanted(what: Item)

enum Item { CONSTANTS, START_FILE, START_FOLDER, STOP, CHOOSE }

const LocalServer := preload("res://addons/segue/editor/server/local_server.gd")


func _init(server: LocalServer = null) -> void:
	add_item("Generate Constants of All Soundtracks", Item.CONSTANTS)
	add_separator()
	add_item("Start Local Server…", Item.START_FILE)
	add_item("Start Local Server on Folder…", Item.START_FOLDER)
	add_item("Stop Local Server", Item.STOP)
	add_item("Choose Program…", Item.CHOOSE)
	id_pressed.connect(func(id: int) -> void: wanted.emit(id as Item))
	if server != null:
		about_to_popup.connect(_refresh.bind(server))


func _refresh(server: LocalServer) -> void:
	set_item_disabled(get_item_index(Item.START_FILE), server.is_running)
	set_item_disabled(get_item_index(Item.START_FOLDER), server.is_running)
	set_item_disabled(get_item_index(Item.STOP), not server.is_running)
