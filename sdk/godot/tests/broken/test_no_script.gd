# SPDX-License-Identifier: Apache-2.0
extends "res://tests/check.gd"


func test_parse_error() -> void:
	this is no GDScript
