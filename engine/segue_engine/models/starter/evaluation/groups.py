# SPDX-License-Identifier: Apache-2.0
"""The groups of a plan that belong to a style, read from tokens, and what each family allows in them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer.families import TABLE

GROUPS: Final = ("tempo", "mode", "kit", "bass", "arp", "lead", "pad", "counter", "bed")
PALETTE: Final = tuple(GROUPS.index(name) for name in ("kit", "bass", "arp", "lead", "pad", "counter", "bed"))
_MOST: Final = 8


def group_values(tokens: NDArray[np.integer]) -> NDArray[np.int64]:
    """Values int64[..., 9] of the groups in tokens int[..., 12]; tempo as its class, all others as patch or mode."""
    low = tk.CODEBOOKS[tk.PALETTE_LOW].decode(tokens[..., tk.PALETTE_LOW])
    high = tk.CODEBOOKS[tk.PALETTE_HIGH].decode(tokens[..., tk.PALETTE_HIGH])
    mode = tk.CODEBOOKS[tk.KEY].decode(tokens[..., tk.KEY])["mode"]
    tempo = tk.CLOCK_TEMPO[tokens[..., tk.CLOCK]]
    columns = (tempo, mode, low["kit"], low["bass"], high["arp"], high["lead"], high["pad"], low["counter"], low["bed"])
    return np.stack([np.asarray(c, np.int64) for c in columns], axis=-1)


def _allowed() -> NDArray[np.bool_]:
    out = np.zeros((len(TABLE), len(GROUPS), _MOST), np.bool_)
    for i, family in enumerate(TABLE):
        options = (
            tuple(tk.FRAMES_PER_STEP.index(f) for f in family.frames),
            family.modes,
            tuple(kit for _, kit in family.drums),
            family.bass_patches,
            family.arp_patches,
            family.lead_patches,
            family.pad_patches,
            tuple(patch for _, patch in family.counters),
            family.beds,
        )
        for g, values in enumerate(options):
            out[i, g, list(values)] = True
    return out


ALLOWED: Final[NDArray[np.bool_]] = _allowed()
"""bool[16, 9, 8]: whether a family's pure style can have a value in a group."""


def fits(values: NDArray[np.int64], family: int) -> NDArray[np.bool_]:
    """Whether group values int64[..., 9] are among a family's: bool[..., 9]."""
    return np.asarray(ALLOWED[family][np.arange(len(GROUPS)), values])
