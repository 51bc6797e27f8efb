# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## Asks a server what it is, without a session: whether it can be reached from here, and is one.

const Call := preload("res://addons/segue/core/net/call.gd")
const Channel := preload("res://addons/segue/core/net/channel.gd")

const TIMEOUT_S: float = 5.0

var _address: String
var _channel: Channel
var _call: Call


func _init(address: String) -> void:
	_address = address
	_channel = Channel.new(address)
	_call = _channel.unary("GetServerInfo", &"GetServerInfoRequest", {}, &"GetServerInfoResponse", "", TIMEOUT_S)


## What there is to say, once there is; "" before.
func poll() -> String:
	_channel.poll(Time.get_ticks_usec() / 1e6)
	if not _call.done:
		return ""
	_channel.close()
	if not _call.status.ok:
		return "%s: %s" % [_address, _call.status.message]
	var info: Dictionary = _call.response
	var model: Dictionary = info.get("model", {})
	return (
		"Segue %s at %s, model %s, %d of %d slots free%s"
		% [
			info.get("version", "?"),
			_address,
			model.get("name", "?"),
			info.get("free_slots", 0),
			info.get("slots", 0),
			"" if info.get("ready", false) else "; not ready yet",
		]
	)
