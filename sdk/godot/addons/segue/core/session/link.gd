# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## What the parts of a session share: its name, how it stands, its calls. One thread's.

const Call := preload("res://addons/segue/core/net/call.gd")
const ConnectionState := preload("res://addons/segue/core/session/connection_state.gd")
const Options := preload("res://addons/segue/core/session/options.gd")
const Playout := preload("res://addons/segue/core/session/playout.gd")
const Reception := preload("res://addons/segue/core/session/reception.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

const TIMEOUT_S: float = 10.0

## What the session shall be.
var options: Options
## A channel.gd, or what is like one.
var channel: RefCounted
## Names the session; empty until it has been created.
var id: String = ""
## Opens this session.
var token: String = ""
## Whether it was begun here, rather than attached to.
var is_ours: bool = true
## What was received.
var reception: Reception
## What is played.
var playout: Playout = Playout.new()
## How it stands.
var state: ConnectionState.State = ConnectionState.State.IDLE
## Why it stands so; null if all is well.
var error: Status = null
## A suspended session is to go on.
var goes_on: bool = false


func _init(of_options: Options, of_channel: RefCounted) -> void:
	options = of_options
	channel = of_channel
	reception = Reception.new(options)
	playout.ladder.prime = options.prime()
	playout.ladder.most_prime = Options.most_prime(options.lead())


## Whether there is no way on.
func has_failed() -> bool:
	return state == ConnectionState.State.FAILED


## Begins a call with the session's token.
func begin(method: StringName, fields: Dictionary, timeout_s: float = TIMEOUT_S) -> Call:
	return begin_with(token, method, fields, timeout_s)


## Begins a call with another token.
func begin_with(other: String, method: StringName, fields: Dictionary, timeout_s: float = TIMEOUT_S) -> Call:
	return channel.call(
		&"unary", method, StringName(method + "Request"), fields, StringName(method + "Response"), other, timeout_s
	)


## Fields of a ControlHeader.
func header() -> Dictionary:
	var fields: Dictionary = {
		"session_id": id, "request_id": Options.unguessable(), "listener_id": reception.listener_id
	}
	if playout.ladder.timeline.has_begun:
		fields["playhead_sample"] = playout.ladder.timeline.playhead
	return fields
