# SPDX-License-Identifier: Apache-2.0
"""The tiny language of `when:` guards: comparisons of parameters with numbers, `and`, `or`, `not`, parentheses.

guard      = and_term ("or" and_term)*
and_term   = not_term ("and" not_term)*
not_term   = "not" not_term | "(" guard ")" | comparison
comparison = operand (("<" | "<=" | ">" | ">=" | "==" | "!=") operand)+       chains as in 0.2 < danger <= 0.5
operand    = parameter | number
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from segue_service.soundtrack.units import UnitError, describe

MAX_LENGTH: Final = 400
MAX_DEPTH: Final = 16

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><=|>=|==|!=|<|>|\(|\)))"
)
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_WORDS: Final = frozenset({"and", "or", "not"})

Lookup = Callable[[str], float]
Operand = str | float


@dataclass(frozen=True, slots=True)
class Comparison:
    """operands[0] signs[0] operands[1] signs[1] …, true where every neighbour pair is."""

    operands: tuple[Operand, ...]
    signs: tuple[str, ...]

    def holds(self, value: Lookup) -> bool:
        numbers = [value(o) if isinstance(o, str) else o for o in self.operands]
        return all(_COMPARE[s](a, b) for s, a, b in zip(self.signs, numbers, numbers[1:], strict=False))


@dataclass(frozen=True, slots=True)
class Not:
    term: Term

    def holds(self, value: Lookup) -> bool:
        return not self.term.holds(value)


@dataclass(frozen=True, slots=True)
class Every:
    terms: tuple[Term, ...]

    def holds(self, value: Lookup) -> bool:
        return all(term.holds(value) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Either:
    terms: tuple[Term, ...]

    def holds(self, value: Lookup) -> bool:
        return any(term.holds(value) for term in self.terms)


Term = Comparison | Not | Every | Either


@dataclass(frozen=True, slots=True)
class Guard:
    """A parsed guard: its text as written, its tree, and (name, offset) of every parameter in it."""

    text: str
    tree: Term
    mentions: tuple[tuple[str, int], ...] = field(compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name, _ in self.mentions))

    def holds(self, value: Lookup) -> bool:
        """Whether it is true, `value` giving each parameter's present value."""
        return self.tree.holds(value)

    def __str__(self) -> str:
        return self.text


def parse_guard(raw: object) -> Guard:
    """Text → Guard. Raises UnitError whose offset points at the character that could not be read."""
    if isinstance(raw, Guard):
        return raw
    if not isinstance(raw, str):
        raise UnitError(f'expected a guard such as "danger < 0.2 and health >= 0.5", got {describe(raw)}')
    if len(raw) > MAX_LENGTH:
        raise UnitError(f"expected a guard of at most {MAX_LENGTH} characters, got {len(raw)}")
    return _Parser(raw).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.place = 0
        self.depth = 0
        self.mentions: list[tuple[str, int]] = []

    def parse(self) -> Guard:
        tree = self.either()
        if self.kind != "end":
            raise self.unexpected('"and", "or" or the end')
        return Guard(" ".join(self.text.split()), tree, tuple(self.mentions))

    @property
    def kind(self) -> str:
        return self.tokens[self.place][0]

    @property
    def word(self) -> str:
        return self.tokens[self.place][1]

    def take(self, word: str) -> bool:
        if self.kind in ("word", "sign") and self.word == word:
            self.place += 1
            return True
        return False

    def unexpected(self, expected: str) -> UnitError:
        found = "the end" if self.kind == "end" else f'"{self.word}"'
        hint = ' (compare with "==")' if self.word == "=" else ""
        return UnitError(f"expected {expected}, got {found}{hint}", self.tokens[self.place][2])

    def either(self) -> Term:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnitError(f"expected parentheses at most {MAX_DEPTH} deep", self.tokens[self.place][2])
        terms = [self.every()]
        while self.take("or"):
            terms.append(self.every())
        self.depth -= 1
        return terms[0] if len(terms) == 1 else Either(tuple(terms))

    def every(self) -> Term:
        terms = [self.negation()]
        while self.take("and"):
            terms.append(self.negation())
        return terms[0] if len(terms) == 1 else Every(tuple(terms))

    def negation(self) -> Term:
        # Counted in a loop, not by recursion: "not not not …" must not use up the stack.
        odd = False
        while self.take("not"):
            odd = not odd
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                raise self.unexpected('")"')
        else:
            inner = self.comparison()
        return Not(inner) if odd else inner

    def comparison(self) -> Comparison:
        operands = [self.operand()]
        signs: list[str] = []
        while self.kind == "sign" and self.word in _COMPARE:
            signs.append(self.word)
            self.place += 1
            operands.append(self.operand())
        if not signs:
            raise self.unexpected('one of "<", "<=", ">", ">=", "==", "!="')
        return Comparison(tuple(operands), tuple(signs))

    def operand(self) -> Operand:
        kind, word, offset = self.tokens[self.place]
        if kind not in ("number", "name"):
            raise self.unexpected("a parameter or a number")
        self.place += 1
        if kind == "number":
            return float(word)
        self.mentions.append((word, offset))
        return word


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None:
            offset = place + len(text[place:]) - len(text[place:].lstrip())
            hint = ' (compare with "==")' if text[offset] == "=" else ""
            raise UnitError(f'expected a parameter, a number or a comparison, got "{text[offset]}"{hint}', offset)
        kind = str(found.lastgroup)
        word = found[kind]
        yield ("word" if kind == "name" and word in _WORDS else kind), word, found.start(kind)
        place = found.end()
    yield "end", "", len(text)
