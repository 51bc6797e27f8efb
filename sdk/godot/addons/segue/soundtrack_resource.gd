# SPDX-License-Identifier: Apache-2.0
@tool
@icon("res://addons/segue/icons/soundtrack_resource.svg")
class_name SoundtrackResource
extends Resource
## What a soundtrack is made of: the names that a game may use.
##
## Made of what [code]segue build[/code] wrote. A [SoundtrackPlayer] that has one plays it and checks names
## before it sends them.

const _FORMAT: int = 1

## The text that [code]segue build[/code] wrote.
@export_multiline var json: String = "":
	set(text):
		json = text
		_read()
		emit_changed()

## What is wrong with the text, with the key and what was expected; empty if nothing is.
var error: String = ""
## The soundtrack's name, which servers know it by.
var id: String = ""
## Its author's own count of its versions.
var version: int = 0
## "sha256:…" of the document.
var soundtrack_hash: String = ""
## For whoever reads it; may be empty.
var description: String = ""
## State at the start.
var initial: String = ""
## Names of the states.
var states: PackedStringArray = PackedStringArray()
## Names of the events that do something: those that cause transitions, then those with a line of their own.
var events: PackedStringArray = PackedStringArray()
## Names of the stingers.
var stingers: PackedStringArray = PackedStringArray()
## The parameters: name → [code]{"minimum", "maximum", "default"}[/code].
var parameters: Dictionary = {}
## The transitions in the order of the file:
## [code]{"from", "to", "on", "when", "after", "exit_source_at", "via"}[/code], as their author wrote them.
var transitions: Array[Dictionary] = []


## A resource of a text; its [member error] says what is wrong with it.
static func parse(text: String) -> SoundtrackResource:
	var made: SoundtrackResource = SoundtrackResource.new()
	made.json = text
	return made


## Whether there is a state of the name.
func has_state(state: String) -> bool:
	return states.has(state)


## Whether an event of the name does anything; one that is named like a stinger plays it.
func has_event(event: String) -> bool:
	return events.has(event) or stingers.has(event)


## Whether there is a stinger of the name.
func has_stinger(stinger: String) -> bool:
	return stingers.has(stinger)


## Whether there is a parameter of the name.
func has_parameter(parameter: String) -> bool:
	return parameters.has(parameter)


func _read() -> void:
	_clear()
	var parser: JSON = JSON.new()
	# A byte order mark is no JSON, but editors write it.
	if parser.parse(json.trim_prefix("\ufeff")) != OK:
		error = "line %d: %s" % [parser.get_error_line() + 1, parser.get_error_message()]
		return
	var file: Dictionary = _object({"": parser.data}, "", "")
	if error.is_empty() and file.get("format") != float(_FORMAT):
		_fault("format", "1 (is this addon older than the `segue build` that wrote the file?)", file.get("format"))
	soundtrack_hash = _text(file, "hash", "")
	var document: Dictionary = _object(file, "document", "")
	if error.is_empty():
		_read_document(document)
	if not error.is_empty():
		var why: String = error
		_clear()
		error = why


func _read_document(document: Dictionary) -> void:
	id = _text(document, "soundtrack", "document.")
	initial = _text(document, "initial", "document.")
	version = int(_number(document, "version", "document."))
	description = str(document.get("description", ""))
	states = PackedStringArray(_object(document, "states", "document.").keys())
	stingers = PackedStringArray(_object(document, "stingers", "document.", true).keys())
	var of: Dictionary = _object(document, "parameters", "document.", true)
	for name: String in of:
		_read_parameter(name, _object(of, name, "document.parameters."))
	var listed: Variant = document.get("transitions", [])
	if not listed is Array:
		_fault("document.transitions", "a list", listed)
		return
	var found: PackedStringArray = PackedStringArray()
	for i: int in (listed as Array).size():
		found.append_array(_read_transition(listed[i], "document.transitions[%d]" % i))
	found.append_array(PackedStringArray(_object(document, "events", "document.", true).keys()))
	for event: String in found:
		if not events.has(event):
			events.append(event)
	if error.is_empty() and not states.has(initial):
		_fault("document.initial", "one of the states (%s)" % ", ".join(states.slice(0, 8)), initial)


func _read_parameter(name: String, fields: Dictionary) -> void:
	var where: String = "document.parameters.%s." % name
	var limits: Variant = fields.get("range")
	if not (limits is Array and limits.size() == 2 and limits[0] is float and limits[1] is float):
		_fault(where + "range", "two numbers", limits)
		return
	parameters[name] = {
		"minimum": float(limits[0]), "maximum": float(limits[1]), "default": _number(fields, "default", where)
	}


func _read_transition(given: Variant, where: String) -> PackedStringArray:
	var fields: Dictionary = _object({where: given}, where, "")
	var read: Dictionary = {
		"from": _texts(fields, "from", where + "."),
		"to": _text(fields, "to", where + "."),
		"on": _texts(fields, "on", where + ".", true),
	}
	for key: String in ["when", "after", "exit_source_at", "via"]:
		read[key] = _text(fields, key, where + ".") if fields.get(key) != null else ""
	transitions.append(read)
	return read["on"]


func _object(of: Dictionary, key: String, where: String, optional: bool = false) -> Dictionary:
	var value: Variant = of.get(key)
	if value is Dictionary:
		return value
	if value != null or not optional:
		_fault(where + key, "an object" if not key.is_empty() else "a file that `segue build` wrote", value)
	return {}


func _text(of: Dictionary, key: String, where: String) -> String:
	var value: Variant = of.get(key)
	if value is String:
		return value
	_fault(where + key, "a text", value)
	return ""


func _number(of: Dictionary, key: String, where: String) -> float:
	var value: Variant = of.get(key)
	if value is float:
		return value
	_fault(where + key, "a number", value)
	return 0.0


func _texts(of: Dictionary, key: String, where: String, optional: bool = false) -> PackedStringArray:
	var value: Variant = of.get(key)
	if value == null and optional:
		return PackedStringArray()
	if value is Array and (value as Array).all(func(item: Variant) -> bool: return item is String):
		return PackedStringArray(value)
	_fault(where + key, "a list of names", value)
	return PackedStringArray()


## The first fault is the one to tell.
func _fault(where: String, expected: String, got: Variant) -> void:
	if error.is_empty():
		var short: String = str(got).left(40) if got != null else "nothing"
		error = "%sexpected %s, got %s" % [where + ": " if not where.is_empty() else "", expected, short]


func _clear() -> void:
	error = ""
	id = ""
	version = 0
	soundtrack_hash = ""
	description = ""
	initial = ""
	states = PackedStringArray()
	events = PackedStringArray()
	stingers = PackedStringArray()
	parameters = {}
	transitions = []
