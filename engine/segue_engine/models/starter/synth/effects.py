# SPDX-License-Identifier: Apache-2.0
"""Echo, reverb and air: the effects every row's buses go through, a frame at a time and without sample recursion.

Both delay effects work on whole frames because every delay is at least one frame long: what a frame reads was written
before it began.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from segue_engine.models.starter.synth.oscillators import FRAME

ECHO_FRAMES: Final = 20  # three sixteenths are at most 18 frames
ECHO_FEEDBACK: Final = 0.42

LINES: Final = 8
DELAYS: Final = (1933, 2137, 2371, 2617, 2903, 3251, 3631, 4093)
_HISTORY: Final = 4096
_EARLY: Final = (
    (0, 0.8),
    (131, -0.62),
    (283, 0.55),
    (409, 0.48),
    (571, -0.42),
)  # taps (samples, gain) of the first diffuser
_LATE: Final = ((0, 0.7), (337, 0.6), (719, -0.52), (1063, 0.44), (1429, -0.38))
_EARLY_TAIL: Final = 576
_LATE_TAIL: Final = 1440
_EARLY_SIDES: Final = np.array([[1, 1, 1, 1, 1], [1, -1, 1, -1, -1]], np.float32)
_LATE_SIDES: Final = np.array([[1, 1, -1, 1, 1], [1, -1, -1, -1, 1]], np.float32)


def _hadamard() -> NDArray[np.float32]:
    h: NDArray[np.float64] = np.ones((1, 1))
    while len(h) < LINES:
        h = np.block([[h, h], [h, -h]])
    return np.asarray(h / np.sqrt(LINES), np.float32)


_MIXING: Final = _hadamard()
_INPUTS: Final = np.array([[1, 0, 1, 0, -1, 0, 1, 0], [0, 1, 0, -1, 0, 1, 0, 1]], np.float32).T * 0.5  # [line, ear]
_OUTPUTS: Final = np.array([[1, 0, -1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, -1, 0, 1]], np.float32) * 0.5  # [ear, line]


class Echo(NamedTuple):
    """Ping-pong echo state: a ring of frames."""

    ring: Array  # f32[B, ECHO_FRAMES, 2, FRAME]
    head: Array  # int32[B], where the next frame is written
    delay: Array  # int32[B], in frames
    last: Array  # f32[B, 2], last sample fed back, for the damping


class Reverb(NamedTuple):
    """Feedback delay network state. Line l's sample k is read k samples from now (index 0 was read last)."""

    lines: Array  # f32[B, LINES, HISTORY]
    early: Array  # f32[B, 2, EARLY_TAIL], the latest input
    late: Array  # f32[B, 2, LATE_TAIL], the latest output of the first diffuser


def init_echo(rows: int) -> Echo:
    """Silence."""
    return Echo(
        jnp.zeros((rows, ECHO_FRAMES, 2, FRAME), jnp.float32), jnp.zeros((rows,), jnp.int32),
        jnp.full((rows,), 12, jnp.int32), jnp.zeros((rows, 2), jnp.float32),
    )  # fmt: skip


def init_reverb(rows: int) -> Reverb:
    """Silence."""
    return Reverb(
        jnp.zeros((rows, LINES, _HISTORY), jnp.float32), jnp.zeros((rows, 2, _EARLY_TAIL), jnp.float32),
        jnp.zeros((rows, 2, _LATE_TAIL), jnp.float32),
    )  # fmt: skip


def echo(state: Echo, send: Array, delay: Array) -> tuple[Echo, Array]:
    """One frame through the echo: `send` f32[B, 2, FRAME], `delay` int32[B] in frames, 1..ECHO_FRAMES - 1.

    A change of delay crossfades from the old to the new tap over the frame. Repeats change sides and lose treble.
    """
    rows = jnp.arange(send.shape[0])
    old = state.ring[rows, (state.head - state.delay) % ECHO_FRAMES]
    new = state.ring[rows, (state.head - delay) % ECHO_FRAMES]
    ramp = np.arange(FRAME, dtype=np.float32) / FRAME
    heard = old + (new - old) * ramp
    before = jnp.concatenate([state.last[:, :, None], heard[:, :, :-1]], 2)
    dull = 0.5 * (heard + before)
    middle = 0.5 * (send[:, 0] + send[:, 1])
    write = jnp.stack([0.3 * send[:, 0] + 0.7 * middle, 0.3 * send[:, 1]], 1) + ECHO_FEEDBACK * dull[:, ::-1]
    ring = state.ring.at[rows, state.head].set(write)
    return Echo(ring, (state.head + 1) % ECHO_FRAMES, delay, heard[:, :, -1]), dull


def _diffuse(signal: Array, tail: int, taps: tuple[tuple[int, float], ...], sides: NDArray[np.float32]) -> Array:
    out = jnp.zeros((), jnp.float32)
    for i, (offset, gain) in enumerate(taps):
        out = out + signal[:, :, tail - offset : tail - offset + FRAME] * (sides[:, i] * gain)[:, None]
    return out


def reverb(state: Reverb, send: Array, size: Array) -> tuple[Reverb, Array]:
    """One frame through the reverb: `send` f32[B, 2, FRAME]; `size` f32[B] in 0..1 sets how slowly it dies away."""
    rows = send.shape[0]
    first_in = jnp.concatenate([state.early, send], 2)
    first = _diffuse(first_in, _EARLY_TAIL, _EARLY, _EARLY_SIDES)
    second_in = jnp.concatenate([state.late, first], 2)
    second = _diffuse(second_in, _LATE_TAIL, _LATE, _LATE_SIDES)

    window = state.lines[:, :, : FRAME + 2]
    damped = 0.25 * (window[:, :, :-2] + window[:, :, 2:]) + 0.5 * window[:, :, 1:-1]
    loss = (0.60 + 0.32 * size)[:, None] ** (np.array(DELAYS, np.float32) / 3000.0)
    loops = jnp.concatenate([_MIXING[None] * loss[:, None, :], jnp.broadcast_to(_OUTPUTS, (rows, 2, LINES))], 1)
    turned = lax.dot_general(loops, damped, (((2,), (1,)), ((0,), (0,))), precision=lax.Precision.HIGHEST)
    inputs = jnp.broadcast_to(_INPUTS, (rows, LINES, 2))
    fed = lax.dot_general(inputs, second, (((2,), (1,)), ((0,), (0,))), precision=lax.Precision.HIGHEST)
    block = turned[:, :LINES] + fed
    lines = jnp.pad(state.lines[:, :, FRAME:], ((0, 0), (0, 0), (0, FRAME)))
    for line, delay in enumerate(DELAYS):  # a frame's block of line l lies at delay - FRAME + 1 from now on
        lines = lax.dynamic_update_slice(lines, block[:, line : line + 1], (0, line, delay - FRAME + 1))
    out = turned[:, LINES:] + 0.35 * first
    return Reverb(lines, first_in[:, :, FRAME:], second_in[:, :, FRAME:]), out


def air(signal: Array, last: Array, lift: Array) -> tuple[Array, Array]:
    """High shelf, one sample late; `last` f32[B, 2, 2] is what came before, `lift` [B] the gain at 12 kHz less one."""
    whole = jnp.concatenate([last, signal], 2)
    middle = whole[:, :, 1:-1]
    edge = middle - 0.5 * (whole[:, :, :-2] + whole[:, :, 2:])
    return middle + lift[:, None, None] * edge, whole[:, :, -2:]
