# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Authored recordings, mixed in at their sample of the timeline when it is played, not when it arrives. One that has
## begun goes on by itself, whatever becomes of the timeline. One thread's.

const Recording := preload("res://addons/segue/core/audio/recording.gd")

## Clips that may wait or sound at once.
const MOST: int = 32

# One that is told too late is joined in its middle: softly, over 5 ms.
## 36 dB.
const MOST_GAIN: float = 64.0
const _RAMP: int = 240

var _voices: Array[Voice] = []


class Voice:
	var clip: Recording = null
	var sample: int = 0
	var gain: float = 1.0
	var has_begun: bool = false
	var at: int = 0
	var joined: int = 0


## Clips that wait or sound.
func count() -> int:
	return _voices.size()


## Play a clip when its sample is reached; the same clip at the same sample is played once. False if there are too many,
## or if the gain is no number or beyond MOST_GAIN.
func add(clip: Recording, sample: int, gain: float) -> bool:
	if not absf(gain) <= MOST_GAIN:
		return false
	for voice: Voice in _voices:
		if voice.clip == clip and voice.sample == sample:
			return true
	if _voices.size() >= MOST:
		return false
	var made: Voice = Voice.new()
	made.clip = clip
	made.sample = sample
	made.gain = gain
	_voices.append(made)
	return true


## A take replaces the timeline from here on: what has not begun there will not; what holds is told again.
func void_from(sample: int, playhead: int) -> void:
	var from: int = maxi(sample, playhead)
	for i: int in range(_voices.size() - 1, -1, -1):
		if not _voices[i].has_begun and _voices[i].sample >= from:
			_voices.remove_at(i)


## Adds what sounds to `into`, whose first frame is `sample` on the timeline. `moves` false: the timeline stands still,
## and only clips that have begun are heard.
func mix(into: PackedVector2Array, sample: int, moves: bool) -> void:
	for i: int in range(_voices.size() - 1, -1, -1):
		var voice: Voice = _voices[i]
		var from: int = 0
		if not voice.has_begun:
			if not moves or voice.sample >= sample + into.size():
				continue
			voice.has_begun = true
			voice.at = clampi(sample - voice.sample, 0, voice.clip.frames.size())
			voice.joined = voice.at
			from = maxi(0, voice.sample - sample)
		_add(voice, into, from)
		if voice.at >= voice.clip.frames.size():
			_voices.remove_at(i)


static func _add(voice: Voice, into: PackedVector2Array, from: int) -> void:
	var frames: PackedVector2Array = voice.clip.frames
	var at: int = voice.at
	var length: int = mini(into.size() - from, frames.size() - at)
	var gain: float = voice.gain
	var n: int = 0
	while voice.joined > 0 and n < length and at + n - voice.joined < _RAMP:
		into[from + n] += frames[at + n] * (gain * (at + n - voice.joined + 1) / _RAMP)
		n += 1
	while n < length:
		into[from + n] += frames[at + n] * gain
		n += 1
	voice.at += length
