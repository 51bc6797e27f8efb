# SPDX-License-Identifier: Apache-2.0
"""The four drum kits: eight one-shots each, in two takes that differ as two strokes of a player do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from segue_engine.models.starter import tokens
from segue_engine.models.starter.synth.shaping import (
    Sound,
    band,
    decay,
    finish,
    noise,
    partials,
    room,
    seconds,
    stereo,
    sweep,
)

Maker = Callable[[np.random.Generator], Sound]
_METAL: Final = (
    np.array([205.3, 304.4, 369.6, 522.7, 540.0, 800.0]) * 1.06
)  # square-wave cluster of a drum machine's cymbal


def _vary(rng: np.random.Generator, amount: float = 0.02) -> float:
    return float(1 + amount * rng.uniform(-1, 1))


def _kick(
    rng: np.random.Generator, start: float, end: float, fall: float, ring: float, click: float, length: float
) -> Sound:
    t = seconds(length)
    v = _vary(rng, 0.012)
    body = sweep(t, start * v, end * v, fall) * decay(t, 0.002, ring)
    punch = sweep(t, start * 2.2, end * 2, fall * 0.5) * decay(t, 0.001, ring * 0.18) * 0.5
    beater = band(noise(rng, len(t), 1)[0], 900, 6500) * decay(t, 0.0006, 0.006) * click
    return stereo(np.tanh(1.5 * (body + punch)) + beater)


def _snare(
    rng: np.random.Generator, tune: float, ring: float, wires: tuple[float, float, float], mix: float, length: float
) -> Sound:
    t = seconds(length)
    v = _vary(rng, 0.015)
    shell = sweep(t, tune * 1.35 * v, tune * v, 0.012) * decay(t, 0.001, ring)
    shell = shell + 0.6 * sweep(t, tune * 2.3 * v, tune * 1.78 * v, 0.01) * decay(t, 0.001, ring * 0.7)
    low, high, fall = wires
    rattle = band(noise(rng, len(t)), low, high, 1) * (decay(t, 0.0015, fall) + 0.5 * decay(t, 0.001, fall * 0.22))
    stick = band(noise(rng, len(t), 1)[0], 2500, 11000) * decay(t, 0.0004, 0.004)
    return stereo(shell * (1 - mix) + 0.7 * stick) + mix * 1.2 * rattle


def _clap(rng: np.random.Generator, centre: float, fall: float, length: float) -> Sound:
    t = seconds(length)
    out = np.zeros((2, len(t)))
    for start in (0.0, 0.011, 0.021, 0.031):
        late = np.maximum(t - start * _vary(rng, 0.1), 0)
        last = start > 0.03
        out += (
            band(noise(rng, len(t)), centre * 0.55, centre * 2.6, 1)
            * (t >= start)
            * decay(late, 0.001, fall if last else 0.006)
        )
    return out


def _rim(rng: np.random.Generator, length: float = 0.24) -> Sound:
    t = seconds(length)
    f = np.array([1720.0, 2470.0, 530.0, 3900.0]) * _vary(rng, 0.01)
    tone = partials(t, f, np.array([1.0, 0.5, 0.7, 0.25]), np.array([0.022, 0.015, 0.035, 0.008]), rng)
    return stereo(
        tone * (1 - np.exp(-t / 0.0003)) + band(noise(rng, len(t), 1)[0], 1500, 9000) * decay(t, 0.0004, 0.005), 0.15
    )


def _hat(rng: np.random.Generator, fall: float, metal: float, length: float, pan: float = 0.2) -> Sound:
    t = seconds(length)
    cluster = sum(np.sign(np.sin(2 * np.pi * f * 8.3 * _vary(rng, 0.004) * t + rng.uniform(0, 6))) for f in _METAL)
    ring = band(np.asarray(cluster), 6800, 17000)
    air = band(noise(rng, len(t)), 7500, 19000, 1)
    env = decay(t, 0.0008, fall) + 0.45 * decay(t, 0.0005, fall * 0.2)
    return np.asarray(
        (stereo(metal * 0.35 * ring, pan) + air * np.array([[np.sqrt(1 - pan)], [np.sqrt(1 + pan)]])) * env
    )


def _tom(rng: np.random.Generator, start: float, end: float, ring: float, skin: float, length: float) -> Sound:
    t = seconds(length)
    v = _vary(rng, 0.03)
    body = sweep(t, start * v, end * v, 0.04) * decay(t, 0.002, ring)
    second = sweep(t, start * 1.59 * v, end * 1.59 * v, 0.03) * decay(t, 0.002, ring * 0.45) * 0.4
    slap = band(noise(rng, len(t), 1)[0], 300, 4500) * decay(t, 0.001, 0.018) * skin
    return stereo(np.tanh(1.2 * (body + second)) + slap, -0.2)


def _crash(rng: np.random.Generator, fall: float, tone: float, length: float = 2.2) -> Sound:
    t = seconds(length)
    out = np.zeros((2, len(t)))
    for low, high, share in ((500, 2500, 0.8), (2500, 6000, 1.0), (6000, 11000, 1.0), (11000, 19000, 0.75)):
        out += band(noise(rng, len(t)), low, high) * decay(t, 0.004, fall * share * 1.2) * 1.1
    for channel in range(2):
        f = rng.uniform(420, 9500, 60)
        out[channel] += (
            tone * 0.16 * partials(t, f, np.ones(60), fall * rng.uniform(0.4, 1.4, 60), rng) * decay(t, 0.003, 9.0)
        )
    return out * (1 + 0.8 * np.exp(-t / 0.03))


def _shaker(rng: np.random.Generator, attack: float, fall: float, length: float = 0.3) -> Sound:
    t = seconds(length)
    grains = band(noise(rng, len(t)), 5200, 15000, 1) * (0.6 + 0.4 * np.abs(noise(rng, len(t), 1)))
    env = (t / attack) * np.exp(1 - t / attack) * (t < attack) + (t >= attack) * np.exp(-(t - attack) / fall)
    return np.asarray(grains * env * np.array([[0.8], [1.1]]))


def _tambourine(rng: np.random.Generator, fall: float, length: float = 0.4) -> Sound:
    t = seconds(length)
    out = np.zeros((2, len(t)))
    for start in (0.0, 0.013, 0.024):
        late = np.maximum(t - start * _vary(rng, 0.2), 0)
        jingles = partials(t, rng.uniform(5200, 14500, 18), np.ones(18), fall * rng.uniform(0.5, 1.3, 18), rng)
        out += stereo(jingles * decay(late, 0.001, fall) * (t >= start), rng.uniform(-0.3, 0.3))
    return out + band(noise(rng, len(t)), 6500, 16000, 1) * decay(t, 0.001, fall * 0.5) * 2.0


def _woodblock(rng: np.random.Generator) -> Sound:
    t = seconds(0.25)
    f = np.array([860.0, 1460.0, 2510.0]) * _vary(rng, 0.01)
    return stereo(
        partials(t, f, np.array([1.0, 0.6, 0.3]), np.array([0.04, 0.025, 0.012]), rng) * (1 - np.exp(-t / 0.0004)), 0.2
    )


def _held(rng: np.random.Generator, n: int, period: int) -> Sound:
    """One-bit noise that changes every `period` samples: the sound of a console's noise channel."""
    return np.repeat(np.sign(rng.standard_normal(-(-n // period))), period)[:n]


def _chip_tone(start: float, end: float, fall: float, ring: float, length: float) -> Sound:
    t = seconds(length)
    level = np.ceil(np.exp(-t / ring) * 15) / 15
    wave = 2 / np.pi * np.arcsin(sweep(t, start, end, fall))  # triangle
    return stereo(np.round(wave * 7) / 7 * level)


def _chip_noise(rng: np.random.Generator, period: int, ring: float, length: float) -> Sound:
    t = seconds(length)
    return band(stereo(_held(rng, len(t), period) * np.ceil(np.exp(-t / ring) * 15) / 15), 250, None, 1)


_ACOUSTIC: Final[tuple[tuple[Maker, float], ...]] = (
    (lambda r: _kick(r, 150, 52, 0.022, 0.16, 0.35, 0.6), -9.5),
    (lambda r: room(_snare(r, 185, 0.10, (1400, 11000, 0.13), 0.45, 0.5), r, 0.35, 0.5), -10.0),
    (lambda r: room(_rim(r), r, 0.2, 0.3), -12.0),
    (lambda r: _hat(r, 0.035, 0.8, 0.2), -16.5),
    (lambda r: _hat(r, 0.22, 0.9, 0.8), -17.5),
    (lambda r: room(_tom(r, 165, 92, 0.24, 0.35, 0.8), r, 0.4, 0.35), -11.0),
    (lambda r: _crash(r, 0.75, 1.0), -14.5),
    (lambda r: _shaker(r, 0.022, 0.035), -19.0),
)
_ELECTRONIC: Final[tuple[tuple[Maker, float], ...]] = (
    (lambda r: _kick(r, 260, 50, 0.026, 0.17, 0.55, 0.6), -11.5),
    (lambda r: room(_snare(r, 200, 0.09, (900, 13000, 0.17), 0.6, 0.6), r, 0.5, 0.9), -12.0),
    (lambda r: room(_clap(r, 1250, 0.09, 0.6), r, 0.4, 0.6), -14.5),
    (lambda r: _hat(r, 0.028, 1.6, 0.2, 0.1), -19.0),
    (lambda r: _hat(r, 0.16, 1.6, 0.6, 0.1), -19.5),
    (lambda r: _tom(r, 230, 88, 0.22, 0.15, 0.8), -13.5),
    (lambda r: room(_crash(r, 0.65, 0.5), r, 0.8, 0.5), -16.5),
    (lambda r: _shaker(r, 0.012, 0.03), -21.5),
)
_ORCHESTRAL: Final[tuple[tuple[Maker, float], ...]] = (
    (lambda r: room(_kick(r, 105, 44, 0.045, 0.26, 0.3, 1.2), r, 0.9, 0.7), -15.0),
    (lambda r: room(_snare(r, 225, 0.07, (1800, 12500, 0.16), 0.55, 0.8), r, 0.8, 0.9), -14.0),
    (lambda r: room(_woodblock(r), r, 0.24, 0.4), -14.5),
    (lambda r: _tambourine(r, 0.05), -19.0),
    (lambda r: _hat(r, 0.40, 0.6, 1.2, -0.15), -20.5),
    (lambda r: room(_tom(r, 150, 78, 0.26, 0.9, 1.1), r, 0.8, 0.8), -14.0),
    (lambda r: room(_crash(r, 0.95, 1.3, 2.4), r, 1.0, 0.5), -16.5),
    (lambda r: _shaker(r, 0.028, 0.04), -19.5),
)
_CHIP: Final[tuple[tuple[Maker, float], ...]] = (
    (lambda r: _chip_tone(420, 46, 0.024, 0.10, 0.4), -13.0),
    (lambda r: _chip_noise(r, 3, 0.07, 0.36), -17.0),
    (lambda r: _chip_noise(r, 5, 0.03, 0.2), -17.0),
    (lambda r: _chip_noise(r, 1, 0.018, 0.12), -19.5),
    (lambda r: _chip_noise(r, 1, 0.09, 0.36), -20.0),
    (lambda r: _chip_tone(300, 95, 0.06, 0.14, 0.4), -15.0),
    (lambda r: _chip_noise(r, 2, 0.38, 1.6), -19.0),
    (lambda r: _chip_noise(r, 1, 0.010, 0.08), -21.0),
)
_KITS: Final = {"acoustic": _ACOUSTIC, "electronic": _ELECTRONIC, "orchestral": _ORCHESTRAL, "chip": _CHIP}


def render_kit(name: str, takes: int) -> list[list[Sound]]:
    """The kit's drums in the order of `tokens.DRUM_VOICES`, `takes` renderings of each."""
    seed = tokens.KITS.index(name)
    return [
        [finish(make(np.random.default_rng([17, seed, drum, take])), peak) for take in range(takes)]
        for drum, (make, peak) in enumerate(_KITS[name])
    ]
