# SPDX-License-Identifier: Apache-2.0
"""What a precision setting does to the sound, measured against float32 on the same codes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.spectrostream.codec import SpectroStream
from segue_engine.spectrostream.config import SpectroStreamConfig
from segue_engine.spectrostream.parameters import DecoderParams
from segue_engine.spectrostream.precision import CodecPrecision
from segue_engine.spectrostream.stft import analyse

FLOOR_DB: Final = 80.0
"""Bins more than this below the loudest bin count as this far below it: nobody hears what they differ by."""


@dataclass(frozen=True, slots=True)
class Damage:
    """snr_db: energy of the float32 wave over that of the difference, inf where there is none.

    log_spectral_distance_db: per STFT frame and channel the RMS over bins of the level difference, then the mean.
    """

    snr_db: float
    log_spectral_distance_db: float


def damage(
    config: SpectroStreamConfig,
    decoder: DecoderParams,
    codebooks: jax.Array,
    codes: NDArray[np.integer[Any]],
    precision: CodecPrecision,
) -> Damage:
    """Decodes codes int[B, T >= 2, L] in float32 and in `precision`, on the default device, and compares the waves."""
    if codes.ndim != 3 or codes.shape[1] < 2:
        raise ValueError(f"codes: expected int[B, T, levels] with T >= 2, got shape {list(codes.shape)}")

    def wave(setting: CodecPrecision) -> NDArray[np.float32]:
        codec = SpectroStream(config, decoder, codebooks, levels=codes.shape[-1], precision=setting)
        return np.asarray(jax.jit(codec.decode_whole)(codec.params, codes.astype(np.int32)))

    return compare(wave("float32"), wave(precision))


def compare(reference: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> Damage:
    """Two waves float[B, n, 2] of one shape. Raises ValueError where the reference is silent."""
    error = float(np.sum((reference.astype(np.float64) - other) ** 2))
    energy = float(np.sum(reference.astype(np.float64) ** 2))
    if energy == 0.0:
        raise ValueError("reference: expected a sound, got silence")
    snr = math.inf if error == 0.0 else 10.0 * math.log10(energy / error)
    levels = [_levels_db(wave) for wave in (reference, other)]
    floor = float(levels[0].max()) - FLOOR_DB
    difference = np.maximum(levels[0], floor) - np.maximum(levels[1], floor)
    return Damage(snr, float(np.mean(np.sqrt(np.mean(difference**2, axis=2)))))


def _levels_db(wave: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """[B, n, 2] → dB, [B, frames, 480, 2]."""
    bins = np.asarray(analyse(jnp.asarray(wave, jnp.float32))).astype(np.float64)
    power = np.sum(bins.reshape(*bins.shape[:3], 2, 2) ** 2, axis=-1)
    return np.asarray(10.0 * np.log10(np.maximum(power, 1e-30)))
