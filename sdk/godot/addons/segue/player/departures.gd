# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Pumps under way, and those that players have let go of, which end in the background. Nobody waits for them, except a
## program that ends: half a second for all of them together. The main thread's.

const Pump := preload("res://addons/segue/core/session/pump.gd")
const Self := preload("res://addons/segue/player/departures.gd")

const PATIENCE_MS: int = 500

static var _all: Array[Pump] = []
static var _leaving: Array[Pump] = []


## A pump begins: whatever becomes of its player, it is not left running.
static func watch(pump: Pump, tree: SceneTree) -> void:
	_all.append(pump)
	if not tree.root.tree_exiting.is_connected(Self.await_all):
		tree.root.tree_exiting.connect(Self.await_all)
	if not tree.process_frame.is_connected(Self.tick):
		tree.process_frame.connect(Self.tick)


## A player lets go of its pump.
static func begin(pump: Pump) -> void:
	# At the program's end they are gone before their players are.
	if _all.has(pump):
		pump.leave()
		_leaving.append(pump)


## Pumps that have not ended yet.
static func count() -> int:
	return _all.size()


## Ends those that are over. Every frame.
static func tick() -> void:
	for pump: Pump in _leaving.duplicate():
		pump.poll()
		if pump.is_over():
			pump.join()
			_leaving.erase(pump)
			_all.erase(pump)


## The program ends: waits for all of them, but not for long.
static func await_all() -> void:
	for pump: Pump in _all:
		pump.leave()
	var end_ms: int = Time.get_ticks_msec() + PATIENCE_MS
	while not _all.all(func(pump: Pump) -> bool: return pump.is_over()) and Time.get_ticks_msec() < end_ms:
		for pump: Pump in _all:
			pump.poll()
		OS.delay_msec(5)
	for pump: Pump in _all:
		pump.cut()
		pump.join()
	_all.clear()
	_leaving.clear()
