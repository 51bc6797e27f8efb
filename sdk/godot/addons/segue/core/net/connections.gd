# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Connections to one server: new ones, and those that an answer has left open. One thread.

const CHUNK_BYTES: int = 65536
## The server closes what is idle after 75 s.
const MOST_IDLE_S: float = 60.0
const MOST_IDLE: int = 4

## Why the address can't be used; "" if it can.
var problem: String = ""
## What comes before the path of every call: a proxy may serve several things.
var prefix: String = ""

var _host: String = ""
var _port: int = 0
var _tls: TLSOptions = null
var _idle: Array[HTTPClient] = []
var _idle_since_s: PackedFloat64Array = PackedFloat64Array()


## address: "http://host:port" or "https://host:port/prefix". tls: null for the engine's own certificates.
func _init(address: String, tls: TLSOptions) -> void:
	var is_tls: bool = address.begins_with("https://")
	var rest: String = address.strip_edges().trim_prefix("https://" if is_tls else "http://")
	if rest == address.strip_edges() or rest.contains("@"):
		problem = 'server: expected http://HOST:PORT or https://HOST:PORT, got "%s"' % address
		return
	prefix = rest.substr(rest.find("/")).rstrip("/") if rest.contains("/") else ""
	var authority: String = rest.get_slice("/", 0)
	var colon: int = authority.rfind(":")
	var has_port: bool = colon > authority.rfind("]")
	_host = (authority.left(colon) if has_port else authority).trim_prefix("[").trim_suffix("]")
	var port: String = authority.substr(colon + 1) if has_port else ("443" if is_tls else "80")
	_port = port.to_int() if port.is_valid_int() else 0
	if _host.is_empty() or _port < 1 or _port > 65535:
		problem = 'server: expected http://HOST:PORT or https://HOST:PORT, got "%s"' % address
	if is_tls:
		_tls = tls if tls != null else TLSOptions.client()


## A connection that an earlier answer has left open, or null.
func kept(now_s: float) -> HTTPClient:
	while not _idle.is_empty():
		var client: HTTPClient = _idle.pop_back()
		var since: float = _idle_since_s[_idle.size()]
		_idle_since_s.resize(_idle.size())
		client.poll()
		if now_s - since < MOST_IDLE_S and client.get_status() == HTTPClient.STATUS_CONNECTED:
			return client
		client.close()
	return null


## A new connection, which is being made; null if that can't even begin.
func fresh() -> HTTPClient:
	var client: HTTPClient = HTTPClient.new()
	client.blocking_mode_enabled = false
	client.read_chunk_size = CHUNK_BYTES
	return client if client.connect_to_host(_host, _port, _tls) == OK else null


## A connection whose answer has been read to its end.
func give_back(client: HTTPClient, now_s: float) -> void:
	if client.get_status() != HTTPClient.STATUS_CONNECTED or _idle.size() >= MOST_IDLE:
		client.close()
		return
	_idle.append(client)
	_idle_since_s.append(now_s)


func close() -> void:
	for client: HTTPClient in _idle:
		client.close()
	_idle.clear()
	_idle_since_s.clear()
