# SPDX-License-Identifier: Apache-2.0
"""Training batches: composed pieces with the style, drum flag and lead line that condition them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer.composer import Augmentation, Composer
from segue_engine.models.starter.composer.trajectories import draw_drums_flag, draw_trajectory
from segue_engine.styles.tags import TAGS

_LATE_COSINE: Final = 0.97


@dataclass(frozen=True)
class TrainingBatch:
    """n pieces of T frames from their beginning.

    tokens int16[n, T, 12]; style float32[n, T, 34], unit length, before quantisation; drums_flag int8[n, T] with -1
    free, 0 off, 1 on; lead int8[n, T]: 0 no lead note, +m onset of MIDI m, -m MIDI m held; trusted bool[n, T]: False
    on beats where the plan is wrong on purpose (late, stale or corrupted), where plan losses should not be counted.
    """

    tokens: NDArray[np.int16]
    style: NDArray[np.float32]
    drums_flag: NDArray[np.int8]
    lead: NDArray[np.int8]
    trusted: NDArray[np.bool_]


def lead_line(tokens: NDArray[np.int16]) -> NDArray[np.int8]:
    """The lead of tokens [T, 12] as int8[T]: 0 silent, +m onset of MIDI m, -m held."""
    code = tokens[:, tk.LEAD].astype(np.int64)
    key = tokens[:, tk.KEY].astype(np.int64)
    chord = tokens[:, tk.CHORD].astype(np.int64)
    pitch = (np.maximum(code - tk.FIRST_ONSET, 0)) // 3
    midi = tk.voice_midi(tk.LEAD, pitch, key // 64, chord // 32)
    started = np.where(code >= tk.FIRST_ONSET, np.arange(len(code)), 0)
    held = midi[np.maximum.accumulate(started)]
    return np.where(code >= tk.FIRST_ONSET, midi, np.where(code == tk.HOLD, -held, 0)).astype(np.int8)


def piano_roll(lead: NDArray[np.int8]) -> NDArray[np.int8]:
    """Dense roll int8[..., 128] of a lead line: 0 off, 1 held, 2 onset."""
    roll = np.zeros((*lead.shape, 128), np.int8)
    index = np.abs(lead.astype(np.int64))[..., None]
    value = np.where(lead > 0, 2, np.where(lead < 0, 1, 0)).astype(np.int8)[..., None]
    np.put_along_axis(roll, index, value, axis=-1)
    return roll


def compose_batch(seed: int, n: int, frames: int, augment: bool = True) -> TrainingBatch:
    """n pieces of `frames` frames. Piece i depends on (seed, i) alone, so batches can be made anywhere in any
    order.

    With `augment`, the composer follows late and misses group changes at times (see `trajectories`, `Augmentation`). A
    third of the pieces has a drum flag that goes its own way, another fifth is told what the composer did.
    """
    if n < 1 or frames < 1:
        raise ValueError(f"expected n >= 1 and frames >= 1, got n={n}, frames={frames}")
    tokens = np.empty((n, frames, tk.LEVELS), np.int16)
    style = np.empty((n, frames, len(TAGS)), np.float32)
    flags = np.full((n, frames), -1, np.int8)
    lead = np.empty((n, frames), np.int8)
    trusted = np.empty((n, frames), np.bool_)
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        path = draw_trajectory(rng, frames, augment)
        role = rng.random()
        if role < 0.33:
            flags[i] = draw_drums_flag(rng, frames)
        composer = Composer(int(rng.integers(1 << 62)), Augmentation() if augment and rng.random() < 0.6 else None)
        piece = composer.compose(path.played, flags[i])
        tokens[i], style[i], trusted[i] = piece.tokens, path.style, piece.trusted
        if 0.33 <= role < 0.53:
            flags[i] = piece.tokens[:, tk.MIX] & 1
        lead[i] = lead_line(piece.tokens)
        beat = tk.CLOCK_POSITION[piece.tokens[:, tk.CLOCK]] % (4 * tk.CLOCK_FRAMES[piece.tokens[:, tk.CLOCK]]) == 0
        late = np.einsum("td,td->t", path.style, path.played) < _LATE_COSINE
        trusted[i] &= ~(beat & late)
    return TrainingBatch(tokens, style, flags, lead, trusted)
