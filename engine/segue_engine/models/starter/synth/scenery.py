# SPDX-License-Identifier: Apache-2.0
"""Ambience beds that loop without a seam, and the one-shot effects that the counter line can call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import fft

from segue_engine.models.starter import tokens
from segue_engine.models.starter.synth.shaping import (
    RATE,
    Sound,
    band,
    decay,
    finish,
    noise,
    partials,
    resonate,
    room,
    seconds,
    stereo,
    sweep,
)


def _coloured(rng: np.random.Generator, n: int, gain: Callable[[Sound], Sound], channels: int = 2) -> Sound:
    """Periodic noise of n samples whose spectrum has the magnitude `gain(Hz)`, unit RMS."""
    f = np.fft.rfftfreq(n, 1 / RATE)
    bins = rng.standard_normal((channels, 2, len(f)), np.float32)
    spectrum = (bins[:, 0] + 1j * bins[:, 1]) * gain(np.maximum(f, 1.0)).astype(np.float32)
    x = fft.irfft(spectrum, n)
    return np.asarray(x / x.std(axis=-1, keepdims=True), np.float64)


def _swell(rng: np.random.Generator, n: int, cycles: int, depth: float, channels: int = 1) -> Sound:
    """Slow periodic modulation around 1 with energy up to `cycles` per loop."""
    coarse = np.arange(n // 240 + 1) * 240 / n
    wave = np.zeros((channels, len(coarse)))
    for k in range(1, cycles + 1):
        wave += np.cos(2 * np.pi * (k * coarse + rng.random((channels, 1)))) / np.sqrt(k)
    slow = np.exp(depth * wave / wave.std(axis=-1, keepdims=True))
    return np.stack([np.interp(np.arange(n), coarse * n, channel) for channel in slow])


def _bump(f: Sound, centre: float, octaves: float) -> Sound:
    return np.asarray(np.exp(-0.5 * (np.log2(f / centre) / octaves) ** 2))


def _scatter(rng: np.random.Generator, n: int, grains: list[Sound]) -> Sound:
    """Adds mono grains at random times and places, wrapping round the end of the loop."""
    out = np.zeros((2, n))
    for grain in grains:
        at = (rng.integers(n) + np.arange(len(grain))) % n
        out[:, at] += stereo(grain, rng.uniform(-0.8, 0.8))
    return out


def _wind(rng: np.random.Generator, n: int) -> Sound:
    out = 0.5 * _coloured(rng, n, lambda f: f**-0.8 * (f > 90))
    for centre, width in ((320, 0.35), (610, 0.25), (1150, 0.2)):
        out += _coloured(rng, n, lambda f, c=centre, w=width: _bump(f, c, w)) * _swell(rng, n, 7, 0.75, 2)  # type: ignore[misc]
    return out + 0.10 * _coloured(rng, n, lambda f: _bump(f, 6500, 0.8)) * _swell(rng, n, 9, 0.7, 2)


def _rain(rng: np.random.Generator, n: int) -> Sound:
    out = 0.5 * _coloured(rng, n, lambda f: _bump(f, 5200, 1.3)) + 0.3 * _coloured(
        rng, n, lambda f: f**-0.7 * (f > 120)
    )
    t = seconds(0.03)
    grains = []
    for _ in range(1400):
        f, level = rng.uniform(1800, 9500), rng.exponential(0.9)
        grains.append(
            level * sweep(t, f, f * rng.uniform(0.8, 1.2), 0.004) * decay(t, 0.0005, rng.uniform(0.001, 0.005))
        )
    return out + _scatter(rng, n, grains)


def _bubbles(rng: np.random.Generator, n: int) -> Sound:
    out = 0.55 * _coloured(rng, n, lambda f: f**-1.0 * (f > 40) * (f < 900)) * _swell(rng, n, 5, 0.3, 2)
    t = seconds(0.16)
    grains = []
    for _ in range(70):
        f = rng.uniform(260, 1500)
        rise = sweep(t, f, f * rng.uniform(1.4, 2.4), 0.07)
        grains.append(rng.exponential(1.3) * rise * decay(t, 0.006, rng.uniform(0.012, 0.04)))
    return out + _scatter(rng, n, grains) + 0.05 * _coloured(rng, n, lambda f: _bump(f, 7000, 0.8))


def _vinyl(rng: np.random.Generator, n: int) -> Sound:
    out = 0.22 * _coloured(rng, n, lambda f: f**-0.45 * (f > 60)) + 0.2 * _coloured(
        rng, n, lambda f: _bump(f, 60, 0.4), 1
    )
    t = seconds(0.006)
    crackle = [
        rng.exponential(1.4) * noise(rng, len(t), 1)[0] * np.exp(-t / rng.uniform(0.0002, 0.0012)) for _ in range(420)
    ]
    return out + _scatter(rng, n, crackle)


def _rumble(rng: np.random.Generator, n: int) -> Sound:
    deep = _coloured(rng, n, lambda f: _bump(f, 55, 0.6)) * _swell(rng, n, 6, 0.45)
    far = _coloured(rng, n, lambda f: _bump(f, 210, 0.7)) * _swell(rng, n, 8, 0.6, 2)
    hiss = _coloured(rng, n, lambda f: _bump(f, 3800, 0.8)) * _swell(rng, n, 8, 0.8, 2)
    return deep + 0.45 * far + 0.05 * hiss


def _forest(rng: np.random.Generator, n: int) -> Sound:
    out = 0.55 * _coloured(rng, n, lambda f: _bump(f, 3200, 1.2)) * _swell(rng, n, 8, 0.5, 2)
    out += 0.3 * _coloured(rng, n, lambda f: f**-0.9 * (f > 100))
    chirps = []
    for _ in range(9):  # birds
        base, count = rng.uniform(2400, 5200), int(rng.integers(2, 6))
        t = seconds(0.11)
        note = sweep(t, base * rng.uniform(0.8, 1.3), base, 0.03) * np.sin(np.pi * np.clip(t / 0.11, 0, 1)) ** 2
        gap = np.zeros(round(rng.uniform(0.03, 0.08) * RATE))
        chirps.append(
            np.concatenate([np.concatenate([note * rng.uniform(0.6, 1), gap]) for _ in range(count)])
            * rng.uniform(0.4, 1.2)
        )
    t = np.arange(n) / RATE
    crickets = (
        np.sin(2 * np.pi * 4625 * t)
        * np.clip(np.sin(2 * np.pi * 27.5 * t), 0, 1) ** 2
        * np.clip(np.sin(2 * np.pi * 1.25 * t), 0, 1)
    )
    return out + _scatter(rng, n, chirps) + stereo(0.35 * crickets, 0.5)


def _hum(rng: np.random.Generator, n: int) -> Sound:
    t = np.arange(n) / RATE
    tone = np.zeros((2, n))
    for frequency, level in ((55.0, 1.0), (110.0, 0.6), (165.0, 0.25), (220.0, 0.2), (440.0, 0.05)):
        for side in range(2):  # beats between sides, whole cycles per loop
            tone[side] += level * np.sin(2 * np.pi * (frequency + (0.125 if side else -0.125)) * t + rng.uniform(0, 6))
    air = _coloured(rng, n, lambda f: _bump(f, 900, 0.9)) * _swell(rng, n, 5, 0.5, 2)
    return tone + 0.25 * air + 0.08 * _coloured(rng, n, lambda f: _bump(f, 7500, 0.6)) * _swell(rng, n, 5, 0.6, 2)


_BEDS: Final[dict[str, tuple[Callable[[np.random.Generator, int], Sound], float]]] = {
    "wind": (_wind, -37.0),
    "rain": (_rain, -37.0),
    "bubbles": (_bubbles, -37.0),
    "vinyl": (_vinyl, -42.0),
    "rumble": (_rumble, -33.0),
    "forest": (_forest, -40.0),
    "hum": (_hum, -35.0),
}


def render_bed(name: str, n: int) -> Sound:
    """A bed of n samples that loops seamlessly, [2, n]; `none` is silence."""
    if name == "none":
        return np.zeros((2, n))
    make, rms_db = _BEDS[name]
    x = make(np.random.default_rng([23, tokens.BEDS.index(name)]), n)
    return np.asarray(x * (10 ** (rms_db / 20) / x.std()))


def render_breath(n: int) -> Sound:
    """Bright noise of n samples, looping, for the noise layer of notes, [2, n], RMS 0.35."""
    rng = np.random.default_rng(29)
    shape = _coloured(rng, n, lambda f: (f / 1500) ** 0.5 * (f > 700) / (1 + (f / 9000) ** 2) / (1 + (1500 / f) ** 2))
    return np.asarray(shape * 0.35)


def _riser(rng: np.random.Generator) -> Sound:
    t = seconds(2.8)
    grow = (t / t[-1]) ** 2.2
    hiss = sum(band(noise(rng, len(t)), c * 0.7, c * 1.4) * np.exp(-(((t / t[-1] - at) / 0.25) ** 2))
               for c, at in ((700, 0.3), (1800, 0.6), (4200, 0.85), (9000, 1.05)))  # fmt: skip
    tone = np.zeros((2, len(t)))
    for k, ratio in enumerate((1.0, 1.059, 1.414, 2.0, 2.12)):
        climb = 110 * ratio * t[-1] / np.log(9) * (9 ** (t / t[-1]) - 1)
        rise = np.sin(2 * np.pi * climb + rng.uniform(0, 6))
        tone += stereo(rise, (-1) ** k * 0.5)
    return np.asarray((hiss * 1.6 + tone * 0.45) * grow)


def _cluster(rng: np.random.Generator) -> Sound:
    t = seconds(2.6)
    out = np.zeros((2, len(t)))
    for k, semitone in enumerate((0, 1, 2, 6, 7, 11, 13, 18)):
        f = 196.0 * 2 ** (semitone / 12)
        wobble = 0.004 * np.sin(2 * np.pi * rng.uniform(5, 7) * t + rng.uniform(0, 6)) / (2 * np.pi * 6)
        for h in range(1, 14):
            level = np.exp(-h * f / 2600) / h
            out += stereo(level * np.sin(2 * np.pi * h * f * (t + wobble) + rng.uniform(0, 6)), np.sin(k * 2.1) * 0.7)
    scratch = band(noise(rng, len(t)), 2500, 9000) * 0.5
    return (out + scratch) * (0.5 * decay(t, 0.02, 0.22) + 0.6 * (1 - np.exp(-t / 0.25)) * np.exp(-((t / 1.3) ** 2)))


def _sub_hit(rng: np.random.Generator) -> Sound:
    t = seconds(2.6)
    boom = sweep(t, 95, 33, 0.12) * decay(t, 0.004, 0.75)
    crack = band(noise(rng, len(t)), 80, 1400, 1) * decay(t, 0.002, 0.10)
    return room(stereo(np.tanh(1.8 * boom)) + 0.8 * crack, rng, 2.0, 0.8)


def _reverse_cymbal(rng: np.random.Generator) -> Sound:
    t = seconds(2.0)
    out = sum(band(noise(rng, len(t)), low, high) * np.exp(-t / fall)
              for low, high, fall in ((1200, 4000, 0.42), (4000, 9000, 0.5), (9000, 18000, 0.36)))  # fmt: skip
    ring = stereo(partials(t, rng.uniform(600, 8000, 40), np.full(40, 0.08), np.full(40, 0.5), rng))
    return np.asarray((out + ring)[:, ::-1])


def _whoosh(rng: np.random.Generator) -> Sound:
    t = seconds(1.6)
    out = np.zeros((2, len(t)))
    for centre, at in ((350, 0.30), (800, 0.42), (1800, 0.52), (3800, 0.60), (7500, 0.64)):
        for side in range(2):
            out[side] += band(noise(rng, len(t), 1)[0], centre * 0.7, centre * 1.45) * np.exp(
                -(((t - at * 1.3 - 0.12 * side) / 0.2) ** 2)
            )
    return out


def _scrape(rng: np.random.Generator) -> Sound:
    t = seconds(2.2)
    stick = noise(rng, len(t)) * (0.4 + np.abs(np.sin(2 * np.pi * (9 * t + 6 * t**2)))) ** 3
    out = sum(
        resonate(stick, f, 60) * g
        for f, g in ((730, 1), (1187, 0.9), (1873, 0.9), (2741, 0.7), (4310, 0.6), (6900, 0.4))
    )
    return room(np.asarray(out * np.sin(np.pi * t / t[-1]) ** 1.5), rng, 1.5, 1.2)


def _thump(rng: np.random.Generator) -> Sound:
    t = seconds(1.0)
    out = np.zeros(len(t))
    for start, level in ((0.0, 1.0), (0.26, 0.7)):
        late = np.maximum(t - start, 0)
        out += level * sweep(late, 72, 42, 0.05) * decay(late, 0.008, 0.11) * (t >= start)
    return stereo(np.tanh(1.4 * out)) + 0.15 * band(noise(rng, len(t)), 60, 500, 1) * decay(t, 0.01, 0.06)


def _toll(rng: np.random.Generator) -> Sound:
    t = seconds(3.0)
    ratios = np.array(
        [0.5, 1.0, 1.183, 1.506, 2.0, 2.514, 2.662, 3.011, 4.166, 5.433, 6.8]
    )  # hum, prime, tierce, quint, nominal
    levels = np.array([0.7, 1.0, 0.8, 0.4, 0.9, 0.35, 0.3, 0.3, 0.22, 0.14, 0.08])
    falls = 1.5 / ratios**0.65
    bell = stereo(partials(t, 147.0 * ratios, levels, falls, rng), -0.15) + stereo(
        partials(t, 147.35 * ratios, levels, falls, rng), 0.15
    )
    strike = band(noise(rng, len(t)), 1200, 7000) * decay(t, 0.001, 0.02) * 0.6
    return room(bell * (1 - np.exp(-t / 0.001)) + strike, rng, 2.0, 0.4)


_EFFECTS: Final[dict[str, tuple[Callable[[np.random.Generator], Sound], float]]] = {
    "riser": (_riser, -12.5),
    "cluster": (_cluster, -14.0),
    "sub hit": (_sub_hit, -9.5),
    "reverse cymbal": (_reverse_cymbal, -15.5),
    "whoosh": (_whoosh, -14.5),
    "scrape": (_scrape, -15.5),
    "thump": (_thump, -10.5),
    "toll": (_toll, -12.5),
}


def render_effect(name: str) -> Sound:
    """A one-shot of up to three seconds, [2, n]."""
    make, peak_db = _EFFECTS[name]
    return finish(
        make(np.random.default_rng([31, tokens.EFFECTS.index(name)])),
        peak_db,
        0.04 if name in ("riser", "reverse cymbal") else 0.3,
    )
