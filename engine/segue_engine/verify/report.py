# SPDX-License-Identifier: Apache-2.0
"""What a verification found: per file, per array, per way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["checked", "skipped", "not checked"]


@dataclass(frozen=True, slots=True)
class Row:
    """One golden array, held against ours in one way, or the reason why it could not be."""

    array: str
    pattern: str
    """Of the rule in tolerances.json."""
    way: str
    rule: str
    passed: bool
    figures: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file: `checked` has rows; otherwise `note` says why not. Rows may fail in a file that no check reads."""

    name: str
    status: Status
    rows: tuple[Row, ...] = ()
    note: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return all(row.passed for row in self.rows)


@dataclass(frozen=True, slots=True)
class Report:
    """All files of a set that are vectors, in order."""

    folder: str
    files: tuple[FileReport, ...]

    @property
    def passed(self) -> bool:
        return all(file.passed for file in self.files)

    @property
    def rows(self) -> list[Row]:
        return [row for file in self.files for row in file.rows]

    def as_json(self) -> dict[str, Any]:
        """For --json: everything, figures as numbers."""
        return {
            "vectors": self.folder,
            "passed": self.passed,
            "arrays_checked": sum(bool(row.figures) for row in self.rows),
            "failures": sum(not row.passed for row in self.rows),
            "files": [
                {
                    "file": file.name,
                    "status": file.status,
                    "passed": file.passed,
                    "seconds": round(file.seconds, 2),
                    "note": file.note,
                    "arrays": [
                        {
                            "array": row.array,
                            "way": row.way,
                            "rule": row.rule,
                            "passed": row.passed,
                            **{name: _number(value) for name, value in row.figures.items()},
                            **({"note": row.note} if row.note else {}),
                        }
                        for row in file.rows
                    ],
                }
                for file in self.files
            ],
        }


def _number(value: float) -> float | str:
    """JSON has no NaN and no infinities."""
    return value if value - value == 0 else str(value)
