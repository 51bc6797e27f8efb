# SPDX-License-Identifier: Apache-2.0
"""Which beat begins a bar: the one that is accented most, in the long run. Pure; numpy only.

It is a weak sign (a snare on two and four is louder than what begins the bar), so it takes a clear lead to move a bar
line, and how clear it is goes into the clock's confidence. Bars that condition the model need no ear.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

MAX_METER: Final = 12
"""Beats in the longest bar that is told apart."""
_BEATS: Final = 16
_REACH: Final = np.arange(-1, 3)
"""Ticks around a beat in which its accent is looked for."""
_LEARN: Final = 0.12
_LEAD: Final = 1.15
"""By how much another beat has to be stronger for the bar line to move there."""
_CERTAIN: Final = 0.3
_NEAR: Final = 0.04
_ON_GRID: Final = 0.3
_DOUBT: Final = 0.2
"""What a bar line that is nothing but a guess takes from the confidence."""


def accents(strengths: Floats, since: Floats, period: Floats, beat: Ints, meter: Ints) -> Floats:
    """float32[n, MAX_METER]: mean strength of the latest beats by their place in the bar, −1 where there is none.

    strengths[n, ticks], newest last. since, period[n]: of the clock, in ticks. beat[n]: place in the bar of its latest
    beat.
    """
    rows, newest = np.arange(len(strengths))[:, None], strengths.shape[1] - 1
    back = np.arange(_BEATS)
    ticks = np.round(newest - since[:, None] - back * period[:, None]).astype(np.int64)
    heard = (ticks >= -_REACH[0]) & (ticks + _REACH[-1] <= newest)
    around = np.clip(ticks[..., None] + _REACH, 0, newest)
    strength = np.where(heard, strengths[rows[..., None], around].max(axis=-1), 0.0)
    at = np.mod(beat[:, None] - back, meter[:, None])
    here = (at[..., None] == np.arange(MAX_METER)) & heard[..., None]
    counts = here.sum(axis=1)
    sums = np.einsum("nb,nbm->nm", strength, here)
    means: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), -1.0).astype(np.float32)
    return means


def learnt(known: Floats, new: Floats) -> Floats:
    """What is known of the accents, float32[n, MAX_METER], 0 where nothing is, with the latest ones taken in."""
    share = np.where(known > 0.0, _LEARN, 1.0)
    after: Floats = np.where(new >= 0.0, known + share * (new - known), known).astype(np.float32)
    return after


def shift(known: Floats, meter: Ints) -> Ints:
    """How many places the bar line should move on, by the accents: int64[n], mostly 0."""
    strongest = np.argmax(known, axis=1)
    clear = known[np.arange(len(known)), strongest] > _LEAD * known[:, 0]
    return np.where(clear & (strongest < meter), strongest, 0)


def shift_on_grid(
    moment: NDArray[np.float64], frames_per_beat: Floats, nominal: Floats, beat: Ints, meter: Ints
) -> Ints:
    """The same by a grid of nominal[n] frames a beat whose first bar begins at frame 0; 0 where the clock is not on it.

    moment[n]: when, in frames, the clock's next beat begins; beat[n]: that beat's place in the bar.
    """
    safe = np.maximum(nominal, 1e-3)
    number = np.round(moment / safe)
    on = (np.abs(np.log(frames_per_beat / safe)) < _NEAR) & (np.abs(moment / safe - number) < _ON_GRID)
    return np.where(on, np.mod(beat - number.astype(np.int64), meter), 0)


def turned(known: Floats, by: Ints, meter: Ints) -> Floats:
    """The accents after the bar line has moved on by so many places."""
    places = np.arange(MAX_METER)
    source = np.where(places < meter[:, None], np.mod(places + by[:, None], meter[:, None]), places)
    after: Floats = np.take_along_axis(known, source, axis=1)
    return after


def certainty(known: Floats, meter: Ints) -> Floats:
    """0..1: how far the bar's first beat stands out of the others."""
    others = np.where(np.arange(MAX_METER) < meter[..., None], known, 0.0)[..., 1:].max(axis=-1)
    lead: Floats = np.clip((known[..., 0] - others) / np.maximum(known[..., 0], 1e-6) / _CERTAIN, 0.0, 1.0)
    return lead


def doubt(certain: Floats) -> Floats:
    """The factor of the clock's confidence that a bar line this certain leaves."""
    return (1.0 - _DOUBT * (1.0 - certain)).astype(np.float32)
