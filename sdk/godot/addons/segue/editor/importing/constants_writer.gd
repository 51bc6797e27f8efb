# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## A script with a constant for every name of a soundtrack, so that a name that is gone is a script's error. The same
## soundtrack gives the same text.
##
## Constants with prefixes rather than classes within: a class `Events` is an error in a project that has an autoload
## or a class of that name, as many have.

const Identifiers := preload("res://addons/segue/editor/importing/identifiers.gd")
const SoundtrackFile := preload("res://addons/segue/soundtrack_resource.gd")


## The class of a soundtrack's constants, such as DungeonSoundtrack.
static func type_name(soundtrack: SoundtrackFile) -> String:
	return Identifiers.pascal(soundtrack.id) + "Soundtrack"


## The file that it belongs into, such as dungeon_soundtrack.gd.
static func file_name(soundtrack: SoundtrackFile) -> String:
	return Identifiers.snake(soundtrack.id) + "_soundtrack.gd"


## The file's text, with \n at the ends of lines.
static func write(soundtrack: SoundtrackFile) -> String:
	var lines: PackedStringArray = PackedStringArray()
	lines.append("# By Segue, from the soundtrack %s, version %d:" % [_line(soundtrack.id), soundtrack.version])
	lines.append("# %s." % _line(soundtrack.soundtrack_hash))
	lines.append("# Changes are lost: generate it again when the soundtrack has changed.")
	lines.append("class_name %s" % type_name(soundtrack))
	lines.append("extends RefCounted")
	var about: String = _line(soundtrack.description)
	lines.append("## %s" % (about if not about.is_empty() else "Names of the soundtrack."))
	lines.append("")
	lines.append("const ID: String = %s" % literal(soundtrack.id))
	var parameters: PackedStringArray = PackedStringArray(soundtrack.parameters.keys())
	_add(
		lines,
		"STATE_",
		soundtrack.states,
		func(name: String) -> String: return "The state at the start." if name == soundtrack.initial else ""
	)
	_add(lines, "EVENT_", soundtrack.events, func(name: String) -> String: return causes(soundtrack, name))
	_add(lines, "PARAMETER_", parameters, func(name: String) -> String: return span(soundtrack.parameters[name]))
	_add(lines, "STINGER_", soundtrack.stingers, func(_name: String) -> String: return "")
	return "\n".join(lines) + "\n"


## What an event does to the state, such as: any → combat.
static func causes(soundtrack: SoundtrackFile, event: String) -> String:
	var found: PackedStringArray = PackedStringArray()
	for transition: Dictionary in soundtrack.transitions:
		var on: PackedStringArray = transition["on"]
		if on.has(event):
			var from: PackedStringArray = transition["from"]
			found.append("%s → %s" % [", ".join(from), transition["to"]])
	return "; ".join(found)


## A parameter's range, such as: 0 to 1, 0 at the start.
static func span(parameter: Dictionary) -> String:
	return (
		"%s to %s, %s at the start."
		% [number(parameter["minimum"]), number(parameter["maximum"]), number(parameter["default"])]
	)


## A number without what is not needed, the same in all versions of the engine.
static func number(value: float) -> String:
	if absf(value) >= 1e15:
		return String.num_scientific(value)
	return str(int(value)) if value == floorf(value) else str(value)


## A literal of a String in ASCII, whatever the text.
static func literal(text: String) -> String:
	var made: String = ""
	for i: int in text.length():
		var code: int = text.unicode_at(i)
		if code == 34 or code == 92:
			made += "\\" + char(code)
		elif code >= 32 and code <= 126:
			made += char(code)
		else:
			made += "\\u%04x" % code if code < 0x10000 else "\\U%06x" % code
	return '"%s"' % made


static func _add(lines: PackedStringArray, prefix: String, names: PackedStringArray, about: Callable) -> void:
	if names.is_empty():
		return
	lines.append("")
	var identifiers: PackedStringArray = Identifiers.unique(prefix, names)
	for i: int in names.size():
		var said: String = _line(about.call(names[i]))
		if not said.is_empty():
			lines.append("## %s" % said)
		lines.append("const %s: StringName = &%s" % [identifiers[i], literal(names[i])])


## A text on one line of a comment, without marks that turn around how it reads.
static func _line(text: String) -> String:
	var made: String = ""
	for i: int in text.length():
		var code: int = text.unicode_at(i)
		var breaks: bool = code < 32 or (code >= 127 and code < 160) or (code >= 0x2028 and code <= 0x202e)
		made += " " if breaks or (code >= 0x2066 and code <= 0x2069) else char(code)
	return made.strip_edges()
