# SPDX-License-Identifier: Apache-2.0
"""Runs every check that a vector set has files for, and holds what came out against the golden arrays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from segue_engine.verify.checks import Array, Check, Plan, Produced
from segue_engine.verify.report import FileReport, Report, Row, Status
from segue_engine.verify.rules import TOLERANCES, FileRules, Tolerances
from segue_engine.verify.vector_set import META, Arrays, VectorError, VectorSet

_SUPPORT = (
    META,
    TOLERANCES,
    "config_*.json",
    "*_keys.json",
    "*_keys_*.json",
    "*_cases.json",
    "*.safetensors",
    "*.md",
    "*.py",
)
"""What checks read beside the vectors, what people read, and what nobody here runs."""


class Watcher(Protocol):
    """Is told how a verification gets on, on the thread that runs it."""

    def begin(self, file: str, steps: int) -> None: ...

    def tick(self) -> None: ...

    def finish(self, report: FileReport) -> None: ...


@dataclass(frozen=True, slots=True)
class _Work:
    """A file, and what is to be done about it: a check with its plan, or a reason for doing nothing."""

    name: str
    arrays: Arrays | None
    rules: FileRules
    check: Check | None = None
    plan: Plan | None = None
    status: Status = "checked"
    note: str = ""


def verify(
    folder: Path,
    checks: Sequence[Check],
    *,
    only: Sequence[str] = (),
    skip_large: bool = False,
    watcher: Watcher | None = None,
) -> Report:
    """Check all files of `folder`, or those that match a pattern in `only`, less the large ones if asked.

    All inputs are read before anything is computed. Raises VectorError: something is unreadable, of a wrong shape,
    or nothing is left to check.
    """
    vectors = VectorSet(folder)
    tolerances = Tolerances(vectors.json(TOLERANCES))
    names = _in_order(checks, vectors.files)
    if only and not any(fnmatchcase(name, pattern) for name in names for pattern in only):
        raise VectorError(f"no file matches {' or '.join(only)}; there are {', '.join(names) or 'none'}")
    work = [_prepare(vectors, tolerances, checks, name, only, skip_large) for name in names]
    if not any(item.plan for item in work):
        why = "; ".join(f"{item.name}: {item.note}" for item in work) or "it holds no vectors"
        raise VectorError(f"nothing to check: {why}")
    files = []
    for item in work:
        report = _check(item, watcher)
        files.append(report)
        if watcher is not None:
            watcher.finish(report)
    return Report(folder=str(folder), files=tuple(files))


def _in_order(checks: Sequence[Check], files: Sequence[str]) -> list[str]:
    """Files that are vectors, in the order of the checks, those that no check knows last."""
    names = [name for name in files if not any(fnmatchcase(name, pattern) for pattern in _SUPPORT)]

    def place(name: str) -> int:
        return next((i for i, check in enumerate(checks) if fnmatchcase(name, check.pattern)), len(checks))

    return sorted(names, key=lambda name: (place(name), name))


def _prepare(
    vectors: VectorSet,
    tolerances: Tolerances,
    checks: Sequence[Check],
    name: str,
    only: Sequence[str],
    skip_large: bool,
) -> _Work:
    rules = tolerances.of_file(name)
    check = next((c for c in checks if fnmatchcase(name, c.pattern)), None)
    if only and not any(fnmatchcase(name, pattern) for pattern in only):
        return _Work(name, None, FileRules({}), status="skipped", note="not asked for")
    if check is None:
        return _Work(name, None, rules, status="not checked", note="no check knows this file")
    if skip_large and check.large:
        return _Work(name, None, FileRules({}), status="skipped", note="large")
    if not rules.patterns:
        return _Work(name, None, rules, status="not checked", note=f"{TOLERANCES} has no rule for it")
    plan = check.plan(vectors, name)
    golden = vectors.arrays(name) if plan.golden is None else Arrays(name, plan.golden)
    return _Work(name, golden, rules, check, plan)


def _check(item: _Work, watcher: Watcher | None) -> FileReport:
    rows: list[Row] = []
    started = time.perf_counter()
    if item.check is None or item.plan is None or item.arrays is None:
        # a tolerance that nobody holds anything against is a failure, never a silent skip
        rows = [_failure(p, p, rule.text, item.note) for p, rule in item.rules.patterns.items()]
        return FileReport(item.name, item.status, tuple(rows), item.note)
    if watcher is not None:
        watcher.begin(item.name, item.plan.steps)
    with item.check.settings():
        for produced in item.plan.run(watcher.tick if watcher is not None else _nobody):
            pattern = item.rules.pattern_of(produced.array)
            if pattern is not None and produced.array in item.arrays:
                rows.append(_compare(item, produced, pattern, item.arrays[produced.array]))
    rows += _unproduced(item, item.arrays, {row.array for row in rows})
    empty = [p for p in item.rules.unmatched(item.arrays) if _is_wildcard(p)]
    note = f"rules that match no array: {', '.join(empty)}" if empty else ""
    return FileReport(item.name, "checked", tuple(rows), note, time.perf_counter() - started)


def _compare(item: _Work, produced: Produced, pattern: str, whole: Array) -> Row:
    golden = whole if produced.part is None else produced.part(whole)
    rule = item.rules.patterns[pattern]
    if golden.shape != produced.value.shape:
        return Row(
            produced.array,
            pattern,
            produced.way,
            rule.text,
            passed=False,
            note=f"ours has shape {list(produced.value.shape)}, the file's {list(golden.shape)}",
        )
    judged = rule.judge(produced.value, golden)
    return Row(produced.array, pattern, produced.way, rule.text, judged.passed, judged.figures)


def _unproduced(item: _Work, arrays: Arrays, done: set[str]) -> list[Row]:
    rows = []
    for array in arrays:
        pattern = item.rules.pattern_of(array)
        if pattern is not None and array not in done:
            rows.append(_failure(array, pattern, item.rules.patterns[pattern].text, "no check computes it"))
    # a wildcard may be there for other sets, a name is meant
    named = [pattern for pattern in item.rules.unmatched(arrays) if not _is_wildcard(pattern)]
    return rows + [_failure(n, n, item.rules.patterns[n].text, "no such array in the file") for n in named]


def _failure(array: str, pattern: str, rule: str, note: str) -> Row:
    return Row(array, pattern, "", rule, passed=False, note=note)


def _is_wildcard(pattern: str) -> bool:
    return any(letter in pattern for letter in "*?[")


def _nobody() -> None:
    pass
