# SPDX-License-Identifier: Apache-2.0
extends AudioStream
## What a player node plays: a generator, and word of when it is played. Engine nodes' own play() can't be overridden
## for typed callers, but it asks its stream for a playback.

const SAMPLE_RATE: int = 48000
## The engine rounds up to a power of two: 8,192 frames. The pump fills it by 100 ms.
const BUFFER_S: float = 0.15

## Called with a playback that has just been made.
var played: Callable = Callable()
## What makes playbacks; playing is held in time by its rate.
var generator: AudioStreamGenerator = AudioStreamGenerator.new()


func _init() -> void:
	generator.mix_rate = SAMPLE_RATE
	generator.buffer_length = BUFFER_S


func _instantiate_playback() -> AudioStreamPlayback:
	var playback: AudioStreamPlayback = generator.instantiate_playback()
	if played.is_valid():
		played.call(playback)
	return playback


func _get_stream_name() -> String:
	return "Segue"


func _get_length() -> float:
	return 0.0


## So that play() on what is playing can be told from play() after stop().
func _is_monophonic() -> bool:
	return false
