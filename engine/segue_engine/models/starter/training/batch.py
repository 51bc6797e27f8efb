# SPDX-License-Identifier: Apache-2.0
"""Crops of composed pieces as training batches: what is masked, disturbed or dropped, and which frames count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm.config import STYLE_WIDTH
from segue_engine.models.starter.lm.history import delta_of, previous_of, taps_of
from segue_engine.models.starter.lm.inputs import FrameInputs

_NOTES: Final = 128
_EVENTS: Final = np.arange(tokens.PLAN_LEVELS, tokens.LEVELS)


class Piece(NamedTuple):
    """A composed piece: codes int[frames, 12], style float32[frames, 34], drums int[frames] (-1, 0, 1),
    lead int8[frames] (0 none, +m onset of MIDI m, -m held) and trusted bool[frames]: whether its plan is to be learned.
    """

    codes: NDArray[np.integer]
    style: NDArray[np.float32]
    drums: NDArray[np.integer]
    lead: NDArray[np.integer]
    trusted: NDArray[np.bool_]


class Batch(NamedTuple):
    """Inputs [B, T, ..], the codes to predict int32[B, T, 12], the frames that count int32[B, M], and of which of those
    the plan levels count too, bool[B, M].
    """

    inputs: FrameInputs
    codes: NDArray[np.int32]
    selected: NDArray[np.int32]
    trusted: NDArray[np.bool_]


@dataclass(frozen=True)
class BatchConfig:
    """Shape of a batch and how often inputs are masked or disturbed (shares of sequences unless said otherwise)."""

    sequences: int = 4
    frames: int = 384
    selected_share: float = 0.36
    from_start: float = 0.12
    style_dropped: float = 0.05
    style_span_frames: float = 0.10
    """Share of frames in spans without style, so that guidance's second branch is in distribution."""
    style_noise: float = 0.5
    style_noise_size: float = 0.0035
    events_replaced: float = 0.02
    """Share of input event codes replaced by random ones."""
    roll_masked: float = 0.75
    taps_dropped: float = 0.05

    @property
    def selected(self) -> int:
        return round(self.selected_share * self.frames)


def crop(piece: Piece, config: BatchConfig, rng: np.random.Generator) -> Batch:
    """One training sequence: a batch without its first axis."""
    total, length = len(piece.codes), config.frames
    begin = 0 if rng.random() < config.from_start else int(rng.integers(0, total - length + 1))
    end = begin + length
    codes = piece.codes[begin:end].astype(np.int32)
    previous = previous_of(piece.codes, begin, end)
    taps, tapped = taps_of(piece.codes, begin, end)
    if rng.random() < config.taps_dropped:
        tapped = np.zeros_like(tapped)
    expected = tokens.CLOCK_SUCCESSOR[previous[:, tokens.CLOCK]]  # before the noise
    replaced = rng.random((length, len(_EVENTS))) < config.events_replaced
    noise = rng.integers(0, np.array(tokens.SIZES)[_EVENTS], (length, len(_EVENTS)))
    previous[:, _EVENTS] = np.where(replaced, noise, previous[:, _EVENTS])
    style, delta, known = _style(piece, begin, end, config, rng)
    inputs = FrameInputs(
        *(previous, np.arange(begin, end) == 0, taps, tapped, style, known, delta),  # type: ignore[arg-type]
        drums=piece.drums[begin:end].astype(np.int32),  # type: ignore[arg-type]
        notes=_notes(piece.lead[begin:end], config, rng),  # type: ignore[arg-type]
    )
    priority = rng.random(length) + (tokens.CLOCK_SUBFRAME[expected] == 0)
    selected = np.sort(np.argsort(-priority)[: config.selected]).astype(np.int32)
    return Batch(inputs, codes, selected, piece.trusted[begin:end][selected])


def _style(
    piece: Piece, begin: int, end: int, config: BatchConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    length = end - begin
    if rng.random() < config.style_dropped:
        empty = np.zeros((length, STYLE_WIDTH), np.float32)
        return empty, empty, np.zeros(length, bool)
    known = np.ones(length, bool)
    missing = config.style_span_frames * length
    while missing > 0:
        span = int(rng.choice((1, 1, 2, 3, 5, 8, 13, 25)))
        at = int(rng.integers(0, length))
        known[at : at + span] = False
        missing -= span
    style, delta = piece.style[begin:end], delta_of(piece.style, begin, end)
    if rng.random() < config.style_noise:
        size = config.style_noise_size
        style = style + size * rng.standard_normal(style.shape).astype(np.float32)
        delta = delta + 1.4 * size * rng.standard_normal(delta.shape).astype(np.float32)
    return (
        np.where(known[:, None], style, 0).astype(np.float32),
        np.where(known[:, None], delta, 0).astype(np.float32),
        known,
    )


def _notes(lead: NDArray[np.integer], config: BatchConfig, rng: np.random.Generator) -> NDArray[np.int8]:
    notes = np.full((len(lead), _NOTES), -1, np.int8)
    if rng.random() < config.roll_masked:
        return notes
    notes[:] = 0
    sounding = np.flatnonzero(lead)
    value = np.where(lead[sounding] > 0, 2, 1)
    if rng.random() < 0.15:
        value[:] = 3
    notes[sounding, np.abs(lead[sounding].astype(np.int32))] = value
    return notes


def make_batch(pieces: list[Piece], config: BatchConfig, rng: np.random.Generator) -> Batch:
    """One crop of each piece, stacked."""
    crops = [crop(piece, config, rng) for piece in pieces]
    stacked: Batch = jax.tree.map(lambda *leaves: np.stack(leaves), *crops)
    return stacked
