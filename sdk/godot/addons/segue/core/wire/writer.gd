# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Writes protobuf's parts, each behind the one before.

## What has been written.
var data: PackedByteArray = PackedByteArray()


## An integer of 64 bits, the negative ones in ten bytes.
func varint(value: int) -> void:
	while value < 0 or value > 0x7f:
		data.append(value & 0x7f | 0x80)
		value = (value >> 7) & 0x1ffffffffffffff
	data.append(value)


func float32(value: float) -> void:
	var begin: int = data.size()
	data.resize(begin + 4)
	data.encode_float(begin, value)


func float64(value: float) -> void:
	var begin: int = data.size()
	data.resize(begin + 8)
	data.encode_double(begin, value)


## Bytes behind their length.
func bytes(value: PackedByteArray) -> void:
	varint(value.size())
	data.append_array(value)
