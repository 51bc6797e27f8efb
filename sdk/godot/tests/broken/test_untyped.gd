# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"


func test_untyped() -> void:
	var x = 1
	ok(x == 1, "an untyped declaration is an error in this project")
