# SPDX-License-Identifier: Apache-2.0
"""The mastering chain of a batch: liveness guard (→ onsets) → loudness rider → style gain → true-peak limiter.

Everything is pure and traced inside the engine's compiled step. State is carried per row and rewinds with the codec's.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from segue_engine.contract import (
    CHANNELS,
    FRAME_RATE,
    FRAME_SAMPLES,
    LOUDNESS_LUFS,
    TRUE_PEAK_DBTP,
)
from segue_engine.mastering.config import MasteringConfig
from segue_engine.mastering.limiter import DELAY, Limiter, LimiterState
from segue_engine.mastering.liveness import OVER_RANGE, Liveness, LivenessState
from segue_engine.mastering.loudness import Loudness, LoudnessState
from segue_engine.mastering.onsets import HOPS, Onsets, OnsetState

METRICS: Final = (
    "silent_s",
    "over_range_frames",
    "fault_frames",
    "fault",
    "offset",
    "input_peak",
    "momentary_lufs",
    "integrated_lufs",
    "rider_db",
    "reduction_db",
)
"""Columns of `Mastering.metrics`.

silent_s: near-silence up to now, seconds. over_range_frames, fault_frames: since the row was fresh. fault: 1 where the
latest frame was non-finite. offset: largest constant offset of a channel. input_peak: of the latest frame before
mastering. momentary_lufs, integrated_lufs: before the rider and the style's gain. rider_db: the rider's gain.
reduction_db: the limiter's deepest reduction in the latest frame.
"""

_RAMP: Final = (np.arange(1, FRAME_SAMPLES + 1) / FRAME_SAMPLES).astype(np.float32)


class MasteringState(NamedTuple):
    """What a row carries from frame to frame; every leaf has the row axis first."""

    liveness: LivenessState
    loudness: LoudnessState
    limiter: LimiterState
    gain: jax.Array
    """float32[B]: amplitude factor of rider and style at the end of the last frame; negative in a fresh row."""
    reduction: jax.Array
    """float32[B]: the limiter's deepest reduction in the latest frame, dB."""
    onsets: OnsetState | None
    """None where they are not asked for."""


