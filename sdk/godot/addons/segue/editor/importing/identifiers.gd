# SPDX-License-Identifier: Apache-2.0
@tool
extends RefCounted
## Names of a soundtrack as identifiers of GDScript. Engines of all versions give the same.


## A name in CONSTANT_CASE behind a prefix, which keeps it off the words of the language, what engines have, and the
## project's autoloads: ASCII capitals, digits and `_`. Other characters than ASCII's are spelled by their numbers.
static func constant(prefix: String, name: String) -> String:
	var made: String = "_".join(_words(name)).to_upper()
	return prefix + (made if not made.is_empty() else "_")


## A name in PascalCase, in the same characters.
static func pascal(name: String) -> String:
	var made: String = ""
	for word: String in _words(name):
		made += word[0].to_upper() + word.substr(1)
	return "_" + made if made.is_empty() or made[0].is_valid_int() else made


## A name in snake_case, in the same characters; for files.
static func snake(name: String) -> String:
	var made: String = "_".join(_words(name)).to_lower()
	return made if not made.is_empty() else "_"


## A constant for every name, all different: the later of two that look the same ends in _2, _3, …
static func unique(prefix: String, names: PackedStringArray) -> PackedStringArray:
	var made: PackedStringArray = PackedStringArray()
	for name: String in names:
		var plain: String = constant(prefix, name)
		var found: String = plain
		var n: int = 2
		while made.has(found):
			found = "%s_%d" % [plain, n]
			n += 1
		made.append(found)
	return made


## Words of ASCII letters and digits; a capital after a small letter begins another one.
static func _words(name: String) -> PackedStringArray:
	var words: PackedStringArray = PackedStringArray()
	var word: String = ""
	for i: int in name.length():
		var code: int = name.unicode_at(i)
		var is_small: bool = (code >= 97 and code <= 122) or (code >= 48 and code <= 57)
		var is_capital: bool = code >= 65 and code <= 90
		var begins: bool = is_capital and not word.is_empty() and word[-1] != word[-1].to_upper()
		if (not is_small and not is_capital) or begins:
			if not word.is_empty():
				words.append(word)
			word = ""
		if is_small or is_capital:
			word += char(code)
		elif code >= 128:
			words.append("U%04X" % code)
	if not word.is_empty():
		words.append(word)
	return words
