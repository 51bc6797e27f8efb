# SPDX-License-Identifier: Apache-2.0
"""The codes of a recording that a session is to go on from, encoded in pieces so that nobody waits for the whole.

As the published runtimes do it: a window of 28 s, padded with zeros, of which the first and the last second are dropped
(the encoder has no past there, or no future), and with them every frame that is not wholly of the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, FRAME_SAMPLES
from segue_engine.spectrostream.config import HOP
from segue_engine.spectrostream.encoder import SpectroStreamEncoder

Codes = NDArray[np.int32]

WINDOW_FRAMES: Final = 700
EDGE_FRAMES: Final = 25
PIECE_FRAMES: Final = 5


def kept_frames(samples: int) -> range:
    """Which frames of the window are kept of a recording of that many samples at 48 kHz. Empty up to a second."""
    return range(EDGE_FRAMES, max(EDGE_FRAMES, min(WINDOW_FRAMES - EDGE_FRAMES, samples // FRAME_SAMPLES)))


def prefill_pieces(
    encoder: SpectroStreamEncoder, wave: NDArray[np.floating[Any]], levels: int, frames: int = PIECE_FRAMES
) -> Iterator[Codes]:
    """wave [n, 2] at 48 kHz → int32[<= frames, levels], one bounded piece of work for each; joined, they are the codes.

    Of a recording longer than 28 s, the last 28 s are taken. A piece may be empty: its frames were at an edge. To be
    drawn by whoever may use the device; the first piece ever compiles the program. Raises ValueError, before any work,
    where nothing would be kept.
    """
    if wave.ndim != 2 or wave.shape[1] != CHANNELS:
        raise ValueError(f"wave: expected [n, {CHANNELS}], got shape {list(wave.shape)}")
    if frames < 1:
        raise ValueError(f"frames: expected at least 1, got {frames}")
    wave = wave[-WINDOW_FRAMES * FRAME_SAMPLES :]
    kept = kept_frames(len(wave))
    if not kept:
        least = (EDGE_FRAMES + 1) * FRAME_SAMPLES
        raise ValueError(f"wave: expected at least {least} samples (1.04 s at 48 kHz), got {len(wave)}")
    return _pieces(encoder, wave, levels, frames, kept)


def prefill_codes(
    encoder: SpectroStreamEncoder, wave: NDArray[np.floating[Any]], levels: int, frames: int = PIECE_FRAMES
) -> Codes:
    """All of `prefill_pieces` at once: int32[kept frames, levels]."""
    return np.concatenate(list(prefill_pieces(encoder, wave, levels, frames)))


def _pieces(
    encoder: SpectroStreamEncoder, wave: NDArray[np.floating[Any]], levels: int, frames: int, kept: range
) -> Iterator[Codes]:
    # Frames after the last kept one can't change it: there is no lookahead but the hop that a piece is given.
    count = -(-kept.stop // frames)
    padded = np.zeros((count * frames * FRAME_SAMPLES + HOP, CHANNELS), np.float32)
    given = min(len(wave), len(padded))
    padded[:given] = wave[:given]
    encode, params, state = encoder.compiled_piece, encoder.params, encoder.init_state(1)
    for piece in range(count):
        first = piece * frames
        start = first * FRAME_SAMPLES
        state, codes = encode(params, state, padded[None, start : start + frames * FRAME_SAMPLES + HOP], levels)
        yield np.asarray(codes[0])[max(kept.start - first, 0) : max(kept.stop - first, 0)]
