# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Runs a session on a thread of its own, so that a hitch of the game does not stop the music. On platforms without
## threads it is polled instead. All but the thread's own loop belongs to the main thread.

const Session := preload("res://addons/segue/core/session/session.gd")

## Sleep between two steps.
const STEP_USEC: int = 8000
## Sleep while a call is under way: HTTPClient wants to be polled four times for one, and what it takes is heard as the
## delay of a control.
const CALL_STEP_USEC: int = 2000

## What is run.
var session: Session
## Kept for as long as the engine may read from it.
var keeps: Array[Object] = []

var _thread: Thread = null
var _lock: Mutex = Mutex.new()
var _is_leaving: bool = false
var _is_cut: bool = false
var _is_over: bool = false
var _busy_usec: int = 0


func _init(of: Session) -> void:
	session = of


## Whether this platform has threads: all but some exports for the web. Before 4.3 only the web says so.
static func can_thread() -> bool:
	return not OS.has_feature("web") or OS.has_feature("threads")


## Microseconds that the thread has worked so far.
func busy_usec() -> int:
	_lock.lock()
	var found: int = _busy_usec
	_lock.unlock()
	return found


## threaded: on a thread of its own, rather than polled.
func begin(threaded: bool = can_thread()) -> void:
	if not threaded:
		return
	_thread = Thread.new()
	_thread.start(_run, Thread.PRIORITY_HIGH)


## Every frame; does nothing where there is a thread.
func poll() -> void:
	if _thread == null and not _is_over:
		_step()


## Lets go of the session in the background.
func leave() -> void:
	_lock.lock()
	_is_leaving = true
	_lock.unlock()


## Ends at once, whatever is under way.
func cut() -> void:
	_lock.lock()
	_is_leaving = true
	_is_cut = true
	_lock.unlock()


## Whether it has ended by itself, and `join` does not wait.
func is_over() -> bool:
	_lock.lock()
	var over: bool = _is_over
	_lock.unlock()
	return over and (_thread == null or not _thread.is_alive())


## Waits for its end.
func join() -> void:
	if _thread != null:
		_thread.wait_to_finish()
		_thread = null
	keeps.clear()


func _run() -> void:
	while not _step():
		OS.delay_usec(CALL_STEP_USEC if session.is_calling() else STEP_USEC)


## True if it was the last one.
func _step() -> bool:
	var begin_usec: int = Time.get_ticks_usec()
	_lock.lock()
	var is_leaving: bool = _is_leaving
	var is_cut: bool = _is_cut
	_lock.unlock()
	var now_s: float = begin_usec / 1e6
	var over: bool = false
	if is_leaving:
		over = session.leave(now_s)
		if is_cut and not over:
			session.finish()
			over = true
	else:
		session.step(now_s)
	_lock.lock()
	_busy_usec += Time.get_ticks_usec() - begin_usec
	_is_over = over
	_lock.unlock()
	return over
