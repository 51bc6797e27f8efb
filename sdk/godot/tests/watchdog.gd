# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Ends the program if the main thread is stuck in one test: what never returns can't be awaited.

var _thread: Thread = Thread.new()
var _lock: Mutex = Mutex.new()
var _test: String = ""
var _end_ms: int = 0
var _is_over: bool = false


func start() -> void:
	_thread.start(_watch)


## A test begins; "" for none.
func guard(test: String, seconds: float) -> void:
	_lock.lock()
	_test = test
	_end_ms = Time.get_ticks_msec() + int(seconds * 1000.0)
	_lock.unlock()


func stop() -> void:
	_lock.lock()
	_is_over = true
	_lock.unlock()
	_thread.wait_to_finish()


func _watch() -> void:
	while true:
		OS.delay_msec(50)
		_lock.lock()
		var is_over: bool = _is_over
		var stuck: String = _test if Time.get_ticks_msec() > _end_ms else ""
		_lock.unlock()
		if is_over:
			return
		if not stuck.is_empty():
			printerr("FAILED %s: stuck, the program is ended" % stuck)
			OS.kill(OS.get_process_id())
