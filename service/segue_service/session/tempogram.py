# SPDX-License-Identifier: Apache-2.0
"""Tempo and beat phase of the last ten seconds of onset strengths, many rows at once. Pure; numpy only.

Periods come from the autocorrelation, combed at their multiples (Davies and Plumbley 2007, "Context-dependent beat
tracking of musical audio"), under a prior over tempi; phases from the strengths folded at the period, by a few
harmonics of it. What was found before gets a bonus, so that readings keep to one metrical level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TICKS: Final = 512
"""Strengths that a reading is made of: 10.24 s at 50 Hz."""
SLOWEST_BPM, FASTEST_BPM = 60.0, 200.0
_TICKS_PER_MINUTE: Final = 3000.0
_STEPS: Final = 193
PERIODS: Final = np.geomspace(_TICKS_PER_MINUTE / FASTEST_BPM, _TICKS_PER_MINUTE / SLOWEST_BPM, _STEPS)
"""Beat periods that are tried, in ticks: 0.6 % apart."""
USUAL_BPM: Final = 100.0
USUAL_OCTAVES: Final = 0.6
TOLD_OCTAVES: Final = 0.2
"""How far tempi stray from what is usual, and from a tempo that the soundtrack asks for (standard deviation)."""
_MULTIPLES: Final = (1.0, 0.8, 0.3, 0.8)
_HALF_WAY: Final = 0.15
"""Weights in the comb of one to four periods, music in threes being rarer, and of what is half-way between."""
_LAGS: Final = 202
_RECENT_TICKS: Final = 200.0
"""Time constant of what the phase is read from."""
_PADDED: Final = 720
"""At least TICKS + _LAGS, so that nothing recurs by going round, and quick to transform."""
_LOCAL_TICKS: Final = 20
"""What a strength has to stand out of: the mean of the last 0.4 s."""
_HARMONICS: Final = 4
_PHASES: Final = 48
_KEEP_PERIOD: Final = 0.5
_KEEP_PHASE: Final = 0.35
"""Bonus of the tempo, and of the phase, that is believed in."""


@dataclass(frozen=True, slots=True)
class Readings:
    """One per row. period: ticks a beat. since: ticks from the last beat to the end of what was heard, below period.

    salience: how much of the strengths recurs with the period, 0 or below where nothing does, 1 where everything does.
    strength: how much begins at all: the root mean square of what stands out; 0.02 for noise, above that for music.
    """

    period: Floats
    since: Floats
    salience: Floats
    strength: Floats


def prior(bpm: float | None) -> Floats:
    """float32[len(PERIODS)]: how likely each period is, at most 1; bpm: what the soundtrack asks for."""
    octaves = np.log2(_TICKS_PER_MINUTE / PERIODS / (USUAL_BPM if bpm is None else bpm))
    width = USUAL_OCTAVES if bpm is None else TOLD_OCTAVES
    return np.exp(-0.5 * np.square(octaves / width)).astype(np.float32)


def read(strengths: Floats, priors: Floats, period: Floats, since: Floats, trust: Floats) -> Readings:
    """strengths float32[n, TICKS], newest last; priors[n, len(PERIODS)]. period, since, trust[n]: where the beat is
    believed to be, and how firmly (0..1; 0: not at all)."""
    rows = np.arange(len(strengths))
    flat = _flattened(strengths)
    recurrence = _autocorrelation(flat)
    combed = recurrence @ _COMB
    held = np.exp(-0.5 * np.square(np.log(PERIODS / np.maximum(period, 1.0)[:, None]) / 0.03)).astype(np.float32)
    wanted = np.maximum(combed, 0.0) * priors * (1.0 + _KEEP_PERIOD * trust[:, None] * held)
    best = np.argmax(wanted, axis=1)
    fine = _peak(combed, best)
    found = (PERIODS[0] * np.exp(fine * _LOG_STEP)).astype(np.float32)
    folded = _folded(flat * _RECENCY, best)
    profile = (folded.real @ _COSINES - folded.imag @ _SINES) / np.maximum(flat @ _RECENCY, 1e-9)[:, None]
    believed = np.mod(since / found, 1.0)
    away = np.abs(np.mod(_PHASE - believed[:, None] + 0.5, 1.0) - 0.5)
    bonus = (_KEEP_PHASE * trust * held[rows, best])[:, None] * np.exp(-0.5 * np.square(away / 0.06))
    strongest = np.argmax(np.maximum(profile, 0.0) * (1.0 + bonus), axis=1)
    phase = _peak(profile, strongest) / _PHASES
    # The fold is at the nearest period of the table, so its phase is right where most of the weight lies.
    coarse = PERIODS[best]
    beats = np.round(_CENTRE / coarse - phase)
    begins = (phase + beats) * coarse
    return Readings(
        period=found,
        since=np.mod(begins - beats * found, found).astype(np.float32),
        salience=combed[rows, best],
        strength=np.sqrt(np.mean(np.square(flat), axis=1)),
    )


def _flattened(strengths: Floats) -> Floats:
    """What stands out of its surroundings: the strengths less their local mean, not below 0."""
    sums = np.cumsum(np.pad(strengths, ((0, 0), (_LOCAL_TICKS, 0))), axis=1, dtype=np.float64)
    local = ((sums[:, _LOCAL_TICKS:] - sums[:, :-_LOCAL_TICKS]) / _LOCAL_TICKS).astype(np.float32)
    flat: Floats = np.maximum(strengths - local, 0.0)
    return flat


def _autocorrelation(flat: Floats) -> Floats:
    """float32[n, _LAGS]: 1 at lag 0, about 0 where nothing recurs."""
    centred = flat - np.mean(flat, axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, _PADDED, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    raw = np.fft.irfft(power, axis=1)[:, :_LAGS]
    return (raw * _OVERLAP / np.maximum(raw[:, :1], 1e-9)).astype(np.float32)


def _folded(weighted: Floats, best: NDArray[np.intp]) -> NDArray[np.complex64]:
    """complex64[n, _HARMONICS]: the strengths' components at the period's harmonics, by age."""
    waves = _WAVES[best]
    turning, folded = waves, np.empty((len(best), _HARMONICS), np.complex64)
    for harmonic in range(_HARMONICS):
        folded[:, harmonic] = np.einsum("nt,nt->n", weighted, turning)
        if harmonic + 1 < _HARMONICS:
            turning = turning * waves
    return folded


def _peak(values: Floats, at: NDArray[np.intp]) -> NDArray[np.float64]:
    """Where, between its neighbours, a maximum of each row lies (a parabola through three values; columns go round)."""
    rows, count = np.arange(len(at)), values.shape[1]
    left, middle, right = (values[rows, (at + step) % count].astype(np.float64) for step in (-1, 0, 1))
    bend = left - 2.0 * middle + right
    shift = np.where(bend < -1e-9, 0.5 * (left - right) / np.minimum(bend, -1e-9), 0.0)
    peak: NDArray[np.float64] = at + np.clip(shift, -0.5, 0.5)
    return peak


def _comb() -> Floats:
    """[_LAGS, periods]: the autocorrelation's mean at a period's multiples, and a little of it half-way between."""
    comb = np.zeros((_LAGS, _STEPS))
    total = sum(_MULTIPLES)
    for column, period in enumerate(PERIODS):
        for turn, weight in enumerate(_MULTIPLES, start=1):
            for lag, share in ((turn * period, 1.0), ((turn - 0.5) * period, _HALF_WAY)):
                low = int(lag)
                comb[low, column] += share * weight / total * (1.0 - (lag - low))
                comb[low + 1, column] += share * weight / total * (lag - low)
    return comb.astype(np.float32)


_COMB: Final = _comb()
_OVERLAP: Final = (TICKS / (TICKS - np.arange(_LAGS))).astype(np.float32)
_LOG_STEP: Final = float(np.log(PERIODS[1] / PERIODS[0]))
_AGES: Final = np.arange(TICKS - 1, -1, -1)
_RECENCY: Final = np.exp(-_AGES / _RECENT_TICKS).astype(np.float32)
_CENTRE: Final = float(np.sum(_AGES * _RECENCY) / np.sum(_RECENCY))
_WAVES: Final = np.exp(-2j * np.pi * _AGES / PERIODS[:, None]).astype(np.complex64)
_PHASE: Final = np.arange(_PHASES) / _PHASES
_TURNS: Final = 2.0 * np.pi * np.outer(np.arange(1, _HARMONICS + 1), _PHASE)
_COSINES: Final = np.cos(_TURNS).astype(np.float32)
_SINES: Final = np.sin(_TURNS).astype(np.float32)
