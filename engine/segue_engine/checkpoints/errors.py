# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with checkpoint files, in sentences that name the file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from segue_engine.contract import EngineError

LISTED: Final = 12
"""At most this many keys are spelt out; a foreign checkpoint may differ in all of them."""


class CheckpointFileError(EngineError):
    """A model file that is missing, damaged or another model's; names the file, every fault and what repairs it."""


class DownloadError(EngineError):
    """A file that could not be fetched; says which, why, and what to do."""


def bounded(lines: Iterable[str], limit: int = LISTED) -> list[str]:
    """The first lines, and how many more there are."""
    every = list(lines)
    if len(every) <= limit:
        return every
    return [*every[:limit], f"… and {len(every) - limit} more"]


def size_text(count: int | float) -> str:
    """Bytes for a person: 9.84 GB, 44 MB, 317 bytes."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"
