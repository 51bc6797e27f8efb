# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Holding one's lead although no two clocks agree: how fast to play, by how much audio is there. It averages the
## reserve, learns what it usually is, and gives the rate that keeps it there. Told the time; one thread.

## Largest deviation of the rate from 1: 9 cents.
const MOST: float = 0.005
## Deviation per second of reserve that is missing.
const GAIN: float = 0.05
## Seconds of reserve around the target within which nothing is resampled.
const DEAD_BAND: float = 0.01
## Seconds over which the reserve is averaged: chunks come every 80 ms, and not on time.
const SMOOTHING: float = 5.0
## Seconds after which the reserve that was found is the one that is kept.
const SETTLING: float = 10.0
## Seconds at most after a take during which a smaller reserve is the server's to make up for.
const REFILL: float = 12.0

## Seconds of reserve that are kept; NAN at first, which is played at 1.
var target: float = NAN
## Seconds of reserve, averaged.
var average: float = 0.0

var _has_begun: bool = false
var _beginning: float = 0.0
var _at: float = 0.0
var _refilled_by: float = -INF
var _rate: float = 1.0


## Samples of the timeline to play per sample of the sound card: 1 ± MOST.
static func rate_for(reserve: float, wanted: float) -> float:
	var missing: float = wanted - reserve
	var beyond: float = missing - clampf(missing, -DEAD_BAND, DEAD_BAND)
	return 1.0 - clampf(GAIN * beyond, -MOST, MOST)


## The rate to play at, for seconds of audio that are there now. Many times a second while playing.
func rate(reserve: float, now_s: float) -> float:
	if not _has_begun:
		_has_begun = true
		_beginning = now_s
		_at = now_s
		average = reserve
	var elapsed: float = now_s - _at
	_at = now_s
	if reserve < average and now_s < _refilled_by:
		return _rate
	_refilled_by = -INF
	var age: float = now_s - _beginning
	if age > 0.0:
		# At first the mean of all, later of the last few seconds.
		average += (reserve - average) * minf(1.0, elapsed / minf(age, SMOOTHING))
	if is_nan(target) and age >= SETTLING:
		target = average
	if not is_nan(target):
		_rate = rate_for(average, target)
	return _rate


## A take has replaced what was there, so that the reserve is smaller for a while.
func replaced(now_s: float) -> void:
	_refilled_by = now_s + REFILL


## The stream was broken or has jumped: learn anew what the reserve is.
func forget() -> void:
	_has_begun = false
	_rate = 1.0
	_refilled_by = -INF
	target = NAN
