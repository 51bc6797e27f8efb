# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"
## What never gives the frame back. The watchdog ends the program, so test.py runs it for itself.


func limit_s() -> float:
	return 0.2


func test_stuck() -> void:
	if OS.get_environment("SEGUE_STUCK").is_empty():
		skip("SEGUE_STUCK is not set")
		return
	ok(true, "reached")
	while true:
		OS.delay_msec(10)
