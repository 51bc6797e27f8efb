# SPDX-License-Identifier: Apache-2.0
"""The K filter of BS.1770 as matrix products: exact, streaming, and without a loop over samples.

A linear filter run over a chunk is linear in (chunk, state before it), so one matrix gives a chunk's output and another
the state after it. The states between a frame's chunks are linear in the chunks' contributions too: a third matrix
gives all of them at once.
"""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from segue_engine.contract import CHANNELS

SOS: Final = np.array(
    [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
)
"""ITU-R BS.1770-4, Annex 1, Tables 1 and 2: the filter's two sections at 48 kHz (b0 b1 b2 a0 a1 a2)."""

ORDER: Final = 4
CHUNK: Final = 48


class KWeighting:
    """Mean square of K-weighted frames of a fixed length (a multiple of 48 samples), per row and channel."""

    def __init__(self, samples: int) -> None:
        if samples <= 0 or samples % CHUNK:
            raise ValueError(f"samples: expected a positive multiple of {CHUNK}, got {samples}")
        self._samples = samples
        self._chunks = samples // CHUNK
        response, contribution = _run(np.eye(CHUNK), np.zeros((CHUNK, ORDER)))
        ringing, transition = _run(np.zeros((ORDER, CHUNK)), np.eye(ORDER))
        self._from_chunk = np.concatenate([response, contribution], axis=1).astype(np.float32)
        self._from_state = ringing.astype(np.float32)
        self._states = _propagation(transition, self._chunks).astype(np.float32)

    def init(self, rows: int) -> jax.Array:
        """Filter memory of fresh rows: float32[rows, channels, 4]."""
        return jnp.zeros((rows, CHANNELS, ORDER), jnp.float32)

    def mean_square(self, memory: jax.Array, audio: jax.Array) -> tuple[jax.Array, jax.Array]:
        """memory, float32[B, channels, samples] → memory after, z float32[B, channels] (BS.1770-4, Annex 1, eq. 1)."""
        rows, channels, _ = audio.shape
        chunks = audio.reshape(rows, channels, self._chunks, CHUNK)
        out = jnp.matmul(chunks, self._from_chunk, precision=jax.lax.Precision.HIGHEST)
        contributions = out[..., CHUNK:].reshape(rows, channels, self._chunks * ORDER)
        known = jnp.concatenate([memory, contributions], axis=-1)
        states = jnp.matmul(known, self._states, precision=jax.lax.Precision.HIGHEST)
        states = states.reshape(rows, channels, self._chunks + 1, ORDER)
        ringing = jnp.matmul(states[:, :, :-1], self._from_state, precision=jax.lax.Precision.HIGHEST)
        power = jnp.mean(jnp.square(out[..., :CHUNK] + ringing), axis=(2, 3))
        after = states[:, :, -1]
        # Without this a long silence leaves denormals in the memory, which some CPUs compute a hundred times slower.
        return jnp.where(jnp.abs(after) > 1e-18, after, 0.0), power


def _run(
    signals: NDArray[np.float64], memories: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """signals[n, CHUNK], memories[n, ORDER] → outputs[n, CHUNK], memories after[n, ORDER]."""
    before = memories.reshape(-1, 2, 2).transpose(1, 0, 2)
    out, after = sosfilt(SOS, signals, axis=-1, zi=before)
    return out, after.transpose(1, 0, 2).reshape(-1, ORDER)


def _propagation(transition: NDArray[np.float64], chunks: int) -> NDArray[np.float64]:
    """Matrix from (memory before, contribution of each chunk) to the memory before each chunk and after the last."""
    powers = [np.eye(ORDER)]
    for _ in range(chunks):
        powers.append(powers[-1] @ transition)
    matrix = np.zeros((chunks + 1, ORDER, chunks + 1, ORDER))
    for source in range(chunks + 1):
        for target in range(source, chunks + 1):
            matrix[source, :, target] = powers[target - source]
    return matrix.reshape((chunks + 1) * ORDER, (chunks + 1) * ORDER)
