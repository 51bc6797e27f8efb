# SPDX-License-Identifier: Apache-2.0
extends RefCounted
## Names that a wrong one was probably meant as. Not for every frame.

const MOST: int = 3
const LISTED: int = 12
const LONGEST: int = 64
const ALIKE: float = 0.6


## At most three known names, the likeliest first; none if nothing is alike.
static func of(name: String, known: PackedStringArray) -> PackedStringArray:
	var found: Array[Array] = []
	for candidate: String in known:
		var likeness: float = _likeness(_folded(name), _folded(candidate))
		if likeness >= ALIKE:
			found.append([-likeness, candidate])
	found.sort()
	var names: PackedStringArray = PackedStringArray()
	for pair: Array in found.slice(0, MOST):
		names.append(pair[1])
	return names


## A sentence for a name that does not exist, such as: no state "combt". Did you mean "combat"?
## kind: what it should have been: state, event, stinger, parameter.
static func unknown(kind: String, name: String, known: PackedStringArray) -> String:
	var said: String = 'no %s "%s". ' % [kind, name]
	var near: PackedStringArray = PackedStringArray()
	for found: String in of(name, known):
		near.append('"%s"' % found)
	if near.size() == 1:
		return said + "Did you mean %s?" % near[0]
	if near.size() > 1:
		return said + "Did you mean %s or %s?" % [", ".join(near.slice(0, near.size() - 1)), near[-1]]
	if known.is_empty():
		return said + "There are none."
	var more: String = ", …" if known.size() > LISTED else ""
	return said + "There %s %s%s." % ["is" if known.size() == 1 else "are", ", ".join(known.slice(0, LISTED)), more]


## 1 for the same, 0 for nothing in common; a name within another is alike, too.
static func _likeness(a: String, b: String) -> float:
	if a.is_empty() or b.is_empty():
		return 0.0
	if a.length() > LONGEST or b.length() > LONGEST:
		return 1.0 if a == b else 0.0
	var edited: float = 1.0 - _distance(a, b) / float(maxi(a.length(), b.length()))
	var is_within: bool = mini(a.length(), b.length()) >= 3 and (a.contains(b) or b.contains(a))
	return maxf(ALIKE, edited) if is_within else edited


## Letters to insert, drop, replace, or swap with their neighbour.
static func _distance(a: String, b: String) -> int:
	var before: PackedInt32Array = PackedInt32Array()
	var above: PackedInt32Array = PackedInt32Array(range(b.length() + 1))
	for i: int in range(1, a.length() + 1):
		var row: PackedInt32Array = PackedInt32Array([i])
		for j: int in range(1, b.length() + 1):
			var same: bool = a[i - 1] == b[j - 1]
			var least: int = mini(mini(above[j], row[j - 1]) + 1, above[j - 1] + (0 if same else 1))
			if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
				least = mini(least, before[j - 2] + 1)
			row.append(least)
		before = above
		above = row
	return above[b.length()]


static func _folded(name: String) -> String:
	return name.to_lower().replace("-", "_").replace(" ", "_")
