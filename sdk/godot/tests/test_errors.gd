# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## Refusals against errors.json.

const Codec := preload("res://addons/segue/core/wire/codec.gd")
const Status := preload("res://addons/segue/core/net/status.gd")


func test_refusals_are_understood() -> void:
	for vector: Dictionary in vectors("errors.json")["errors"]:
		var expect: Dictionary = vector["expect"]
		var what: String = vector["case"]
		var status: Status = Status.from_trailers(vector["trailers"])
		eq(status.code, int(expect["code"]), what)
		eq(status.code_name, expect["code_name"], what)
		for key: String in ["message", "reason", "field", "kind", "name"]:
			if expect[key] != null:
				eq(status.get(key), expect[key], "%s, %s" % [what, key])
		for key: String in ["near_misses", "known"]:
			eq(status.get(key), PackedStringArray(expect[key]), "%s, %s" % [what, key])
		var wait: int = -1 if expect["retry_after_ms"] == null else int(expect["retry_after_ms"])
		eq(status.retry_after_ms, wait, what)
		eq(status.problems.size(), expect["problems"].size(), what)
		for i: int in status.problems.size():
			for key: String in expect["problems"][i]:
				var want: Variant = expect["problems"][i][key]
				var got: Variant = status.problems[i].get(key, 0 if want is float else "")
				eq(got, int(want) if want is float else want, "%s, problem %d, %s" % [what, i, key])


func test_details_that_are_broken_leave_code_and_message() -> void:
	for details: String in ["*", "A", "AAAA", "////", "Ä", "CAU=CAU="]:
		var trailers: Dictionary = {"grpc-status": "5", "grpc-message": "no", "grpc-status-details-bin": details}
		var status: Status = Status.from_trailers(trailers)
		eq(status.code, Status.NOT_FOUND, details)
		eq(status.message, "no", details)


func test_messages_with_odd_percent_signs() -> void:
	for pair: Array in [["100%", "100%"], ["%zz", "%zz"], ["%-1", "%-1"], ["a+b", "a+b"], ["%ff", "%ff"], ["%2", "%2"]]:
		eq(Status.from_trailers({"grpc-status": "3", "grpc-message": pair[0]}).message, pair[1], pair[0])


func test_a_wait_is_never_shorter_than_was_asked_for() -> void:
	var waits: Dictionary = {"10ffffffff07": 2148, "1001": 1, "0801": 1000, "08ffffffffffffffff7f": 86400000, "": 0}
	for hex: String in waits:
		var delay: PackedByteArray = hex.hex_decode()
		var info: PackedByteArray = PackedByteArray([0x0a, delay.size()]) + delay
		var any: Dictionary = {"type_url": "type.googleapis.com/google.rpc.RetryInfo", "value": info}
		var details: String = Marshalls.raw_to_base64(Codec.encode(&"Status", {"code": 14, "details": [any]}))
		var status: Status = Status.from_trailers({"grpc-status": "14", "grpc-status-details-bin": details})
		eq(status.retry_after_ms, waits[hex], hex)
