# SPDX-License-Identifier: Apache-2.0
"""Seeded bad luck: numbers, texts, bytes and trees that programs tend to trip over. No I/O; a seed says everything."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")
EDGES: Final = (0, 1, -1, 2, 7, 8, 127, 128, 255, 256, 1000, 32_767, 32_768, 65_535, 65_536)
_BITS: Final = (31, 32, 53, 62, 63, 64)
_FLOATS: Final = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 5e-324, 1e300, 3.5e38, float("nan"), float("inf"), float("-inf"))
_LETTERS: Final = "{}[]:,-#&*!|>'\"%@`?\n\t \\/abz019._~=<>()\x00\x01\x7fé\u0130\u202e\ufeff\U0001f3b5"
_PIECES: Final = ("../", "%s%n", "\r\n", "null", "true", "NaN", "1e999", "0x10", "-0", "١٢", "ﬁ", "a\u0301", "​")


class Chance(random.Random):
    """The luck of one input: that of a seed, a target and the input's number, whatever came before it."""

    def __init__(self, seed: int, target: str, number: int) -> None:
        super().__init__(f"{seed} {target} {number}")

    is_mild = False
    """Whether most of what is drawn should make sense, so that it gets past the first checks."""

    def once_in(self, times: int) -> bool:
        """True once in so many times."""
        return self.randrange(times) == 0

    def of(self, *choices: T) -> T:
        """One of these."""
        return self.choice(choices)

    def size(self, most: int) -> int:
        """0 to most, small ones more often."""
        return int((most + 1) ** self.random()) - 1 + self.randrange(2) if most > 1 else self.randrange(most + 1)

    def whole(self, low: int, high: int) -> int:
        """An integer in [low, high]: at an edge, or anywhere, small ones more often."""
        if self.once_in(2):
            powers = [(1 << bits) + by for bits in _BITS for by in (-1, 0)]
            found = self.choice([*EDGES, *powers, *(-power for power in powers), low, high])
        else:
            found = self.choice((1, -1)) * self.getrandbits(self.randrange(1, 65))
        return min(max(found, low), high)

    def real(self) -> float:
        """A float64: at an edge, from 0 to 1, or of any size."""
        match self.randrange(3):
            case 0:
                return self.choice(_FLOATS)
            case 1:
                return self.random()
        return self.uniform(-10, 10) * 10.0 ** self.randrange(-3, 12)

    def text(self, most: int = 80, words: Sequence[str] = ()) -> str:
        """Unicode that UTF-8 can hold; often one of the words, whole or nearly."""
        if words and not self.once_in(3):
            word = self.choice(words)
            return word if not self.once_in(6) else word[: self.randrange(len(word) + 1)] + self.choice(_LETTERS)
        match self.randrange(4):
            case 0:
                return self.choice(_PIECES) * self.randrange(1, 4)
            case 1:
                return self.choice("aé\u202e") * self.size(most * 4)
        return "".join(self.choice(_LETTERS) for _ in range(self.size(most)))

    def noise(self, most: int) -> bytes:
        """Random bytes, or one byte again and again."""
        count = self.size(most)
        return self.randbytes(count) if self.once_in(2) else bytes([self.choice((0, 0xFF, 0x41, 0x80))]) * count

    def mangled(self, data: bytes, changes: int = 4) -> bytes:
        """The bytes with up to so many changes: flipped, cut, doubled, overwritten by numbers that are lies."""
        found = bytearray(data)
        for _ in range(self.randrange(1, changes + 1)):
            at = self.randrange(len(found) + 1)
            length = self.size(max(1, len(found) // 4))
            match self.randrange(8):
                case 0 if found:
                    found[at % len(found)] ^= 1 << self.randrange(8)
                case 1 if found:
                    found[at % len(found)] = self.choice(EDGES) & 0xFF
                case 2:
                    del found[at : at + length]
                case 3:
                    found[at:at] = found[at : at + length] * self.randrange(1, 4)
                case 4:
                    found[at:at] = self.noise(32)
                case 5:
                    del found[at:]
                case 6:
                    size = self.of(2, 4, 8)
                    lie = self.whole(0, 2 ** (8 * size) - 1)
                    found[at : at + size] = lie.to_bytes(size, self.of("big", "little"))
                case _:
                    other = self.randrange(len(found) + 1)
                    found[at : at + length] = found[other : other + length]
        return bytes(found)

    def wild(self, depth: int = 0) -> Any:
        """A JSON value."""
        match self.randrange(9 if depth < 3 else 6):
            case 0:
                return self.of(None, True, False)
            case 1 | 2:
                return self.whole(-(2**70), 2**70)
            case 3:
                return self.real()
            case 4 | 5:
                return self.text(200)
            case 6:
                return [self.wild(depth + 1) for _ in range(self.size(5))]
            case 7:
                return {self.text(12): self.wild(depth + 1) for _ in range(self.size(4))}
        nested: Any = self.wild(depth + 1)
        for _ in range(self.size(60)):
            nested = [nested] if self.once_in(2) else {"a": nested}
        return nested

    def nudged(self, tree: Any, changes: int = 3) -> Any:
        """A copy of a tree with up to so many of its numbers changed, a little or beyond reason."""
        found = _copy(tree)
        places = [(around, key) for around, key in _places(found) if type(around[key]) in (int, float)]
        for _ in range(self.randrange(1, changes + 1) if places else 0):
            around, key = self.choice(places)
            value = around[key]
            far = self.of(
                value + self.of(-1, 1), 2 * value, -value, self.whole(-(2**31), 2**31), self.whole(-(2**70), 2**70)
            )
            around[key] = self.real() if isinstance(value, float) and self.once_in(2) else far
        return found

    def twisted(self, tree: Any, words: Sequence[str] = (), changes: int = 3) -> Any:
        """A copy of a tree of dicts and lists with up to so many changes anywhere in it."""
        found = _copy(tree)
        for _ in range(self.randrange(1, changes + 1)):
            places = list(_places(found))
            if not places:
                return self.wild()
            around, key = self.choice(places)
            match self.randrange(7):
                case 0 | 1:
                    around[key] = self.wild()
                case 2 if isinstance(around[key], int | float) and not isinstance(around[key], bool):
                    around[key] = self.of(self.whole(-(2**40), 2**40), self.real(), around[key] + self.of(-1, 1))
                case 2 | 3:
                    around[key] = self.text(40, words)
                case 4:
                    other, name = self.choice(places)
                    around[key] = _copy(other[name])
                case 5:
                    del around[key]
                case _ if isinstance(around, dict):
                    around[self.text(12, [*words, *map(str, around)])] = _copy(around[key])
                case _:
                    around[key:key] = [_copy(around[key])] * self.size(20)
        return found


def _copy(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _copy(value) for key, value in tree.items()}
    return [_copy(value) for value in tree] if isinstance(tree, list | tuple) else tree


def _places(tree: Any) -> Any:
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in list(keys):
        yield tree, key
        yield from _places(tree[key])
