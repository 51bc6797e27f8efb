# SPDX-License-Identifier: Apache-2.0
extends Node
## What the editor's parts know of a player, without a server: tells what it is told to, and notes what is asked of it.

signal music_event(event: Dictionary)

const Reading := preload("res://addons/segue/core/session/reading.gd")

var resource: Resource = null
var soundtrack: String = ""
var reading: Reading = Reading.new()
## What was asked of it: names and arguments.
var asked: Array[Array] = []


func get_reading() -> Reading:
	return reading


func play() -> void:
	asked.append(["play"])


func stop() -> void:
	asked.append(["stop"])


func set_paused(paused: bool) -> void:
	asked.append(["set_paused", paused])


func set_state(state: StringName) -> void:
	asked.append(["set_state", str(state)])


func post_event(event: StringName) -> void:
	asked.append(["post_event", str(event)])


func post_trigger(stinger: StringName) -> void:
	asked.append(["post_trigger", str(stinger)])


func set_parameter(parameter: StringName, value: float) -> void:
	asked.append(["set_parameter", str(parameter), value])
