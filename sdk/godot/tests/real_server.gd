# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## The real service on the fake engine, which test.py has started: SEGUE_SERVER holds its address and the port of what
## kills it and starts it again.

var address: String = ""

var _control_port: int = 0


func _init() -> void:
	var words: PackedStringArray = OS.get_environment("SEGUE_SERVER").split(" ", false)
	if words.size() == 2:
		address = words[0]
		_control_port = words[1].to_int()


## Why there is none; empty if there is one.
func missing() -> String:
	return "" if _control_port > 0 else "SEGUE_SERVER names no real server (sdk/godot/test.py starts one)"


## Kills it: connections break, and sessions are lost. Waits for it.
func kill(tree: SceneTree) -> void:
	await _order("kill", tree)


## Starts it again at the same address. Waits for it.
func start(tree: SceneTree) -> void:
	await _order("start", tree)


func _order(what: String, tree: SceneTree) -> void:
	var peer: StreamPeerTCP = StreamPeerTCP.new()
	peer.connect_to_host("127.0.0.1", _control_port)
	while peer.get_status() == StreamPeerTCP.STATUS_CONNECTING:
		await tree.process_frame
		peer.poll()
	peer.put_data((what + "\n").to_ascii_buffer())
	while peer.get_status() == StreamPeerTCP.STATUS_CONNECTED and peer.get_available_bytes() < 3:
		await tree.process_frame
		peer.poll()
	# Unread bytes would make it a reset.
	peer.get_data(peer.get_available_bytes())
	peer.disconnect_from_host()
