# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## A stream of messages that is under way, on a connection of its own. Its channel moves it on.

const Exchange := preload("res://addons/segue/core/net/exchange.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

## Whether it is over. Messages may still be there.
var done: bool:
	get:
		return _exchange.done
## How it ended; null before.
var status: Status:
	get:
		return _exchange.status
## Time of the last bytes, by the clock that the channel is polled with; −1 before the first.
var last_arrival_s: float:
	get:
		return _exchange.last_arrival_s

var _exchange: Exchange


func _init(exchange: Exchange) -> void:
	_exchange = exchange


func poll(now_s: float) -> void:
	_exchange.poll(now_s)


## Messages that are whole by now, in order, each given once.
func take_messages() -> Array[PackedByteArray]:
	return _exchange.take_messages()


## Ends it now.
func cancel() -> void:
	_exchange.cancel()
