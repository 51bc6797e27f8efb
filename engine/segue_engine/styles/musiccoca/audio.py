# SPDX-License-Identifier: Apache-2.0
"""Audio prompts as MusicCoCa hears them: mono, 16 kHz, clips of 10 s."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import PromptError

FloatArray = NDArray[np.float32]

RATE: Final = 16_000
CLIP: Final = 160_000
MIN_SECONDS: Final = 0.1
MIN_RATE, MAX_RATE = 8_000, 192_000
RESAMPLER: Final = "soxr-hq"
"""Part of an embedding's identity: the published code resamples with another library, equal to the ear only."""


def clips(audio: object, sample_rate: int, max_seconds: float) -> FloatArray:
    """f32[n] or f32[n, channels ≤ 2] → f32[clips, 160000]: the mean of the channels at 16 kHz, the end zero-padded.

    Raises PromptError for samples that are not finite floats of such a shape, or too few or many.
    """
    mono = _mono(audio)
    if not MIN_RATE <= sample_rate <= MAX_RATE:
        raise PromptError(f"audio prompt: expected a sample rate of {MIN_RATE}..{MAX_RATE} Hz, got {sample_rate}")
    seconds = mono.size / sample_rate
    if not MIN_SECONDS <= seconds <= max_seconds:
        raise PromptError(f"audio prompt: expected {MIN_SECONDS:g}..{max_seconds:g} s of audio, got {seconds:.3g} s")
    at_rate = mono
    if sample_rate != RATE:
        import soxr

        at_rate = soxr.resample(mono, sample_rate, RATE, quality="HQ")
    out = np.zeros((math.ceil(at_rate.size / CLIP), CLIP), np.float32)
    out.reshape(-1)[: at_rate.size] = at_rate
    return out


def _mono(audio: object) -> FloatArray:
    samples = np.asarray(audio)
    channels = samples.shape[1:] or (1,)
    if samples.dtype.kind != "f" or samples.ndim == 0 or channels not in ((1,), (2,)):
        shape = list(samples.shape)
        raise PromptError(f"audio prompt: expected float samples [n], [n, 1] or [n, 2], got {samples.dtype}{shape}")
    if not np.isfinite(samples).all():
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        raise PromptError(f"audio prompt: expected finite samples, got {bad} that are not")
    if samples.size and float(np.abs(samples).max()) > 1e3:
        raise PromptError("audio prompt: expected samples of about -1..1, got a magnitude above 1000")
    if samples.ndim == 1:
        return np.ascontiguousarray(samples, np.float32)
    return np.ascontiguousarray(samples.mean(axis=1, dtype=np.float64), np.float32)
