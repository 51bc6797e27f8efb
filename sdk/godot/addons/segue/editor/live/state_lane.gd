# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## States and transitions along the time, as they were heard.

const MOST: int = 256
const SAMPLE_RATE: float = 48000.0

## Stretches of states: one after the other, the oldest first.
var states: Array[Stretch] = []
## Stretches of transitions, the oldest first.
var transitions: Array[Stretch] = []
## The state that the music is in; empty if it is not known.
var current: String:
	get:
		return states[-1].state if not states.is_empty() and is_inf(states[-1].end) else ""


## A stretch of time in which the music was in a state, or on its way to one.
class Stretch:
	extends RefCounted
	## The state; while on the way, the one it goes to.
	var state: String = ""
	## Where a transition comes from; empty for a state.
	var from: String = ""
	## When it began, in seconds.
	var begin: float = 0.0
	## When it ended, or is going to; infinite while nothing of its end is known.
	var end: float = INF


## Another session begins, in a state that is not known yet.
func begin(time: float) -> void:
	_cut(states, time)
	_cut(transitions, time)


## Takes the state that a session was last told of, for as long as none was heard.
func suppose(time: float, state: String) -> void:
	if not state.is_empty() and current.is_empty():
		_enter(time, state)


## An event was heard.
func heard(time: float, event: Dictionary) -> void:
	if event.has("state_changed"):
		_enter(time, event["state_changed"].get("to_state", ""))
	elif event.has("transition_started"):
		var started: Dictionary = event["transition_started"]
		_cut(transitions, time)
		var stretch: Stretch = Stretch.new()
		stretch.from = started.get("from_state", "")
		stretch.state = started.get("to_state", "")
		stretch.begin = time
		stretch.end = time + started.get("length_samples", 0) / SAMPLE_RATE
		_add(transitions, stretch)
	elif event.has("transition_finished") or event.has("transition_cancelled"):
		_cut(transitions, time)


## The transition that is heard at a time; null if none is.
func transition(time: float) -> Stretch:
	var last: Stretch = transitions[-1] if not transitions.is_empty() else null
	return last if last != null and last.begin <= time and time < last.end else null


## Keeps nothing.
func clear() -> void:
	states.clear()
	transitions.clear()


func _enter(time: float, state: String) -> void:
	if state == current:
		return
	_cut(states, time)
	var stretch: Stretch = Stretch.new()
	stretch.state = state
	stretch.begin = time
	_add(states, stretch)


static func _add(lane: Array[Stretch], stretch: Stretch) -> void:
	lane.append(stretch)
	if lane.size() > MOST:
		lane.pop_front()


## What has not ended yet ends now.
static func _cut(lane: Array[Stretch], time: float) -> void:
	if not lane.is_empty() and lane[-1].end > time:
		lane[-1].end = time
