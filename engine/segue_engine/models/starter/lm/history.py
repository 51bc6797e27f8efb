# SPDX-License-Identifier: Apache-2.0
"""Which past frames a frame is tapped to, for whole pieces on the host (the stream's twin is in `streaming`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm.config import DELTA_FRAMES, TAP_BARS, TAP_LEVELS


def taps_of(codes: NDArray[np.integer], begin: int, end: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Taps int32[n, 3, 7] and their validity bool[n, 3] for frames begin..end of a piece int[frames, 12]."""
    frames = np.arange(begin, end)
    clock = codes[np.maximum(frames - 1, 0), tokens.CLOCK]
    expected = tokens.CLOCK_SUCCESSOR[clock]
    bar = tokens.CLOCK_FRAMES[clock] * tokens.STEPS_PER_BAR
    source = frames[:, None] - bar[:, None] * np.array(TAP_BARS)
    inside = np.maximum(source, 0)
    valid = (source >= 0) & (frames > 0)[:, None] & (codes[inside, tokens.CLOCK] == expected[:, None])
    taps = codes[inside][:, :, list(TAP_LEVELS)].astype(np.int32)
    return np.where(valid[..., None], taps, 0), valid


def previous_of(codes: NDArray[np.integer], begin: int, end: int) -> NDArray[np.int32]:
    """Codes of the frame before each of frames begin..end, 0 before frame 0: int32[n, 12]."""
    frames = np.arange(begin, end)
    return np.where((frames > 0)[:, None], codes[np.maximum(frames - 1, 0)], 0).astype(np.int32)


def delta_of(style: NDArray[np.float32], begin: int, end: int) -> NDArray[np.float32]:
    """Style minus the style of 24 frames ago for frames begin..end of float32[frames, 34], 0 where there is none."""
    frames = np.arange(begin, end)
    before = frames - DELTA_FRAMES
    delta = style[begin:end] - style[np.maximum(before, 0)]
    return np.where((before >= 0)[:, None], delta, 0.0).astype(np.float32)
