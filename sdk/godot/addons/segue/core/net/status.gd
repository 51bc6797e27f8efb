# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## How a call ended: gRPC's code, the server's sentence and what its details say.

const Codec := preload("res://addons/segue/core/wire/codec.gd")
const Self := preload("res://addons/segue/core/net/status.gd")
const Utf8 := preload("res://addons/segue/core/wire/utf8.gd")

const OK: int = 0
const CANCELLED: int = 1
const UNKNOWN: int = 2
const INVALID_ARGUMENT: int = 3
const DEADLINE_EXCEEDED: int = 4
const NOT_FOUND: int = 5
const ALREADY_EXISTS: int = 6
const PERMISSION_DENIED: int = 7
const RESOURCE_EXHAUSTED: int = 8
const FAILED_PRECONDITION: int = 9
const ABORTED: int = 10
const OUT_OF_RANGE: int = 11
const UNIMPLEMENTED: int = 12
const INTERNAL: int = 13
const UNAVAILABLE: int = 14
const DATA_LOSS: int = 15
const UNAUTHENTICATED: int = 16

const NAMES: Array[String] = [
	"OK",
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
]
## A wait that a server may ask for: a day. What is longer is taken as that.
const MOST_RETRY_S: int = 86400

## gRPC's code.
var code: int = OK
## The code's name, such as "NOT_FOUND".
var code_name: String:
	get:
		return NAMES[code] if code < NAMES.size() else "UNKNOWN"
## A sentence for the developer.
var message: String = ""
## Segue's machine-readable cause, such as "SERVER_FULL"; "" if none was named.
var reason: String = ""
## The field of the request that is wrong, if it is about one.
var field: String = ""
## What kind of name is unknown: "state", "event", …
var kind: String = ""
## The name that is unknown.
var name: String = ""
## Names that look like the one that is unknown, best first.
var near_misses: PackedStringArray = PackedStringArray()
## Names that there are, where one is unknown.
var known: PackedStringArray = PackedStringArray()
## What is wrong with a soundtrack: fields of SoundtrackProblem.
var problems: Array[Dictionary] = []
## How long to wait before trying again; −1 if the server named no time.
var retry_after_ms: int = -1
## Whether the call succeeded.
var ok: bool:
	get:
		return code == OK
## Whether the server says that there is no such session.
var is_unknown_session: bool:
	get:
		return code == NOT_FOUND and reason == "UNKNOWN_SESSION"


## A status of our own.
static func make(number: int, text: String = "") -> Self:
	var status: Self = Self.new()
	status.code = number
	status.message = text
	return status


## What trailers (or headers; keys in lower case) say.
static func from_trailers(trailers: Dictionary) -> Self:
	var given: String = trailers.get("grpc-status", "")
	if not given.is_valid_int() or given.length() > 9 or given.to_int() < 0:
		var got: String = "none" if given.is_empty() else given.left(40)
		return make(UNKNOWN, "gRPC-Web: expected a grpc-status, got %s" % got)
	var status: Self = make(given.to_int(), _unescaped(trailers.get("grpc-message", "")))
	if status.code == OK:
		return status
	if status.message.is_empty():
		status.message = status.code_name
	var details: String = trailers.get("grpc-status-details-bin", "")
	if not details.is_empty():
		status._read_details(details)
	return status


## What an answer without gRPC's own status amounts to.
static func of_http(http_status: int) -> Self:
	var number: int = UNKNOWN
	match http_status:
		400:
			number = INTERNAL
		401:
			number = UNAUTHENTICATED
		403:
			number = PERMISSION_DENIED
		404:
			number = UNIMPLEMENTED
		429, 502, 503, 504:
			number = UNAVAILABLE
	return make(number, "HTTP %d where gRPC-Web was expected: is this a Segue server's web port?" % http_status)


## The lines of a trailer frame, keys in lower case.
static func trailers_of(payload: PackedByteArray) -> Dictionary:
	var found: Dictionary = {}
	var text: Variant = Utf8.text(payload)
	if text == null:
		return found
	for line: String in str(text).split("\n", false):
		var colon: int = line.find(":")
		if colon > 0:
			found[line.left(colon).strip_edges().to_lower()] = line.substr(colon + 1).strip_edges()
	return found


func _to_string() -> String:
	return code_name if message.is_empty() else "%s: %s" % [code_name, message]


## What is not understood is left out, one by one: code and message stand.
func _read_details(base64: String) -> void:
	var bytes: PackedByteArray = _decoded(base64)
	var status: Variant = Codec.decode(&"Status", bytes)
	if status == null:
		return
	for detail: Dictionary in status.get("details", []):
		var type: String = detail.get("type_url", "")
		var is_ours: bool = type.get_file().begins_with("segue.v1.") or type.get_file().begins_with("google.rpc.")
		var short_name: StringName = StringName(type.get_extension())
		if is_ours and short_name in [&"ErrorInfo", &"BadRequest", &"RetryInfo", &"UnknownName", &"SoundtrackProblems"]:
			var fields: Variant = Codec.decode(short_name, detail.get("value", PackedByteArray()))
			if fields != null:
				_take(short_name, fields)


func _take(type: StringName, fields: Dictionary) -> void:
	match type:
		&"ErrorInfo":
			reason = fields.get("reason", "")
		&"BadRequest":
			var violations: Array = fields.get("field_violations", [])
			field = violations[0].get("field", "") if not violations.is_empty() else ""
		&"RetryInfo":
			var delay: Dictionary = fields.get("retry_delay", {})
			var seconds: int = clampi(delay.get("seconds", 0), 0, MOST_RETRY_S)
			retry_after_ms = maxi(0, seconds * 1000 + ceili(delay.get("nanos", 0) / 1e6))
		&"UnknownName":
			kind = fields.get("kind", "")
			name = fields.get("name", "")
			near_misses = PackedStringArray(fields.get("near_misses", []))
			known = PackedStringArray(fields.get("known", []))
		&"SoundtrackProblems":
			problems.assign(fields.get("problems", []))


## Base64 with or without padding; nothing where it is none. The engine's own function prints errors about those.
static func _decoded(base64: String) -> PackedByteArray:
	var text: String = base64.rstrip("=")
	var allowed: String = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	if text.length() % 4 == 1 or text.is_empty():
		return PackedByteArray()
	for letter: String in text:
		if not allowed.contains(letter):
			return PackedByteArray()
	return Marshalls.base64_to_raw(text + "=".repeat((4 - text.length() % 4) % 4))


## grpc-message is percent-encoded UTF-8.
static func _unescaped(text: String) -> String:
	if not text.contains("%"):
		return text
	var bytes: PackedByteArray = PackedByteArray()
	var given: PackedByteArray = text.to_utf8_buffer()
	var at: int = 0
	while at < given.size():
		var hex: String = given.slice(at + 1, at + 3).get_string_from_ascii() if given[at] == 0x25 else ""
		if hex.length() == 2 and hex.is_valid_hex_number() and not hex.begins_with("-") and not hex.begins_with("+"):
			bytes.append(hex.hex_to_int())
			at += 3
		else:
			bytes.append(given[at])
			at += 1
	var decoded: Variant = Utf8.text(bytes)
	return text if decoded == null else decoded
