# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Calls of LiveSoundtrackService by gRPC-Web. Nothing waits and nothing is sent but in `poll`. One thread.
##
## Unary calls share connections that are kept open, each for itself while it lasts; every stream has its own.

const Call := preload("res://addons/segue/core/net/call.gd")
const Codec := preload("res://addons/segue/core/wire/codec.gd")
const Connections := preload("res://addons/segue/core/net/connections.gd")
const Exchange := preload("res://addons/segue/core/net/exchange.gd")
const Stream := preload("res://addons/segue/core/net/stream.gd")

var _connections: Connections
var _calls: Array[Call] = []
var _streams: Array[Stream] = []


## address: such as "http://localhost:7471". tls: for https, null for the engine's own certificates.
func _init(address: String, tls: TLSOptions = null) -> void:
	_connections = Connections.new(address, tls)


## Begins a unary call. timeout_s is counted from the next poll.
func unary(
	method: String, request: StringName, fields: Dictionary, response: StringName, token: String, timeout_s: float
) -> Call:
	var message: PackedByteArray = Codec.encode(request, fields)
	var call: Call = Call.new(Exchange.new(_connections, method, message, token, timeout_s, true), response)
	_calls.append(call)
	return call


## Begins a stream, which has no deadline.
func stream(method: String, request: StringName, fields: Dictionary, token: String) -> Stream:
	var message: PackedByteArray = Codec.encode(request, fields)
	var begun: Stream = Stream.new(Exchange.new(_connections, method, message, token, INF, false))
	_streams.append(begun)
	return begun


## Moves everything on, controls first. now_s: seconds of any clock that only goes forward.
func poll(now_s: float) -> void:
	for call: Call in _calls.duplicate():
		call.poll(now_s)
	for begun: Stream in _streams.duplicate():
		begun.poll(now_s)
	_calls = _calls.filter(func(call: Call) -> bool: return not call.done)
	_streams = _streams.filter(func(begun: Stream) -> bool: return not begun.done)


## Ends everything that is under way and closes the connections.
func close() -> void:
	for call: Call in _calls:
		call.cancel()
	for begun: Stream in _streams:
		begun.cancel()
	_calls.clear()
	_streams.clear()
	_connections.close()
