# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## An answer as it comes: HTTP's head, frames, trailers. Knows nothing of connections.

const FrameParser := preload("res://addons/segue/core/net/frame_parser.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

## Messages that are whole and have not been taken.
var messages: Array[PackedByteArray] = []
## How the call ended; null while it goes on.
var status: Status = null
## Whether the trailers are there: only the body's end is waited for.
var has_trailers: bool = false

var _frames: FrameParser = FrameParser.new()
var _trailers_status: Status = null


## The head: HTTP's status and headers, keys in lower case.
func begin(http_status: int, headers: Dictionary) -> void:
	var type: String = str(headers.get("content-type", "")).to_lower()
	if headers.has("grpc-status"):
		has_trailers = true
		status = Status.from_trailers(headers)
	elif http_status != 200 or not _is_binary(type):
		status = Status.of_http(http_status)


## The next bytes of the body.
func push(bytes: PackedByteArray) -> void:
	if status != null or bytes.is_empty():
		return
	_frames.push(bytes)
	while not has_trailers and _frames.next():
		if _frames.flags == FrameParser.TRAILERS:
			has_trailers = true
			_trailers_status = Status.from_trailers(Status.trailers_of(_frames.payload))
		else:
			messages.append(_frames.payload)
	if has_trailers and _frames.is_within_frame:
		_frames.error = "something follows the trailers"
	if not _frames.error.is_empty():
		status = Status.make(Status.INTERNAL, "the server sent what is not gRPC-Web: " + _frames.error)


## The body is over, well or not.
func end() -> void:
	if status == null:
		status = _trailers_status if has_trailers else Status.make(Status.UNAVAILABLE, "the connection broke")


static func _is_binary(type: String) -> bool:
	return type.begins_with("application/grpc-web") and not type.begins_with("application/grpc-web-text")
