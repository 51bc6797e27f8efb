# SPDX-License-Identifier: Apache-2.0
"""An input as bytes, and what came of it, kept in a file that can be run again."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

MOST_FILES: Final = 100


@dataclass(frozen=True, slots=True)
class Case:
    """One input of a target. options: whatever else the target must know to send it; JSON can hold it."""

    target: str
    kind: str
    data: bytes
    options: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        data = base64.b64encode(self.data).decode()
        return {"target": self.target, "kind": self.kind, "data": data, "options": dict(self.options)}

    @staticmethod
    def read(told: Mapping[str, Any]) -> Case:
        """The inverse of `told`. Raises ValueError, KeyError."""
        return Case(told["target"], told["kind"], base64.b64decode(told["data"], validate=True), told["options"])


@dataclass(slots=True)
class Finding:
    """What went wrong, and the inputs up to then, the last one last. times: how often it was seen."""

    what: str
    cases: Sequence[Case]
    seed: int
    times: int = 1
    file: Path | None = None

    @property
    def mark(self) -> str:
        """The same for what is probably the same fault: numbers, names in quotes and addresses don't count."""
        bare = re.sub(r'0x[0-9a-f]+|\d+|"[^"]*"', "·", self.what)[:400]
        target = self.cases[-1].target if self.cases else ""
        return hashlib.sha256(f"{target}\n{bare}".encode()).hexdigest()[:10]

    def keep(self, folder: Path) -> None:
        """Write it into the folder: FILE.json to run again, FILE.bin with the last input's bytes."""
        if not self.cases:
            return
        folder.mkdir(parents=True, exist_ok=True)
        last = self.cases[-1]
        self.file = folder / f"{last.target}-{last.kind}-{self.mark}.json"
        told = {"what": self.what, "seed": self.seed, "cases": [case.told() for case in self.cases]}
        self.file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        self.file.with_suffix(".bin").write_bytes(last.data)


def cases_of(file: Path) -> list[Case]:
    """The inputs of a kept finding. Raises ValueError with a sentence, OSError."""
    try:
        return [Case.read(told) for told in json.loads(file.read_text(encoding="utf-8"))["cases"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: expected a file that fuzz.py wrote: {error!r}") from None


class Findings:
    """Those of a run, each fault once."""

    def __init__(self, folder: Path | None, seed: int) -> None:
        self.found: dict[str, Finding] = {}
        self._folder, self._seed = folder, seed

    def note(self, what: str, cases: Sequence[Case]) -> None:
        """Book what went wrong after these inputs, and keep it if it is new."""
        finding = Finding(what, list(cases), self._seed)
        known = self.found.get(finding.mark)
        if known is not None:
            known.times += 1
            return
        self.found[finding.mark] = finding
        if self._folder is not None and len(self.found) <= MOST_FILES:
            finding.keep(self._folder)
