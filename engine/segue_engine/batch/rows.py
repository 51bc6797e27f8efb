# SPDX-License-Identifier: Apache-2.0
"""The host side of one step's inputs: one packed int32 array, a row per batch row, with a typed view on each field.

Packed, because one host-to-device copy per step is much faster than twelve. `programs` unpacks it on the device.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import MASKED, NOTES, STYLE_LEVELS, Conditioning, Sampling

_WORDS: Final[dict[str, tuple[int, type[np.generic]]]] = {
    "due": (1, np.int32),
    "frame": (1, np.int32),
    "begun": (1, np.int32),
    "seed": (2, np.uint32),
    "style_codes": (STYLE_LEVELS, np.int32),
    "notes": (NOTES // 4, np.int8),
    "drums": (1, np.int32),
    "guidance": (3, np.float32),
    "temperature": (1, np.float32),
    "top_k": (1, np.int32),
    "min_p": (1, np.float32),
    "levels": (2, np.float32),
}


def _layout() -> dict[str, tuple[slice, type[np.generic]]]:
    at, out = 0, {}
    for name, (words, kind) in _WORDS.items():
        out[name] = (slice(at, at + words), kind)
        at += words
    return out


LAYOUT: Final = _layout()
"""Field name → (columns of the packed array, element type)."""
DUE: Final = LAYOUT["due"][0].start
FRAME: Final = LAYOUT["frame"][0].start
LEVELS: Final = LAYOUT["levels"][0]
"""Gain in dB and true-peak ceiling in dBTP, for mastering."""
WIDTH: Final = sum(words for words, _ in _WORDS.values())
"""int32 words in a row."""


class HostRows:
    """Packed inputs of `count` rows. The attributes are views: writing them writes `packed`, int32[count, WIDTH].

    default: the model's sampling, for what a conditioning leaves open; what that leaves open too is off.
    """

    def __init__(self, count: int, default: Sampling) -> None:
        self._default = default
        self.packed: NDArray[np.int32] = np.zeros((count, WIDTH), np.int32)
        field = self._field
        self.due: NDArray[np.int32] = field("due")[:, 0]
        self.frame: NDArray[np.int32] = field("frame")[:, 0]
        self.begun: NDArray[np.int32] = field("begun")[:, 0]
        self.seed: NDArray[np.uint32] = field("seed")
        self.style_codes: NDArray[np.int32] = field("style_codes")
        self.notes: NDArray[np.int8] = field("notes")
        self.drums: NDArray[np.int32] = field("drums")[:, 0]
        self.guidance: NDArray[np.float32] = field("guidance")
        self.temperature: NDArray[np.float32] = field("temperature")[:, 0]
        self.top_k: NDArray[np.int32] = field("top_k")[:, 0]
        self.min_p: NDArray[np.float32] = field("min_p")[:, 0]
        self.levels: NDArray[np.float32] = field("levels")
        for row in range(count):
            self.clear(row)

    def _field(self, name: str) -> NDArray[Any]:
        columns, kind = LAYOUT[name]
        return self.packed[:, columns].view(kind)

    def clear(self, row: int) -> None:
        """Values in range for a row that nobody owns."""
        self.packed[row] = 0
        self.set_conditioning(row, Conditioning())

    def start(self, row: int, seed: int, conditioning: Conditioning) -> None:
        """A new owner: its seed (any 64-bit integer) and first conditioning."""
        self.packed[row] = 0
        word = seed & 0xFFFF_FFFF_FFFF_FFFF
        self.seed[row] = (word >> 32, word & 0xFFFF_FFFF)
        self.set_conditioning(row, conditioning)

    def set_conditioning(self, row: int, conditioning: Conditioning) -> None:
        """Write a validated conditioning into the row."""
        self.style_codes[row] = style_row(conditioning)
        self.notes[row] = MASKED if conditioning.notes is None else conditioning.notes
        self.drums[row] = conditioning.drums
        guidance = conditioning.guidance
        self.guidance[row] = (guidance.style, guidance.notes, guidance.drums)
        self.levels[row] = (conditioning.gain_db, conditioning.true_peak_dbtp)
        sampling, default = conditioning.sampling, self._default
        self.temperature[row] = _first(sampling.temperature, default.temperature, 1.0)
        self.top_k[row] = int(_first(sampling.top_k, default.top_k, 0))
        self.min_p[row] = _first(sampling.min_p, default.min_p, 0.0)


def style_row(conditioning: Conditioning) -> NDArray[np.int32]:
    """The style codes, missing ones masked: int32[12]."""
    codes = conditioning.style_codes
    return np.array((*codes, *(MASKED,) * (STYLE_LEVELS - len(codes))), np.int32)


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
