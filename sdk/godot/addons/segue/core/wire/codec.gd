# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Messages of the wire contract as dictionaries. Any thread.
##
## Keys are the fields' names in proto/, only of what is present: enums and integers are int, bytes PackedByteArray,
## nested messages and maps Dictionary, repeated fields Array.

const Reader := preload("res://addons/segue/core/wire/reader.gd")
const Schema := preload("res://addons/segue/core/wire/schema.gd")
const Writer := preload("res://addons/segue/core/wire/writer.gd")

const NAME: int = 0
const KIND: int = 1
const PRESENCE: int = 2
const MESSAGE: int = 3
const ONEOF: int = 4


## Bytes of a message, fields in the order of their numbers. A name that the message does not have is a mistake of the
## caller's and is left out.
static func encode(message: StringName, fields: Dictionary) -> PackedByteArray:
	var to: Writer = Writer.new()
	var table: Dictionary = Schema.MESSAGES[message]
	var written: int = 0
	for tag: int in table:
		var field: Array = table[tag]
		if field[PRESENCE] != Schema.Presence.UNPACKED and fields.has(field[NAME]):
			written += 1
			_write(to, tag, field, fields[field[NAME]])
	if written != fields.size():
		push_error("%s: expected fields of the message, got %s" % [message, ", ".join(fields.keys())])
	return to.data


## A message's fields (a Dictionary), or null if the bytes are malformed.
static func decode(message: StringName, bytes: PackedByteArray) -> Variant:
	var from: Reader = Reader.new(bytes)
	var fields: Dictionary = {}
	_read_message(from, message, bytes.size(), fields)
	return null if from.is_bad else fields


static func _write(to: Writer, tag: int, field: Array, value: Variant) -> void:
	match field[PRESENCE]:
		Schema.Presence.IMPLICIT:
			if not _is_default(field[KIND], value):
				to.varint(tag)
				_write_value(to, field, value)
		Schema.Presence.EXPLICIT:
			to.varint(tag)
			_write_value(to, field, value)
		Schema.Presence.MAP:
			var keys: Array = value.keys()
			keys.sort()
			for key: String in keys:
				var entry: Writer = Writer.new()
				entry.varint(10)
				entry.bytes(key.to_utf8_buffer())
				entry.varint(18)
				entry.bytes(str(value[key]).to_utf8_buffer())
				to.varint(tag)
				to.bytes(entry.data)
		Schema.Presence.REPEATED:
			_write_repeated(to, tag, field, value)


static func _write_repeated(to: Writer, tag: int, field: Array, values: Array) -> void:
	if field[KIND] < Schema.Kind.STRING:
		if not values.is_empty():
			var packed: Writer = Writer.new()
			for value: Variant in values:
				_write_value(packed, field, value)
			to.varint(tag)
			to.bytes(packed.data)
		return
	for value: Variant in values:
		to.varint(tag)
		_write_value(to, field, value)


static func _write_value(to: Writer, field: Array, value: Variant) -> void:
	match field[KIND]:
		Schema.Kind.INT32, Schema.Kind.INT64, Schema.Kind.BOOL:
			to.varint(int(value))
		Schema.Kind.FLOAT:
			to.float32(value)
		Schema.Kind.DOUBLE:
			to.float64(value)
		Schema.Kind.STRING:
			to.bytes(str(value).to_utf8_buffer())
		Schema.Kind.BYTES:
			to.bytes(value)
		Schema.Kind.MESSAGE:
			to.bytes(encode(field[MESSAGE], value))


## Whether an implicit field need not be written. −0.0 is not the default.
static func _is_default(kind: int, value: Variant) -> bool:
	match kind:
		Schema.Kind.STRING:
			return str(value).is_empty()
		Schema.Kind.BYTES:
			return value.is_empty()
		Schema.Kind.FLOAT, Schema.Kind.DOUBLE:
			return value == 0.0 and 1.0 / float(value) > 0.0
		_:
			return int(value) == 0


static func _read_message(from: Reader, message: StringName, end: int, into: Dictionary) -> void:
	var table: Dictionary = Schema.MESSAGES[message]
	while from.at < end:
		var tag: int = from.next_tag(end)
		if from.is_bad:
			return
		var field: Variant = table.get(tag)
		if field == null:
			from.skip(tag, end)
		else:
			_read_field(from, field, end, into)
			if not field[ONEOF].is_empty():
				_take_others_away(message, field, into)
		if from.is_bad:
			return


static func _read_field(from: Reader, field: Array, end: int, into: Dictionary) -> void:
	var name: String = field[NAME]
	match field[PRESENCE]:
		Schema.Presence.IMPLICIT:
			var value: Variant = _read_value(from, field, end)
			if _is_default(field[KIND], value):
				into.erase(name)
			else:
				into[name] = value
		Schema.Presence.EXPLICIT:
			if field[KIND] == Schema.Kind.MESSAGE:
				# One that comes twice is merged.
				into[name] = _read_nested(from, field, end, into.get(name, {}))
			else:
				into[name] = _read_value(from, field, end)
		Schema.Presence.REPEATED:
			if field[KIND] == Schema.Kind.MESSAGE:
				_list(into, name).append(_read_nested(from, field, end, {}))
			elif field[KIND] >= Schema.Kind.STRING:
				_list(into, name).append(_read_value(from, field, end))
			else:
				var stop: int = from.stretch(end)
				while from.at < stop and not from.is_bad:
					_list(into, name).append(_read_value(from, field, stop))
		Schema.Presence.UNPACKED:
			_list(into, name).append(_read_value(from, field, end))
		Schema.Presence.MAP:
			_read_entry(from, end, into, name)


static func _read_value(from: Reader, field: Array, end: int) -> Variant:
	match field[KIND]:
		Schema.Kind.INT32:
			return from.int32(end)
		Schema.Kind.INT64:
			return from.varint(end)
		Schema.Kind.BYTES:
			return from.bytes(end)
		Schema.Kind.STRING:
			return from.string(end)
		Schema.Kind.BOOL:
			return from.varint(end) != 0
		Schema.Kind.FLOAT:
			return from.float32(end)
		_:
			return from.float64(end)


static func _read_nested(from: Reader, field: Array, end: int, into: Dictionary) -> Dictionary:
	_read_message(from, field[MESSAGE], from.stretch(end), into)
	return into


static func _read_entry(from: Reader, end: int, into: Dictionary, name: String) -> void:
	var stop: int = from.stretch(end)
	var key: String = ""
	var value: String = ""
	while from.at < stop and not from.is_bad:
		var tag: int = from.next_tag(stop)
		match tag:
			10:
				key = from.string(stop)
			18:
				value = from.string(stop)
			_:
				from.skip(tag, stop)
	if not into.has(name):
		into[name] = {}
	into[name][key] = value


static func _list(into: Dictionary, name: String) -> Array:
	if not into.has(name):
		into[name] = []
	return into[name]


static func _take_others_away(message: StringName, field: Array, into: Dictionary) -> void:
	for other: String in Schema.ONEOFS[message][field[ONEOF]]:
		if other != field[NAME]:
			into.erase(other)
