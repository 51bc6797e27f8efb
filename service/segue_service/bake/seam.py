# SPDX-License-Identifier: Apache-2.0
"""A recording made into a loop: crossfaded, brought to its loudness, and looked at across its seam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import SAMPLE_RATE
from segue_engine.mastering.measure import integrated_lufs, roughness, true_peak_dbtp

CROSSFADE: Final = 0.2
"""Seconds before the seam in which the end gives way to what comes before the beginning."""
CLICK: Final = 25.0
"""Roughness from which something is a click (see `mastering.measure`)."""
TOLERANCE: Final = 1.0
"""LU that a loop may be off its target."""
PEAK_MARGIN: Final = 0.5
"""dB below the true peak that is allowed, because a lossy file overshoots."""

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SeamReport:
    """click: roughness at the seam; inside: the greatest within a second of it. lufs: of the loop, played twice."""

    click: float
    inside: float
    lufs: float
    true_peak_dbtp: float

    def fault(self, target: float) -> str:
        """Why the loop can't be used, "" if it can."""
        if self.click > max(CLICK, self.inside):
            return f"it clicks at its seam ({self.click:.0f} times as rough as around it)"
        if abs(self.lufs - target) > TOLERANCE:
            return f"its loudness is {self.lufs:.1f} LUFS, {self.lufs - target:+.1f} off {target:g}"
        return ""


def crossfaded(audio: FloatArray, begin: int, end: int, seconds: float = CROSSFADE) -> FloatArray:
    """audio[begin:end], whose last part fades into what comes before `begin`, so that its end meets its beginning.

    Equal in power, whatever the two have in common: gains are divided by the level of the sum of signals of their
    correlation (uncorrelated: sin and cos; equal ones: they add up to one).
    """
    body = np.array(audio[begin:end], np.float32)
    length = min(round(seconds * SAMPLE_RATE), begin, len(body))
    if length < 2:
        return body
    out, into = audio[end - length : end].astype(np.float64), audio[begin - length : begin].astype(np.float64)
    power = float((out**2).sum()), float((into**2).sum())
    common = float((out * into).sum()) / max(np.sqrt(power[0] * power[1]), 1e-12)
    angle = np.linspace(0.0, np.pi / 2, length)[:, None]
    fall, rise = np.cos(angle), np.sin(angle)
    level = np.sqrt(1.0 + 2.0 * fall * rise * np.clip(common, 0.0, 1.0))
    body[-length:] = ((out * fall + into * rise) / level).astype(np.float32)
    return body


def levelled(body: FloatArray, target: float, true_peak: float, *, loops: bool = True) -> FloatArray:
    """The recording at `target` LUFS, or as near to it as its true peak allows; silence stays silence."""
    lufs = loudness(body, loops=loops)
    if not np.isfinite(lufs):
        return body
    room = true_peak - PEAK_MARGIN - true_peak_dbtp(_played(body, loops))
    return np.asarray(body * np.float32(10.0 ** (min(target - lufs, room) / 20.0)), np.float32)


def loudness(body: FloatArray, *, loops: bool = True) -> float:
    """LUFS of a loop as it is heard, over its seam; −inf for silence and for less than 400 ms."""
    heard = _played(body, loops)
    return integrated_lufs(heard) if len(heard) >= 0.4 * SAMPLE_RATE else float("-inf")


def look(body: FloatArray) -> SeamReport:
    """What can be measured of a loop f32[n, 2] of at least 0.4 s."""
    side = min(SAMPLE_RATE, len(body))
    rough = roughness(np.concatenate([body[-side:], body[:side]]))
    seam = np.zeros(len(rough), bool)
    seam[side - 4 : side + 2] = True
    return SeamReport(
        float(rough[seam].max()), float(rough[~seam].max()), loudness(body), true_peak_dbtp(_played(body, loops=True))
    )


def _played(body: FloatArray, loops: bool) -> FloatArray:
    return np.concatenate([body, body]) if loops else body
