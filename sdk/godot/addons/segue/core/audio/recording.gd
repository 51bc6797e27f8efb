# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Decoded audio at 48 kHz, stereo. Not changed once it is made, so that threads may share it.

## Left and right of every sample, ±1.
var frames: PackedVector2Array = PackedVector2Array()
## Where a loop begins, in samples.
var loop_start: int = 0
## Where it goes back to its beginning (exclusive).
var loop_end: int = 0
## At which a stinger is to be mixed in.
var gain_db: float = 0.0


## `end` -1: the recording's own.
func _init(samples: PackedVector2Array, start: int = 0, end: int = -1) -> void:
	frames = samples
	loop_start = start
	loop_end = mini(end, samples.size()) if end >= 0 else samples.size()
