# SPDX-License-Identifier: Apache-2.0
"""How a session's new context takes over from its old one, inside of one frame. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES

_FADE_SAMPLES: Final = 960


def mixed(old: NDArray[np.int16], new: NDArray[np.int16], delay: int) -> NDArray[np.int16]:
    """The frame `new`, int16[1920, 2], the first of a slot, with 20 ms of `old` faded out of it (equal power).

    delay: samples for which a fresh mastering chain is silent, over which the old one goes on alone.
    """
    quiet = min(delay, FRAME_SAMPLES - _FADE_SAMPLES)
    ramp = np.zeros(FRAME_SAMPLES, np.float32)
    ramp[quiet : quiet + _FADE_SAMPLES] = np.arange(1, _FADE_SAMPLES + 1, dtype=np.float32) / _FADE_SAMPLES
    ramp[quiet + _FADE_SAMPLES :] = 1.0
    angle = (ramp * np.float32(np.pi / 2))[:, None]
    both = old * np.cos(angle) + new * np.sin(angle)
    faded: NDArray[np.int16] = np.clip(np.rint(both), -32768, 32767).astype(np.int16)
    return faded
