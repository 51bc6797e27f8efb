# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## What the runner must not take for passed: all but the last two. test.py looks.


func limit_s() -> float:
	return 0.5


func test_check() -> void:
	eq(1, 2, "numbers")


func test_script_error() -> void:
	ok(true, "reached")
	_stumble()


func test_script_error_after_a_wait() -> void:
	ok(true, "reached")
	await sleep(0.05)
	_stumble()


func test_script_error_elsewhere() -> void:
	ok(true, "reached")
	_stumble.call_deferred()
	await sleep(0.05)


func test_checks_nothing() -> void:
	pass


func test_engine_error() -> void:
	ok(true, "reached")
	push_error("bad")


func test_no_end() -> void:
	ok(true, "reached")
	await sleep(60.0)


func test_passes() -> void:
	await sleep(0.05)
	ok(not vectors("takes.json").is_empty(), "vectors")


func test_skipped() -> void:
	skip("it says why")


func _stumble() -> void:
	var nothing: Object = null
	nothing.call("x")
