# SPDX-License-Identifier: Apache-2.0
"""Closed-form oscillators without recursive filters, evaluated a frame at a time.

Per sample and oscillator: an integer phase, a few polynomial sines, one polynomial arctangent. Everything slow
(envelope, roll-off, modulation index, vibrato) is evaluated at 61 control points a frame and interpolated by parabolas
through each 64-sample segment's start, middle and end, so there are no control-rate kinks.

Axes are [row, segment, side, slot, sample in segment]: the innermost axis has a constant length of 64 and no index
arithmetic, which is what lets XLA:CPU vectorise the loop. Control values are *materialised* by a product with the
identity: without it XLA fuses their exponentials into the sample loop.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

SAMPLE_RATE: Final = 48_000
FRAME: Final = 1920
SEGMENT: Final = 64
SEGMENTS: Final = FRAME // SEGMENT
POINTS: Final = 2 * SEGMENTS + 1
POINT_TIMES: Final = (np.arange(POINTS) * (SEGMENT / 2) / SAMPLE_RATE).astype(np.float32)
PHASE_CYCLES: Final = 4  # an int32 phase wraps after four cycles, so ratios in quarters stay continuous
PHASE_PER_HZ: Final = float(2**32 / PHASE_CYCLES / SAMPLE_RATE)
PHASE_TO_CYCLES: Final = float(2.0**-32)

# Least-squares coefficients in powers of x². Errors: 7e-6, 3e-4, 6e-5 on [-1/2, 1/2]; arctangent 1e-5 on [0, 1].
_SINE: Final = (25.1321703, -64.79286358, 66.24103029, -32.6180152)
_ROUGH_SINE: Final = (25.11226187, -63.83725839, 55.53824816)  # for modulators
_COSINE: Final = (15.99919571, -59.68594783, 79.45373018, -45.46837329)
_ARCTAN: Final = (0.99999559, -0.33303072, 0.19603731, -0.12259328, 0.05925121, -0.01427245)
_CUT_FADE: Final = np.exp(-np.arange(1, FRAME + 1) / 90.0).astype(np.float32).reshape(1, SEGMENTS, 1, 1, SEGMENT)


class Controls(NamedTuple):
    """Control-point values of every slot: [B, POINTS, V], and `bend` [B, POINTS, 2, V]."""

    bend: Array  # phase deviation in cycles of the note, per side
    rolloff: Array  # ratio of successive harmonics, in (0, 1)
    depth: Array  # FM depth in cycles
    series: Array  # amplitude of the series oscillator
    fm: Array  # amplitude of the FM oscillator
    noise: Array  # amplitude of the noise layer


def _polynomial(z: Array, coefficients: tuple[float, ...]) -> Array:
    result = jnp.full((), coefficients[-1], jnp.float32)
    for c in reversed(coefficients[:-1]):
        result = result * z + c
    return result


def _fold(x: Array) -> Array:
    return x - lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)


def sine(x: Array, coefficients: tuple[float, ...] = _SINE) -> Array:
    """sin(2πx) for any x in cycles."""
    x = _fold(x)
    z = x * x
    return x * (0.25 - z) * _polynomial(z, coefficients)


def _cosine_folded(x: Array) -> Array:
    z = x * x
    return (0.0625 - z) * _polynomial(z, _COSINE)


def materialise(x: Array) -> Array:
    """`x` itself, computed once into memory: x [..., n] times the identity, exact in float32."""
    eye = jnp.eye(x.shape[-1], dtype=jnp.float32)
    return lax.dot_general(x, eye, (((x.ndim - 1,), (0,)), ((), ())), precision=lax.Precision.HIGHEST)


def _upsample(points: Array) -> Array:
    """Parabola through the three points of every segment: [B, POINTS, ...] to [B, SEGMENTS, ..., SEGMENT]."""
    u = np.arange(SEGMENT, dtype=np.float32) / SEGMENT
    start, middle, end = (x[..., None] for x in (points[:, 0:-1:2], points[:, 1::2], points[:, 2::2]))
    return ((2 * start - 4 * middle + 2 * end) * u + (4 * middle - 3 * start - end)) * u + start


def oscillate(
    phase: Array,
    step: Array,
    carrier: Array,
    modulator: Array,
    saw: Array,
    controls: Controls,
    noise: Array,
    cut: Array,
) -> Array:
    """One frame of every oscillator: f32[B, SEGMENTS, 2, V, SEGMENT].

    `phase`, `step` int32[B, 2, V] (per sample); `carrier`, `modulator` int32[B, V] in quarters; `saw`
    [B, V]; `noise` [B, SEGMENTS, 2, SEGMENT]; `cut` [B, 2, V] fades out from a stolen note's last sample.
    The series is Im log 1/(1 - a e^{iθ}) = Σ aᵏ sin(kθ)/k, or its odd half Im artanh(a e^{iθ}).
    """
    slots = phase.shape[-1]
    flat = controls.bend.reshape(*controls.bend.shape[:2], 2 * slots)
    bend = _upsample(materialise(flat).reshape(controls.bend.shape))
    rolloff, depth, series, fm, layer = (_upsample(materialise(c))[:, :, None] for c in controls[1:])
    n = np.arange(FRAME, dtype=np.int32).reshape(1, SEGMENTS, 1, 1, SEGMENT)

    def per_slot(x: Array) -> Array:  # [B, V] or [B, 2, V] against the full axes
        return x[:, None, None, :, None] if x.ndim == 2 else x[:, None, :, :, None]

    p = per_slot(phase) + n * per_slot(step)
    theta = _fold((p << 2).astype(jnp.float32) * PHASE_TO_CYCLES + bend)
    sin, cos = sine(theta), _cosine_folded(theta)
    quarter = per_slot(modulator.astype(jnp.float32) * 0.25)
    inner = sine((p * per_slot(modulator)).astype(jnp.float32) * PHASE_TO_CYCLES + quarter * bend, _ROUGH_SINE)
    quarter = per_slot(carrier.astype(jnp.float32) * 0.25)
    outer = sine((p * per_slot(carrier)).astype(jnp.float32) * PHASE_TO_CYCLES + quarter * bend + depth * inner)

    height = rolloff * sin * (2.0 - per_slot(saw))
    base = 1.0 - rolloff * (rolloff + per_slot(saw) * (cos - rolloff))
    size = jnp.abs(height)
    tangent = jnp.minimum(size, base) / jnp.maximum(size, base)
    angle = tangent * _polynomial(tangent * tangent, _ARCTAN)
    angle = jnp.where(size > base, np.float32(np.pi / 2) - angle, angle)
    angle = jnp.where(height < 0, -angle, angle)
    return series * angle + fm * outer + layer * noise[:, :, :, None, :] + per_slot(cut) * _CUT_FADE
