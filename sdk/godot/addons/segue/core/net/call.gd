# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## A unary call that is under way. Its channel moves it on.

const Codec := preload("res://addons/segue/core/wire/codec.gd")
const Exchange := preload("res://addons/segue/core/net/exchange.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

## Whether it is over.
var done: bool:
	get:
		return status != null
## How it ended; null before.
var status: Status = null
## The answer's fields, if `status.ok`.
var response: Dictionary = {}

var _exchange: Exchange
var _type: StringName


func _init(exchange: Exchange, response_type: StringName) -> void:
	_exchange = exchange
	_type = response_type


func poll(now_s: float) -> void:
	_exchange.poll(now_s)
	if not done and _exchange.done:
		_conclude()


## Ends it now. What was sent may have been done.
func cancel() -> void:
	_exchange.cancel()
	if not done:
		status = _exchange.status


func _conclude() -> void:
	status = _exchange.status
	if not status.ok:
		return
	var messages: Array[PackedByteArray] = _exchange.take_messages()
	if messages.size() != 1:
		status = Status.make(Status.INTERNAL, "expected one answer, got %d" % messages.size())
		return
	var fields: Variant = Codec.decode(_type, messages[0])
	if fields == null:
		status = Status.make(Status.INTERNAL, "the server sent what is no %s" % _type)
		return
	response = fields
