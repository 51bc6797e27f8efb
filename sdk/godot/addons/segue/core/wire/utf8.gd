# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Text out of bytes that may be anything; the engine's own conversion prints errors about what it does not like.


## The text, or null if the bytes are not UTF-8. A NUL becomes U+FFFD: the engine's strings can't hold one.
static func text(bytes: PackedByteArray) -> Variant:
	var size: int = bytes.size()
	var at: int = 0
	var has_nul: bool = false
	while at < size:
		var lead: int = bytes[at]
		if lead < 0x80:
			has_nul = has_nul or lead == 0
			at += 1
			continue
		var more: int = 1 if lead < 0xe0 else 2 if lead < 0xf0 else 3
		if lead < 0xc2 or lead > 0xf4 or at + more >= size:
			return null
		var point: int = lead & (0x3f >> more)
		for i: int in range(at + 1, at + more + 1):
			if bytes[i] & 0xc0 != 0x80:
				return null
			point = point << 6 | (bytes[i] & 0x3f)
		# Longer than need be, a half of a surrogate pair, beyond Unicode.
		if (more == 2 and (point < 0x800 or (point >= 0xd800 and point < 0xe000))) or point > 0x10ffff:
			return null
		if more == 3 and point < 0x10000:
			return null
		at += more + 1
	return _without_nul(bytes) if has_nul else bytes.get_string_from_utf8()


static func _without_nul(bytes: PackedByteArray) -> String:
	var replaced: PackedByteArray = PackedByteArray()
	for byte: int in bytes:
		if byte == 0:
			replaced.append_array([0xef, 0xbf, 0xbd])
		else:
			replaced.append(byte)
	return replaced.get_string_from_utf8()
