# SPDX-License-Identifier: Apache-2.0
"""A dispatch that is under way, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue_engine.batch.bank import Output
from segue_engine.batch.frame import PCM
from segue_engine.batch.manifest import Manifest
from segue_engine.contract import CHANNELS, FRAME_SAMPLES, VITALS, Blocks

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Landed:
    """A dispatch's outputs by manifest entry: int16 audio, codes and vitals, and the entries that were not finite."""

    pcm: NDArray[np.int16]
    codes: NDArray[np.int16]
    vitals: NDArray[np.int16]
    faults: list[int]


class Flight:
    """A manifest and its outputs, each with the manifest entries that its wanted rows make."""

    def __init__(self, manifest: Manifest, outputs: list[tuple[Output, Ints]], levels: int) -> None:
        self.manifest = manifest
        self.landed: Landed | None = None
        self._outputs = outputs
        self._levels = levels

    def land(self) -> Landed:
        """Wait for the outputs, of all devices, and sort them by manifest entry."""
        if self.landed is not None:
            return self.landed
        entries_all, levels = self.manifest.slots.size, self._levels
        made = np.empty((entries_all, PCM), np.int16)
        tail = np.empty((entries_all, levels + VITALS + 1), np.int16)
        for output, entries in self._outputs:
            packed = np.asarray(output.packed)
            if entries.size == packed.shape[0] and _in_a_row(entries):
                # The usual case, all rows in order: plain slices copy several times faster.
                made[entries[0] : entries[-1] + 1] = packed[:, :PCM]
            else:
                made[entries] = packed[output.wanted, :PCM]
            tail[entries] = packed[output.wanted, PCM:]
        self._outputs = []
        self.landed = Landed(
            pcm=made.reshape(-1, FRAME_SAMPLES, CHANNELS),
            codes=tail[:, None, :levels].copy(),
            vitals=tail[:, None, levels:-1].copy(),
            faults=np.flatnonzero(tail[:, -1]).tolist(),
        )
        return self.landed

    def blocks(self) -> Blocks | None:
        """What is still wanted of it, None for nothing."""
        landed, manifest, keep = self.land(), self.manifest, self.manifest.wanted
        if not keep.any():
            return None
        whole = bool(keep.all())
        return Blocks(
            slots=manifest.slots[keep].astype(np.int32),
            epochs=manifest.epochs[keep],
            first_frame=manifest.frames[keep],
            pcm=landed.pcm if whole else landed.pcm[keep],
            codes=landed.codes if whole else landed.codes[keep],
            vitals=landed.vitals if whole else landed.vitals[keep],
        )


def _in_a_row(entries: Ints) -> bool:
    return bool((np.diff(entries) == 1).all())
