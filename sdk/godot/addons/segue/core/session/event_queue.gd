# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Events that wait for their sample to be heard. A rewind voids those of the stretch that it replaces; what still holds
## there is told again. Any thread.

## Events that may wait; beyond it the oldest are dropped, as nobody polls.
const MOST: int = 4096

var _waiting: Array[Dictionary] = []
var _lock: Mutex = Mutex.new()


## Events that wait.
func count() -> int:
	_lock.lock()
	var found: int = _waiting.size()
	_lock.unlock()
	return found


## An Event of the stream has arrived.
func add(event: Dictionary) -> void:
	var sample: int = event.get("sample", 0)
	_lock.lock()
	if event.has("rewound"):
		_void(sample, event.get("take", 0))
	var at: int = _waiting.size()
	while at > 0 and int(_waiting[at - 1].get("sample", 0)) > sample:
		at -= 1
	_waiting.insert(at, event)
	if _waiting.size() > MOST:
		_waiting.pop_front()
	_lock.unlock()


## Events whose sample has been heard, each given once. heard: first sample that has not been.
func take(heard: int) -> Array[Dictionary]:
	_lock.lock()
	var due: int = 0
	while due < _waiting.size() and int(_waiting[due].get("sample", 0)) < heard:
		due += 1
	var found: Array[Dictionary] = []
	if due > 0:
		found = _waiting.slice(0, due)
		_waiting = _waiting.slice(due)
	_lock.unlock()
	return found


## Another timeline begins: nothing of this one holds.
func clear() -> void:
	_lock.lock()
	_waiting.clear()
	_lock.unlock()


func _void(sample: int, of_take: int) -> void:
	for i: int in range(_waiting.size() - 1, -1, -1):
		if int(_waiting[i].get("sample", 0)) >= sample and int(_waiting[i].get("take", 0)) < of_take:
			_waiting.remove_at(i)
