# SPDX-License-Identifier: Apache-2.0
"""Causal convolutions over [rows, time, frequency, channels] that go on from what they read last.

Each one is told what precedes its input; before a sequence that is zeros, which is also what elu makes of silence, so
there is no mask. What is kept is exactly what was read, in the type it was read in.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.nn import elu

from segue_engine.spectrostream.config import Pair
from segue_engine.spectrostream.parameters import Conv, PerceptronParams
from segue_engine.spectrostream.precision import Arithmetic

_NHWC = ("NHWC", "HWIO", "NHWC")


def follow(memory: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Memory [R, M, ..] and what comes after it [R, T, ..] → both in a row, and the last M of them."""
    both = jnp.concatenate([memory, x.astype(memory.dtype)], axis=1)
    return both, both[:, both.shape[1] - memory.shape[1] :]


def convolve(conv: Conv, x: jax.Array, how: Arithmetic, bands: Pair, stride: Pair = (1, 1)) -> jax.Array:
    """x [R, k_t - s_t + T, F, inputs] → float32[R, T / s_t, ..], padded by `bands` in frequency, not in time."""
    y = lax.conv_general_dilated(
        x.astype(how.dtype), conv.kernel, stride, ((0, 0), bands), dimension_numbers=_NHWC, precision=how.products
    )
    return y.astype(jnp.float32)


def convolve_narrow(conv: Conv, x: jax.Array, how: Arithmetic, bands: Pair) -> jax.Array:
    """As `convolve`, by one matrix product over gathered neighbourhoods.

    For the innermost layers, five bands wide and with megabytes of weights: XLA:CPU took 2.5 times as long to convolve
    them at batch 1, and 1.6 times at batch 4.
    """
    k_t, k_f, inputs, outputs = conv.kernel.shape
    padded = jnp.pad(x.astype(how.dtype), ((0, 0), (0, 0), bands, (0, 0)))
    frames, places = padded.shape[1] - k_t + 1, padded.shape[2] - k_f + 1
    near = [padded[:, t : t + frames, f : f + places] for t in range(k_t) for f in range(k_f)]
    kernel = conv.kernel.reshape(k_t * k_f * inputs, outputs)
    return jnp.matmul(jnp.concatenate(near, axis=-1), kernel, precision=how.products).astype(jnp.float32)


def project(conv: Conv, x: jax.Array, how: Arithmetic) -> jax.Array:
    """A 1 × 1 convolution, bias included: [.., inputs] → float32[.., outputs]."""
    y = jnp.matmul(x.astype(how.dtype), conv.kernel, precision=how.products)
    return y.astype(jnp.float32) + conv.bias


def perceptron(params: PerceptronParams, x: jax.Array, how: Arithmetic, *, activate: bool) -> jax.Array:
    """direct(x) + second(elu(first(x))); `activate` says whether first reads elu(x)."""
    hidden = elu(project(params.first, elu(x) if activate else x, how))
    return project(params.direct, x, how) + project(params.second, hidden, how)
