# SPDX-License-Identifier: Apache-2.0
"""The starter's musical clock, read out of its clock and key codes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import ClockReading
from segue_engine.models.starter import tokens

_BEATS_PER_BAR = tokens.STEPS_PER_BAR // tokens.STEPS_PER_BEAT
_BAR = tokens.CODEBOOKS[tokens.KEY].table("bar")


class StarterClock:
    """Fulfils `contract.ClockReader`. Every frame carries its own position, so any frame can be read alone."""

    def read(self, codes: NDArray[np.integer]) -> ClockReading:
        """codes[.., 12] → one reading per frame. Raises ValueError for codes out of range."""
        if codes.shape[-1] != tokens.LEVELS:
            raise ValueError(f"codes: expected [.., {tokens.LEVELS}], got {list(codes.shape)}")
        clock, key = codes[..., tokens.CLOCK].astype(np.int64), codes[..., tokens.KEY].astype(np.int64)
        for name, code, level in (("clock", clock, tokens.CLOCK), ("key", key, tokens.KEY)):
            if code.size and (code.min() < 0 or code.max() >= tokens.SIZES[level]):
                raise ValueError(f"codes: expected {name} codes in 0..{tokens.SIZES[level] - 1}")
        position, frames = tokens.CLOCK_POSITION[clock], tokens.CLOCK_FRAMES[clock]
        beat = tokens.STEPS_PER_BEAT * frames
        return ClockReading(
            on_beat=position % beat == 0,
            on_bar=position == 0,
            beat=(position // beat).astype(np.int32),
            bar=_BAR[key],
            beats_per_bar=np.full(clock.shape, _BEATS_PER_BAR, np.int32),
            bpm=tokens.tempo_bpm(clock).astype(np.float32),
            frames_to_beat=(-position % beat).astype(np.int32),
            frames_to_bar=(-position % (tokens.STEPS_PER_BAR * frames)).astype(np.int32),
            phrase_bars=tokens.BARS_PER_PHRASE,
        )
