# SPDX-License-Identifier: Apache-2.0
"""How close is close enough: the rules in a vector set's tolerances.json, and one array judged by one rule."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from segue_engine.verify.vector_set import VectorError

Array = NDArray[Any]
TOLERANCES: Final = "tolerances.json"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether an array is close enough, and by what figures (name → value, the rule's own)."""

    passed: bool
    figures: Mapping[str, float]


class Rule(Protocol):
    """One tolerance. `judge` takes two arrays of one shape; NaN on either side never passes."""

    @property
    def text(self) -> str: ...

    def judge(self, got: Array, golden: Array) -> Judgement: ...


@dataclass(frozen=True, slots=True)
class Mismatches:
    """At most `limit` entries differ."""

    limit: int

    @property
    def text(self) -> str:
        return f"mismatches {self.limit}" if self.limit else "exact"

    def judge(self, got: Array, golden: Array) -> Judgement:
        unequal = int(np.count_nonzero(got != golden))
        return Judgement(unequal <= self.limit, {"unequal": unequal})


@dataclass(frozen=True, slots=True)
class Absolute:
    """|got − golden| ≤ limit everywhere."""

    limit: float

    @property
    def text(self) -> str:
        return f"atol {self.limit:g}"

    def judge(self, got: Array, golden: Array) -> Judgement:
        worst = _worst(got, golden)
        return Judgement(worst <= self.limit, {"max_abs": worst})


@dataclass(frozen=True, slots=True)
class RelativeToMax:
    """|got − golden| ≤ limit · max |golden| everywhere."""

    limit: float

    @property
    def text(self) -> str:
        return f"rel_to_max {self.limit:g}"

    def judge(self, got: Array, golden: Array) -> Judgement:
        worst, top = _worst(got, golden), float(np.max(np.abs(golden.astype(np.float64)), initial=0.0))
        return Judgement(worst <= self.limit * top, {"rel_to_max": _ratio(worst, top)})


@dataclass(frozen=True, slots=True)
class Bfloat16:
    """Relative RMS error, correlation and largest error, for results that rounding alone moves about."""

    rel_rms: float
    corr: float
    max: float

    @property
    def text(self) -> str:
        return f"bf16 rms {self.rel_rms:g} corr {self.corr:g} max {self.max:g}"

    def judge(self, got: Array, golden: Array) -> Judgement:
        mine, wanted = got.astype(np.float64).ravel(), golden.astype(np.float64).ravel()
        worst = _worst(mine, wanted)
        rel_rms = _ratio(math.sqrt(_mean_square(mine - wanted)), math.sqrt(_mean_square(wanted)))
        corr = 1.0 if worst == 0 else _correlation(mine, wanted)
        passed = rel_rms <= self.rel_rms and corr >= self.corr and worst <= self.max
        return Judgement(passed, {"rel_rms": rel_rms, "corr": corr, "max_abs": worst})


def _worst(got: Array, golden: Array) -> float:
    """Largest |got − golden|; equal infinities differ by 0, NaN makes it NaN, which is below no limit."""
    mine, wanted = got.astype(np.float64), golden.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.where(mine == wanted, 0.0, np.abs(mine - wanted))
    return float(np.max(apart, initial=0.0))


def _ratio(part: float, whole: float) -> float:
    if whole == 0:
        return 0.0 if part == 0 else math.inf
    return part / whole


def _mean_square(values: Array) -> float:
    return float(np.mean(np.square(values))) if values.size else 0.0


def _correlation(left: Array, right: Array) -> float:
    left, right = left - left.mean(), right - right.mean()
    length = math.sqrt(float(left @ left) * float(right @ right))
    return float(left @ right) / length if length else 0.0


@dataclass(frozen=True, slots=True)
class FileRules:
    """The rules of one file: array pattern → rule."""

    patterns: Mapping[str, Rule]

    def pattern_of(self, array: str) -> str | None:
        """The longest pattern that matches; None: the array is an input."""
        matching = [pattern for pattern in self.patterns if fnmatchcase(array, pattern)]
        return max(matching, key=len, default=None)

    def unmatched(self, arrays: Iterable[str]) -> list[str]:
        """Patterns that match none of the arrays."""
        names = list(arrays)
        return [pattern for pattern in self.patterns if not any(fnmatchcase(name, pattern) for name in names)]


class Tolerances:
    """All of tolerances.json. Raises VectorError naming the entry that is no rule."""

    def __init__(self, document: object) -> None:
        if not isinstance(document, dict):
            raise VectorError(f"{TOLERANCES}: expected an object of file patterns")
        self._files = {
            pattern: _file_rules(pattern, rules) for pattern, rules in document.items() if not pattern.startswith("_")
        }

    @property
    def file_patterns(self) -> list[str]:
        return list(self._files)

    def of_file(self, name: str) -> FileRules:
        """Rules of the longest file pattern that matches; empty if none does."""
        matching = [pattern for pattern in self._files if fnmatchcase(name, pattern)]
        return self._files[max(matching, key=len)] if matching else FileRules({})


def _file_rules(file: str, rules: object) -> FileRules:
    if not isinstance(rules, dict):
        raise VectorError(f"{TOLERANCES}: {file}: expected an object of array patterns, got {rules!r}")
    return FileRules({pattern: _rule(f"{file}: {pattern}", rule) for pattern, rule in rules.items()})


def _rule(where: str, rule: object) -> Rule:
    match rule:
        case "exact":
            return Mismatches(0)
        case {"atol": limit, **rest} if not rest and _is_limit(limit):
            return Absolute(float(limit))
        case {"rel_to_max": limit, **rest} if not rest and _is_limit(limit):
            return RelativeToMax(float(limit))
        case {"mismatches": limit, **rest} if not rest and _is_limit(limit) and limit == int(limit):
            return Mismatches(int(limit))
        case {"bf16": {"rel_rms": rms, "corr": corr, "max": top, **rest}, **others} if not rest and not others:
            if all(_is_limit(limit) for limit in (rms, corr, top)):
                return Bfloat16(float(rms), float(corr), float(top))
    raise VectorError(
        f"{TOLERANCES}: {where}: expected exact, atol, rel_to_max, mismatches or bf16 (rel_rms, corr, max) "
        f"with limits of 0 or more, got {rule!r}"
    )


def _is_limit(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