class Mastering:
    """Batched mastering of 40 ms frames. Immutable; any thread.

    `delay_samples`: the output is the input that much later. `loudness_lufs`: the rider's target. `true_peak_dbtp`: the
    ceiling of a conditioning that names none. onsets: whether to measure what begins (see `contract.Blocks.vitals`).
    Further keywords are those of `MasteringConfig`. Raises ValueError naming the field that is out of range.
    """

    def __init__(self, loudness_lufs: float = LOUDNESS_LUFS, *, onsets: bool = False, **settings: float) -> None:
        self.config = MasteringConfig(loudness_lufs=loudness_lufs, **settings)
        self.delay_samples = DELAY
        self.loudness_lufs = self.config.loudness_lufs
        self.true_peak_dbtp = TRUE_PEAK_DBTP
        self._liveness = Liveness(self.config.silence_dbfs)
        self._loudness = Loudness(self.config)
        self._limiter = Limiter(self.config.release_ms)
        self._onsets = Onsets() if onsets else None

    @property
    def bytes_per_row(self) -> int:
        """Size of one row's state."""
        shapes = jax.eval_shape(lambda: self.init(1))
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))

    def init(self, rows: int) -> MasteringState:
        """State of `rows` fresh rows, all alike."""
        return MasteringState(
            liveness=self._liveness.init(rows),
            loudness=self._loudness.init(rows),
            limiter=self._limiter.init(rows),
            gain=jnp.full((rows,), -1.0, jnp.float32),
            reduction=jnp.zeros((rows,), jnp.float32),
            onsets=None if self._onsets is None else self._onsets.init(rows),
        )

    def apply(
        self, state: MasteringState, audio: jax.Array, levels: jax.Array, due: jax.Array
    ) -> tuple[MasteringState, jax.Array]:
        """float32[B, 1920, 2], float32[B, 2], bool[B] → state, float32[B, 1920, 2], `delay_samples` late.

        levels: gain in dB, and the limiter's ceiling in dBTP. The gain is what soundtrack and style intend: it comes
        after the loudness rider, and its change is ramped over the frame (a fresh row begins with it). A row that holds
        a NaN or infinity is taken as silence (`state.liveness.fault`). A row that is not due keeps its state bit for
        bit and puts out zeros.
        """
        if audio.shape[1:] != (FRAME_SAMPLES, CHANNELS):
            raise ValueError(f"audio: expected [rows, {FRAME_SAMPLES}, {CHANNELS}], got {list(audio.shape)}")
        liveness, clean = self._liveness.apply(state.liveness, jnp.swapaxes(audio, 1, 2))
        loudness = self._loudness.apply(state.loudness, clean)
        wanted = jnp.nan_to_num(levels)
        style_db = jnp.clip(wanted[:, 0], -96.0, 24.0)
        gain = jnp.exp((loudness.gain_db + style_db) * np.float32(np.log(10.0) / 20.0))
        before = jnp.where(state.gain < 0.0, gain, state.gain)
        ramp = before[:, None] + (gain - before)[:, None] * _RAMP
        limiter, out, reduction = self._limiter.apply(
            state.limiter, clean * ramp[:, None, :], jnp.clip(wanted[:, 1], -12.0, 0.0)
        )
        heard = None
        if self._onsets is not None and state.onsets is not None:
            heard = self._onsets.apply(state.onsets, clean)
        after = MasteringState(liveness, loudness, limiter, gain, reduction, heard)
        kept = jax.tree.map(lambda new, old: _where_rows(due, new, old), after, state)
        return kept, _where_rows(due, jnp.swapaxes(out, 1, 2), 0.0)

    def recall(self, state: MasteringState, loudness: jax.Array) -> MasteringState:
        """Rows that know their loudness: float32[B, 3], the rider's gain in dB, and integrated LUFS of so many seconds.
        What sounds next has that gain at once."""
        recalled = self._loudness.recall(state.loudness, loudness)
        change = 10.0 ** ((recalled.gain_db - state.loudness.gain_db) / 20.0)
        return state._replace(
            loudness=recalled,
            limiter=state.limiter._replace(audio=state.limiter.audio * change[:, None, None]),
            gain=jnp.where(state.gain < 0.0, state.gain, state.gain * change),
        )

    def vitals(self, state: MasteringState) -> jax.Array:
        """int16[B, VITALS] of the latest frame, see `contract.Blocks`."""
        reading = self._loudness.read(state.loudness)
        strengths = jnp.zeros((reading.seconds.shape[0], HOPS)) if state.onsets is None else state.onsets.strengths
        columns = (
            100.0 * reading.momentary,
            100.0 * state.loudness.gain_db,
            100.0 * reading.integrated,
            10.0 * reading.seconds,
            state.liveness.silent,
            state.liveness.peak > OVER_RANGE,
            2000.0 * jnp.log10(jnp.maximum(state.liveness.peak, 1e-9)),
            *(1000.0 * strengths.T),
        )
        stacked = jnp.stack([column.astype(jnp.float32) for column in columns], axis=1)
        return jnp.round(jnp.clip(stacked, -32768.0, 32767.0)).astype(jnp.int16)

    def metrics(self, state: MasteringState) -> jax.Array:
        """float32[B, len(METRICS)], the columns in that order."""
        reading = self._loudness.read(state.loudness)
        columns = (
            state.liveness.silent / FRAME_RATE,
            state.liveness.over_range,
            state.liveness.faults,
            state.liveness.fault,
            jnp.max(jnp.abs(state.liveness.offset), axis=1),
            state.liveness.peak,
            reading.momentary,
            reading.integrated,
            state.loudness.gain_db,
            state.reduction,
        )
        return jnp.stack([column.astype(jnp.float32) for column in columns], axis=1)


def _where_rows(due: jax.Array, new: jax.Array, old: Any) -> jax.Array:
    return jnp.where(due.reshape(due.shape + (1,) * (new.ndim - 1)), new, old)
