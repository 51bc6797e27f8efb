# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## One call over HTTP/1.1: connects, asks, reads what has come. Moved on by `poll`, which never waits.

const Connections := preload("res://addons/segue/core/net/connections.gd")
const FrameParser := preload("res://addons/segue/core/net/frame_parser.gd")
const Reply := preload("res://addons/segue/core/net/reply.gd")
const Status := preload("res://addons/segue/core/net/status.gd")

const VERSION: String = "0.1.0"
const SERVICE: String = "/segue.v1.LiveSoundtrackService/"
## Reads in one poll: a server that sends without end must not hold the thread.
const MOST_READS: int = 16
## How long after the trailers the body's end is waited for, by which a connection can be kept.
const END_S: float = 1.0

## Whether it is over.
var done: bool:
	get:
		return status != null
## How it ended; null before.
var status: Status = null
## Time of the last bytes, by the clock that `poll` is given; −1 before the first.
var last_arrival_s: float = -1.0

var _connections: Connections
var _client: HTTPClient = null
var _reply: Reply = Reply.new()
var _method: String
var _body: PackedByteArray
var _token: String
var _timeout_s: float
var _deadline_s: float = INF
var _may_keep: bool
var _has_begun: bool = false
var _is_kept: bool = false
var _is_sent: bool = false
var _has_head: bool = false


## timeout_s: INF for none; counted from the first poll. may_keep: on a connection that others use before and after.
func _init(
	connections: Connections, method: String, message: PackedByteArray, token: String, timeout_s: float, may_keep: bool
) -> void:
	_connections = connections
	_method = method
	_body = FrameParser.frame(message)
	_token = token
	_timeout_s = timeout_s
	_may_keep = may_keep


## Messages that are whole by now, each given once.
func take_messages() -> Array[PackedByteArray]:
	var taken: Array[PackedByteArray] = _reply.messages
	_reply.messages = []
	return taken


## Ends it now; the connection is closed.
func cancel() -> void:
	if not done:
		_finish(Status.make(Status.CANCELLED, "cancelled"), -1.0)


## Moves on as far as that goes without waiting.
func poll(now_s: float) -> void:
	if done:
		return
	if not _has_begun:
		_begin(now_s)
	for i: int in MOST_READS:
		if done or not _step(now_s):
			break
	if not done and _reply.has_trailers and now_s - last_arrival_s > END_S:
		_end(now_s)
	if not done and now_s >= _deadline_s:
		_finish(Status.make(Status.DEADLINE_EXCEEDED, "%s: no answer within %.1f s" % [_method, _timeout_s]), now_s)


func _begin(now_s: float) -> void:
	_has_begun = true
	_deadline_s = now_s + _timeout_s
	if not _connections.problem.is_empty():
		_finish(Status.make(Status.INVALID_ARGUMENT, _connections.problem), now_s)
		return
	_client = _connections.kept(now_s) if _may_keep else null
	_is_kept = _client != null
	if _client == null:
		_client = _connections.fresh()


## Whether something has happened, so that another step may find more.
func _step(now_s: float) -> bool:
	if _client == null:
		_unreachable(now_s)
		return false
	# What has been read is looked at first: polling may find out that the server has gone, and the rest would be lost.
	if _client.get_status() != HTTPClient.STATUS_BODY:
		_client.poll()
	match _client.get_status():
		HTTPClient.STATUS_RESOLVING, HTTPClient.STATUS_CONNECTING, HTTPClient.STATUS_REQUESTING:
			return false
		HTTPClient.STATUS_CONNECTED:
			if not _is_sent:
				_send(now_s)
			elif _client.has_response() or _has_head:
				_take_head(now_s)
				_end(now_s)
			return false
		HTTPClient.STATUS_BODY:
			_take_head(now_s)
			return not done and _read(now_s)
		HTTPClient.STATUS_CONNECTION_ERROR, HTTPClient.STATUS_DISCONNECTED:
			_broken(now_s)
			return not done
	_unreachable(now_s)
	return false


func _send(now_s: float) -> void:
	var headers: PackedStringArray = [
		"content-type: application/grpc-web+proto",
		"accept: application/grpc-web+proto",
		"x-grpc-web: 1",
		"x-user-agent: segue-godot/" + VERSION,
	]
	if not _token.is_empty():
		headers.append("authorization: Bearer " + _token.strip_escapes())
	if _deadline_s < INF:
		headers.append("grpc-timeout: " + timeout_text(_deadline_s - now_s))
	_is_sent = true
	var path: String = _connections.prefix + SERVICE + _method
	if _client.request_raw(HTTPClient.METHOD_POST, path, headers, _body) != OK:
		_broken(now_s)


func _take_head(now_s: float) -> void:
	if _has_head:
		return
	_has_head = true
	last_arrival_s = now_s
	var headers: Dictionary = {}
	for line: String in _client.get_response_headers():
		headers[line.get_slice(":", 0).strip_edges().to_lower()] = line.substr(line.find(":") + 1).strip_edges()
	_reply.begin(_client.get_response_code(), headers)
	if _reply.has_trailers and _client.get_status() == HTTPClient.STATUS_BODY:
		_client.read_response_body_chunk()  # of no bytes: it leaves the connection as one that can be kept
	if _reply.status != null:
		_finish(_reply.status, now_s)


func _read(now_s: float) -> bool:
	var bytes: PackedByteArray = _client.read_response_body_chunk()
	if not bytes.is_empty():
		last_arrival_s = now_s
		_reply.push(bytes)
		if _reply.status != null:
			_finish(_reply.status, now_s)
			return false
	elif OS.has_feature("web"):
		_client.poll()  # there, only polling finds the body's end
	return not bytes.is_empty() or _client.get_status() != HTTPClient.STATUS_BODY


## The body has come to its end as HTTP knows it.
func _end(now_s: float) -> void:
	if not done:
		_reply.end()
		_finish(_reply.status, now_s)


func _broken(now_s: float) -> void:
	if _has_head:
		_end(now_s)
		return
	_client.close()
	if not _is_kept:
		_finish(Status.make(Status.UNAVAILABLE, "the connection broke before there was an answer"), now_s)
		return
	# The server may have closed it just now; a connection that is new tells.
	_is_kept = false
	_is_sent = false
	_client = _connections.fresh()


func _unreachable(now_s: float) -> void:
	var why: String = "it can't be connected to"
	match _client.get_status() if _client != null else HTTPClient.STATUS_CANT_CONNECT:
		HTTPClient.STATUS_CANT_RESOLVE:
			why = "its name is not known"
		HTTPClient.STATUS_TLS_HANDSHAKE_ERROR:
			why = "TLS: its certificate was not accepted"
	_finish(Status.make(Status.UNAVAILABLE, "the server can't be reached: " + why), now_s)


func _finish(how: Status, now_s: float) -> void:
	status = how
	if _client == null:
		return
	if (
		_may_keep
		and _client.get_status() == HTTPClient.STATUS_CONNECTED
		and _reply.has_trailers
		and how == _reply.status
	):
		_connections.give_back(_client, now_s)
	else:
		_client.close()
	_client = null


## A deadline as gRPC spells it: at least so long, at most eight digits.
static func timeout_text(seconds: float) -> String:
	var milliseconds: int = ceili(seconds * 1000.0)
	if milliseconds > 99999999:
		return "%dS" % mini(99999999, ceili(seconds))
	return "%dm" % maxi(1, milliseconds)
