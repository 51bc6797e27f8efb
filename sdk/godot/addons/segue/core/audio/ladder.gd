# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## The stream while it lasts, the baked loop while it does not, silence where that is meant; from one to the other over
## 20 ms, at equal power. The last 20 ms of the stream are kept for fading out, so that it never ends in a click.
## One thread's. Samples are only looped over while a fade or a clip sounds.

## What is heard.
enum Mode {
	## No music yet, or it has come to its end: silence, unless a fallback is asked for.
	WAITING,
	## The stream.
	PLAYING,
	## The stream has run dry: the fallback, where there is one.
	STARVED,
}

const Timeline := preload("res://addons/segue/core/audio/timeline.gd")
const LoopPlayer := preload("res://addons/segue/core/audio/loop_player.gd")
const Recording := preload("res://addons/segue/core/audio/recording.gd")
const Clips := preload("res://addons/segue/core/audio/clips.gd")

## An end that is nowhere.
const NOWHERE: int = 0x7fffffffffffffff
const FADE: int = Timeline.FADE

const _PIECE: int = 256
const _PATIENCE: int = 2 * 48000

## What comes in.
var timeline: Timeline = Timeline.new()
## Recordings that are mixed in.
var clips: Clips = Clips.new()
## Samples of the timeline that have to be there before it is begun, and after it ran dry. Two seconds after anything
## has come, 40 ms are enough.
var prime: int = 9600:
	set(value):
		prime = maxi(2 * FADE, value)
## What `prime` may grow to: half as much again after every time that the stream ran dry.
var most_prime: int = 0
## Sample at which the music is to stop by intent (pause, stop), or NOWHERE.
var end: int = NOWHERE
## Whether the fallback may be heard while there is no stream (yet).
var wants_fallback: bool = false
## The loop for when the stream has run dry; null for none.
var fallback: Recording:
	get:
		return _loop.loop
	set(value):
		_loop.loop = value
## What is heard.
var mode: Mode = Mode.WAITING
## Times that the stream ran dry.
var underruns: int = 0

var _loop: LoopPlayer = LoopPlayer.new()
# 0 to 1: how far the music is faded in, and the loop.
var _music: float = 0.0
var _stand: float = 0.0
var _last: Vector2 = Vector2.ZERO
var _step: Vector2 = Vector2.ZERO
# Samples since a jump of the timeline; -1: it has just been.
var _step_age: int = FADE
var _waited: int = 0


## Takes in a block: as Timeline.put.
func put(first_sample: int, frames: PackedVector2Array, of_take: int, restarts: bool = false) -> bool:
	var jumps: int = timeline.jumps
	var is_taken: bool = timeline.put(first_sample, frames, of_take, restarts)
	if timeline.jumps != jumps and _music > 0.0:
		_step_age = -1
	return is_taken


## The next `count` frames.
func read(count: int) -> PackedVector2Array:
	var found: PackedVector2Array = PackedVector2Array()
	while found.size() < count:
		var part: PackedVector2Array = _read_some(count - found.size())
		if found.is_empty():
			found = part
		else:
			found.append_array(part)
	return found


func _read_some(most: int) -> PackedVector2Array:
	var ends: bool = end != NOWHERE
	# An end that has been passed already, or is very near, is still faded out to.
	var wanted: int = maxi(end - timeline.playhead, roundi(_music * FADE)) if ends else NOWHERE
	var left: int = mini(timeline.available(), wanted)
	_turn(left, ends)
	var sample: int = timeline.playhead
	var found: PackedVector2Array = PackedVector2Array()
	if mode == Mode.PLAYING:
		found = _read_music(most, left, ends)
		clips.mix(found, sample, true)
		return found
	if left > 0:
		most = mini(most, maxi(1, _PATIENCE - _waited))
		_waited += most
	else:
		_waited = 0
	var stands: bool = _may_stand(ends)
	if not stands and _stand <= 0.0:
		found.resize(most)
	elif stands and _stand >= 1.0:
		found = _loop.read(most)
	else:
		found.resize(mini(most, _PIECE))
		_fade(found, 0, ends)
	clips.mix(found, sample, false)
	return found


func _read_music(most: int, left: int, ends: bool) -> PackedVector2Array:
	_waited = 0
	var is_steady: bool = _music >= 1.0 and _stand <= 0.0 and _step_age >= FADE and left > FADE
	var count: int = mini(most, left - FADE if is_steady else mini(left, _PIECE))
	var found: PackedVector2Array = timeline.read(count)
	if not is_steady:
		_soften(found)
	_last = found[count - 1]
	if not is_steady:
		_fade(found, left, ends)
	return found


## Changes over, if it is time to.
func _turn(left: int, ends: bool) -> void:
	if mode == Mode.PLAYING:
		if left > 0:
			return
		# An end that was meant is no underrun.
		if not ends:
			underruns += 1
			# What was enough is not: next time there is to be more, as far as the server goes.
			@warning_ignore("integer_division")
			prime = maxi(prime, mini(most_prime, prime + prime / 2))
		_music = 0.0
		mode = Mode.WAITING if ends else Mode.STARVED
	elif left >= (1 if ends else 2 * FADE if _waited >= _PATIENCE else prime):
		_music = 0.0
		_step_age = FADE
		mode = Mode.PLAYING
	elif mode == Mode.STARVED and ends:
		mode = Mode.WAITING


func _may_stand(ends: bool) -> bool:
	return fallback != null and not ends and (mode != Mode.WAITING or wants_fallback)


## Fades the music in or out, and the fallback the other way. `left`: samples of music that are there from the first on.
func _fade(into: PackedVector2Array, left: int, ends: bool) -> void:
	var count: int = into.size()
	var stands: bool = _may_stand(ends)
	var is_short: bool = stands and left < FADE + count
	if is_short and _stand <= 0.0:
		_loop.restart()
	var other: PackedVector2Array = PackedVector2Array()
	if _stand > 0.0 or is_short:
		other = _loop.read(count)
	for i: int in count:
		var rest: int = left - i
		if rest > FADE:
			_music = minf(1.0, _music + 1.0 / FADE)
		else:
			# Silent by the last sample that there is.
			_music = maxf(0.0, _music - maxf(1.0 / FADE, _music / maxi(1, rest)))
		_stand = clampf(_stand + (1.0 if stands and rest <= FADE else -1.0) / FADE, 0.0, 1.0)
		into[i] *= sin(_music * PI / 2.0)
		if not other.is_empty():
			into[i] += other[i] * sin(_stand * PI / 2.0)


## Where the timeline was jumped along, lets the step decay.
func _soften(into: PackedVector2Array) -> void:
	if _step_age < 0:
		_step = _last - into[0]
		_step_age = 0
	for i: int in mini(into.size(), FADE - _step_age):
		into[i] += _step * (1.0 - (_step_age + 1) / (FADE + 1.0))
		_step_age += 1
