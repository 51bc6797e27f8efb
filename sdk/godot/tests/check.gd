# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## What a test file extends: checks that gather failures, and what tests wait with.
##
## Every method `test_…() -> void` of a file is a test; it may `await`. Each runs on an object of its own.

## What went wrong so far, a sentence each.
var failures: PackedStringArray = PackedStringArray()
## Why the test is skipped; "" if it is not.
var skipped: String = ""
## How many checks there were. A test that checks nothing fails.
var checks: int = 0
## For tests that need nodes: add to `tree.root`, free in `after_each`.
var tree: SceneTree = null
## Engine errors whose text holds one of these are expected and don't fail the test.
var expected_errors: PackedStringArray = PackedStringArray()


## Runs before each test; may await.
func before_each() -> void:
	pass


## Runs after each test, also where it failed; may await.
func after_each() -> void:
	pass


## Seconds that one test of the file may take.
func limit_s() -> float:
	return 20.0


## Fails unless `condition`; true if it holds.
func ok(condition: bool, what: String) -> bool:
	checks += 1
	if not condition:
		failures.append(what)
	return condition


## Fails unless both are equal, by content for arrays and dictionaries, and of the same type.
func eq(got: Variant, want: Variant, what: String = "") -> bool:
	var same: bool = typeof(got) == typeof(want) and got == want
	if typeof(got) in [TYPE_STRING, TYPE_STRING_NAME] and typeof(want) in [TYPE_STRING, TYPE_STRING_NAME]:
		same = str(got) == str(want)
	if same:
		checks += 1
		return true
	return ok(false, "%s: expected %s, got %s" % [what, _short(want), _short(got)])


## Fails unless a number is within `tolerance`.
func near(got: float, want: float, tolerance: float, what: String = "") -> bool:
	var is_near: bool = absf(got - want) <= tolerance
	return ok(is_near, "" if is_near else "%s: expected %s ± %s, got %s" % [what, want, tolerance, got])


## Fails unless a count is 0, 1 or 2: what a machine that is busy may cause by itself. The benches hold it to none.
func few(got: int, what: String = "") -> bool:
	return ok(got >= 0 and got <= 2, "" if got >= 0 and got <= 2 else "%s: expected next to none, got %d" % [what, got])


## Says that the test can't run here, and why. Return after it.
func skip(why: String) -> void:
	skipped = why


## Waits until `condition` holds; false (and a failure) if it does not within `seconds`.
func until(condition: Callable, seconds: float, what: String) -> bool:
	var end: int = Time.get_ticks_msec() + int(seconds * 1000.0)
	while not condition.call():
		if Time.get_ticks_msec() > end:
			return ok(false, "%s: not within %s s" % [what, seconds])
		await tree.process_frame
	return ok(true, what)


## Waits; frames go on.
func sleep(seconds: float) -> void:
	var end: int = Time.get_ticks_msec() + int(seconds * 1000.0)
	while Time.get_ticks_msec() < end:
		await tree.process_frame


## Folder of the repository's tests/conformance.
static func conformance() -> String:
	var folder: String = OS.get_environment("SEGUE_CONFORMANCE")
	if folder.is_empty():
		folder = ProjectSettings.globalize_path("res://").path_join("../../tests/conformance")
	return folder.simplify_path()


## A file of tests/conformance; a failure and {} if it can't be read.
func vectors(file: String) -> Dictionary:
	var text: String = FileAccess.get_file_as_string(conformance().path_join(file))
	var parsed: Variant = JSON.parse_string(text) if not text.is_empty() else null
	if parsed is Dictionary:
		return parsed
	ok(false, "%s: expected an object of JSON in %s (SEGUE_CONFORMANCE)" % [file, conformance()])
	return {}


static func _short(value: Variant) -> String:
	var text: String = str(value)
	if value is PackedByteArray:
		var bytes: PackedByteArray = value
		text = "hex " + bytes.hex_encode()
	elif value is String:
		text = '"%s"' % text
	return text if text.length() <= 200 else "%s… (%d characters)" % [text.left(200), text.length()]
