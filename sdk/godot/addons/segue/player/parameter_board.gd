# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Parameters as a game sets them, every frame if it likes: only what has changed is sent, and together. It keeps the
## last values for the next session. The main thread's.

var _values: Dictionary = {}
var _news: Dictionary = {}
var _refused: Dictionary = {}


## Sets a parameter; nothing to do if it has that value already. True if it is set for the first time.
func put(name: StringName, value: float) -> bool:
	var before: Variant = _values.get(name)
	if before == value:
		return false
	_values[name] = value
	if not _refused.has(name):
		_news[name] = true
	return before == null


## Whether a parameter was ever set.
func has(name: StringName) -> bool:
	return _values.has(name)


## Whether anything has changed since it was taken.
func has_news() -> bool:
	return not _news.is_empty()


## What has changed since it was last taken: values by names.
func take() -> Dictionary:
	var taken: Dictionary = {}
	for name: StringName in _news:
		taken[name] = _values[name]
	_news.clear()
	return taken


## The last value of everything that was ever set; nothing of it is news then.
func take_all() -> Dictionary:
	renew_all()
	return take()


## Everything that was ever set is to be sent again: whoever listens does not know it.
func renew_all() -> void:
	renew(_values)


## These (keys) were not received: they are to be sent again, as they are by then.
func renew(names: Dictionary) -> void:
	for name: StringName in names:
		if _values.has(name) and not _refused.has(name):
			_news[name] = true


## There is no parameter of the name: what is set under it is kept from the others, until `forgive`.
func refuse(name: StringName) -> void:
	_refused[name] = true
	_news.erase(name)


## Another soundtrack may have the parameters that this one has not.
func forgive() -> void:
	_refused.clear()
