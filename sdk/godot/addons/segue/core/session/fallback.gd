# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## The baked loop of the state that the music is in, read before it is needed, and the clips of stingers. Files are read
## on a worker thread; the rest is one thread's.

const Ladder := preload("res://addons/segue/core/audio/ladder.gd")
const Recording := preload("res://addons/segue/core/audio/recording.gd")

## The state whose loop is (or would be) ready.
var state: String = ""
## A file that could not be read; the music goes on without it. Called with a sentence.
var failed: Callable = Callable()

var _ladder: Ladder
var _baked: RefCounted = null
var _clips: Dictionary = {}
var _task: int = -1
var _reading: Reading = null
var _to_read: Array[Reading] = []


class Reading:
	var baked: RefCounted = null
	var state: String = ""
	var stinger: String = ""
	var found: RefCounted = null
	var problem: String = ""

	## On a worker thread.
	func read() -> void:
		found = baked.call(&"loop", state) if stinger.is_empty() else baked.call(&"stinger", stinger)
		problem = baked.get(&"error")


func _init(ladder: Ladder) -> void:
	_ladder = ladder


## Use what `segue bake` wrote: a baked_folder.gd, or what is like one.
func use(baked: RefCounted, initial_state: String) -> void:
	_baked = baked
	if state.is_empty():
		state = initial_state if not initial_state.is_empty() else str(baked.get(&"initial"))
	_want(state, "")
	for stinger: String in baked.call(&"stingers"):
		_want("", stinger)


## The music is in this state, or comes to it.
func enter(entered: String) -> void:
	if entered.is_empty() or entered == state:
		return
	state = entered
	if _baked != null:
		_want(state, "")


## The recording of a clip stinger; null if there is none.
func clip(stinger: String) -> Recording:
	return _clips.get(stinger)


## Goes on with what is read.
func step() -> void:
	if _task >= 0 and WorkerThreadPool.is_task_completed(_task):
		WorkerThreadPool.wait_for_task_completion(_task)
		_task = -1
		_take(_reading)
		_reading = null
	if _task < 0 and not _to_read.is_empty():
		_reading = _to_read.pop_front()
		_task = WorkerThreadPool.add_task(_reading.read, false, "Segue: baked music")


## Waits for what is being read.
func finish() -> void:
	_to_read.clear()
	if _task >= 0:
		WorkerThreadPool.wait_for_task_completion(_task)
	_task = -1
	_reading = null


func _want(of_state: String, stinger: String) -> void:
	var wanted: Reading = Reading.new()
	wanted.baked = _baked
	wanted.state = of_state
	wanted.stinger = stinger
	# Loops first: they may be needed any moment.
	if stinger.is_empty():
		_to_read.push_front(wanted)
	else:
		_to_read.append(wanted)


func _take(done: Reading) -> void:
	if not done.problem.is_empty() and failed.is_valid():
		failed.call(done.problem)
	if done.found == null:
		return
	if not done.stinger.is_empty():
		_clips[done.stinger] = done.found
	elif done.state == state:
		_ladder.fallback = done.found
