# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a soundtrack, where, and what was probably meant; all of it, not just the first mistake."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. line and column count from 1; 0 where there is no text (a built file, an upload)."""

    severity: Severity
    message: str
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def render(self) -> str:
        """`file:line:column  path: message`, errors unmarked, the others with their severity."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        marked = self.message if self.severity == "error" else f"{self.severity}: {self.message}"
        said = f"{self.path}: {marked}" if self.path else marked
        return f"{place}  {said}" if place else said


class SoundtrackError(ValueError):
    """A soundtrack that can't be used; `diagnostics` holds every finding in file order."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: (d.line, d.column)))
        super().__init__("\n".join(d.render() for d in self.diagnostics))


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding without a place yet: path into the document, offset into the value's text, on the key or the value."""

    severity: Severity
    path: Path
    message: str
    offset: int = 0
    on_key: bool = False


def path_text(path: Path) -> str:
    """("transitions", 1, "via") → "transitions[1].via"."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else step)
    return text


def near_misses(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Known names that `name` may have been meant as, likeliest first."""
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(_folded(candidate), candidate)
    folded = _folded(name)
    close = difflib.get_close_matches(folded, by_folded, n=limit, cutoff=0.6)
    longer = [
        k for k in by_folded if len(folded) >= 3 and (folded in k or k in folded) and k not in close and len(k) >= 3
    ]
    return tuple(by_folded[key] for key in [*close, *sorted(longer)][:limit])


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that does not exist, with near misses, or with what there is if that is little."""
    names = list(known)
    near = near_misses(name, names)
    article = f'no {kind} "{name[:80]}".'
    if near:
        return f"{article} Did you mean {_either(near)}?"
    if not names:
        return f"{article} There are none."
    listed = ", ".join(names[:12])
    return f"{article} There {'is' if len(names) == 1 else 'are'} {listed}{', …' if len(names) > 12 else ''}."


def _either(names: Sequence[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _folded(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
