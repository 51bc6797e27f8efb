# SPDX-License-Identifier: Apache-2.0
"""Style trajectories for training: random styles, jumps, crossfades, and the lag with which a careless player
follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.styles.tags import FAMILIES, TAGS

FloatArray = NDArray[np.float32]
_FAMILY_COUNT: Final = len(FAMILIES)


def _unit(vector: NDArray[np.float64]) -> FloatArray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def sample_style(rng: np.random.Generator) -> FloatArray:
    """A random style f32[34] of unit length.

    28 % one family, 30 % a family with 1-3 other tags, 27 % two families, 10 % three (half of the blends with a tag
    too), 5 % instruments and modifiers only.
    """
    vector = np.zeros(len(TAGS))
    kind = rng.random()
    count = 1 if kind < 0.58 else 2 if kind < 0.85 else 3 if kind < 0.95 else 0
    if count:
        chosen = rng.choice(_FAMILY_COUNT, count, replace=False)
        vector[chosen] = rng.dirichlet(np.full(count, 1.5)) if count > 1 else 1.0
    others = 0 if kind < 0.28 else int(rng.integers(1, 4)) if kind < 0.58 or kind >= 0.95 else int(rng.integers(0, 2))
    if others:
        tags = rng.choice(np.arange(_FAMILY_COUNT, len(TAGS)), others, replace=False)
        vector[tags] = rng.uniform(0.2, 0.8, others) * max(float(vector.max()), 0.4)
    return _unit(vector)


def change_modifier(rng: np.random.Generator, style: FloatArray) -> FloatArray:
    """The same style with one other tag added, taken away or changed."""
    vector = style.astype(np.float64)
    tag = int(rng.integers(_FAMILY_COUNT, len(TAGS)))
    vector[tag] = 0.0 if vector[tag] > 0.1 else float(rng.uniform(0.3, 0.8)) * float(vector.max())
    return _unit(vector) if np.linalg.norm(vector) > 1e-3 else style


@dataclass(frozen=True)
class Trajectory:
    """`style` f32[T, 34] is what the model is told, `played` f32[T, 34] what the composer follows (late, at times)."""

    style: FloatArray
    played: FloatArray


def draw_trajectory(rng: np.random.Generator, frames: int, late: bool) -> Trajectory:
    """A trajectory of `frames` frames.

    Half of them jump at least every 10 s; a fifth is constant; the rest mixes jumps and crossfades of 50-300 frames
    every 100-450 frames. With `late`, about a third of the changes are followed up to 3 s late, and 30 % of the
    trajectories have one past that belongs to another style for up to 10 s.
    """
    kind = rng.random()
    style = np.empty((frames, len(TAGS)), np.float32)
    present = sample_style(rng)
    changes: list[tuple[int, int]] = []  # first frame and length of the ramp
    t = 0
    while t < frames:
        hold = frames if kind < 0.2 else int(rng.integers(50, 200)) if kind < 0.7 else int(rng.integers(100, 450))
        style[t : t + hold] = present
        t += hold
        if t >= frames:
            break
        after = change_modifier(rng, present) if rng.random() < (0.12 if kind < 0.7 else 0.25) else sample_style(rng)
        jump = rng.random() < (0.8 if kind < 0.7 else 0.4)
        ramp = 0 if jump else int(rng.integers(6, 75)) if kind < 0.7 else int(rng.integers(50, 300))
        changes.append((t, ramp))
        if ramp:
            share = (np.arange(1, ramp + 1) / (ramp + 1))[: frames - t, None].astype(np.float32)
            mixed = (1.0 - share) * present + share * after
            style[t : t + ramp] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
        present, t = after, t + ramp
    played = style.copy()
    if late:
        _follow_late(rng, style, played, changes)
    return Trajectory(style, played)


def _follow_late(
    rng: np.random.Generator, style: FloatArray, played: FloatArray, changes: list[tuple[int, int]]
) -> None:
    frames = len(style)
    for begin, ramp in changes:
        if rng.random() < 0.35:
            lag = int(rng.integers(4, 75))
            end = min(frames, begin + ramp + lag)
            source = np.maximum(np.arange(begin, end) - lag, begin - 1)
            played[begin:end] = style[source]
    if rng.random() < 0.3:
        # The past comes from another style: what was played before the splice has nothing to do with what was asked.
        begin = int(rng.choice([0, *(b for b, _ in changes)]))
        end = min(frames, begin + int(rng.integers(40, 250)))
        played[begin:end] = sample_style(rng)


def draw_drums_flag(rng: np.random.Generator, frames: int) -> NDArray[np.int8]:
    """Drum flags i8[T] that have nothing to do with the style: muted, unmuted and free spans of 1-12 s."""
    flags = np.empty(frames, np.int8)
    t = 0
    while t < frames:
        span = int(rng.integers(25, 300))
        flags[t : t + span] = rng.choice([-1, 0, 1], p=[0.2, 0.4, 0.4])
        t += span
    return flags
