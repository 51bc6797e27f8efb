# SPDX-License-Identifier: Apache-2.0
"""A frame model small enough to be computed by hand: codes are a hash of what the model may know, and nothing else.

`reference` is the same model in plain Python, over whole histories. Integers throughout the codes, so that they are
equal whatever the batch size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from segue_engine.contract import FRAME_SAMPLES, RIDER, VITALS, Capabilities, Conditioning, Guidance, Sampling
from segue_engine.frame_model import StepRows, absorb_one_by_one

LEVELS = 4
WINDOW = 5
CODES = 1024


class TinyCodec(NamedTuple):
    phase: jax.Array  # uint32[B]
    level: jax.Array  # float32[B]


def _mix(state: Any, value: Any) -> Any:
    state = (state ^ value) * np.uint32(2654435761)
    return state ^ (state >> np.uint32(15))


def _weights(count: int) -> np.ndarray:
    return (np.arange(count) * 2 + 1).astype(np.uint32)


class TinyModel:
    """Knows its last WINDOW frames, seed, frame number and conditioning. `two_pass` makes guidance a second program."""

    name = "tiny"
    version = "tiny-1"
    levels = LEVELS
    codec_delay = 0
    default_guidance = Guidance()
    memory = WINDOW
    codec_memory = None
    encoder = None
    clock = None
    default_sampling = Sampling(temperature=1.0, top_k=0, min_p=0.0)
    capabilities = Capabilities(notes=True, drums=True, guidance=True, clock=False)

    def __init__(self, two_pass: bool = False) -> None:
        self.two_pass_guidance = two_pass
        self.params = {"salt": np.asarray(17, np.uint32)}

    def init_rings(self, rows: int, rewind: int) -> Any:
        length = WINDOW + rewind
        return {"codes": jnp.zeros((rows, length, LEVELS), jnp.int32), "float": jnp.zeros((rows, length), jnp.float32)}

    def init_codec(self, rows: int) -> TinyCodec:
        return TinyCodec(jnp.zeros((rows,), jnp.uint32), jnp.zeros((rows,), jnp.float32))

    def step(self, params: Any, rings: Any, rows: StepRows, *, guided: bool) -> tuple[Any, jax.Array]:
        length = rings["codes"].shape[1]
        state = jnp.broadcast_to(params["salt"], rows.frame.shape)
        for back in range(WINDOW, 0, -1):
            at = (rows.frame - back) % length
            entry = jnp.take_along_axis(rings["codes"], at[:, None, None], axis=1)[:, 0].astype(jnp.uint32)
            extra = jnp.take_along_axis(rings["float"], at[:, None], axis=1)[:, 0].astype(jnp.uint32)
            known = rows.frame >= back
            for level in range(LEVELS):
                state = jnp.where(known, _mix(state, entry[:, level] + extra), state)
        for word in (rows.seed[:, 0], rows.seed[:, 1], rows.frame.astype(jnp.uint32)):
            state = _mix(state, word)
        values = [self.extra(rings, rows), rows.notes, rows.drums[:, None], rows.top_k[:, None]]
        if guided:
            values.append(jnp.round(rows.guidance * 16).astype(jnp.int32))
        for value in values:
            words = value.astype(jnp.int32).astype(jnp.uint32) * jnp.asarray(_weights(value.shape[1]))
            state = _mix(state, words.sum(axis=1, dtype=jnp.uint32))
        codes = []
        for level in range(LEVELS):
            state = _mix(state, np.uint32(level))
            codes.append((state % np.uint32(CODES)).astype(jnp.int32))
        made = jnp.stack(codes, axis=1)
        return self.force(params, rings, rows, made), made

    def extra(self, rings: Any, rows: StepRows) -> jax.Array:
        """What a frame knows beside the codes before it: int32[B, n]."""
        return rows.style_codes

    def force(self, params: Any, rings: Any, rows: StepRows, codes: jax.Array) -> Any:
        length = rings["codes"].shape[1]
        hit = (jnp.arange(length)[None] == (rows.frame % length)[:, None]) & rows.due[:, None]
        return {
            **rings,
            "codes": jnp.where(hit[:, :, None], codes[:, None], rings["codes"]),
            "float": jnp.where(hit, codes[:, :1].astype(jnp.float32), rings["float"]),
        }

    def absorb(self, params: Any, rings: Any, rows: StepRows, codes: jax.Array, count: jax.Array) -> Any:
        return absorb_one_by_one(partial(self.force, params), rings, rows, codes, count)

    def decode(self, params: Any, codec: TinyCodec, codes: jax.Array, due: jax.Array) -> tuple[TinyCodec, jax.Array]:
        step = codes[:, 0].astype(jnp.uint32) * np.uint32(65536) + np.uint32(1 << 24)
        level = codec.level * np.float32(0.75) + codes[:, 1].astype(jnp.float32) * np.float32(0.0001)
        time = jnp.arange(FRAME_SAMPLES, dtype=jnp.uint32)
        phase = codec.phase[:, None] + step[:, None] * time
        wave = phase.astype(jnp.int32).astype(jnp.float32) / np.float32(2**31) * level[:, None]
        new = TinyCodec(
            jnp.where(due, codec.phase + step * np.uint32(FRAME_SAMPLES), codec.phase),
            jnp.where(due, level, codec.level),
        )
        return new, jnp.stack([wave, -wave], axis=-1)


class PlainMastering:
    """A gain that glides to the style's over a few frames, and a delay."""

    delay_samples = 8
    loudness_lufs = -18.0
    true_peak_dbtp = -1.0

    def init(self, rows: int) -> Any:
        return {"gain": jnp.ones((rows,), jnp.float32), "tail": jnp.zeros((rows, self.delay_samples, 2), jnp.float32)}

    def recall(self, state: Any, loudness: jax.Array) -> Any:
        return {**state, "gain": 10 ** (loudness[:, 0] / 20)}

    def vitals(self, state: Any) -> jax.Array:
        column = jnp.round(2000.0 * jnp.log10(jnp.maximum(state["gain"], 1e-6)))
        return jnp.zeros((state["gain"].shape[0], VITALS), jnp.int16).at[:, RIDER].set(column.astype(jnp.int16))

    def apply(self, state: Any, audio: jax.Array, levels: jax.Array, due: jax.Array) -> tuple[Any, jax.Array]:
        gain_db = levels[:, 0]
        gain = jnp.where(due, state["gain"] * 0.5 + 0.5 * 10 ** (gain_db / 20), state["gain"])
        loud = audio * gain[:, None, None]
        whole = jnp.concatenate([state["tail"], loud], axis=1)
        tail = jnp.where(due[:, None, None], whole[:, FRAME_SAMPLES:], state["tail"])
        return {"gain": gain, "tail": tail}, whole[:, :FRAME_SAMPLES]


class Reference(NamedTuple):
    """A run without an engine: codes int[frames, LEVELS] and pcm float[frames · 1920, 2] of full scale 1."""

    codes: np.ndarray
    pcm: np.ndarray


def reference(seed: int, conditioning: Sequence[Conditioning], history: np.ndarray | None = None) -> Reference:
    """The run whose frame f is under conditioning[f], after `history` was taken in under conditioning[0]."""
    with np.errstate(over="ignore"):
        return _reference(seed, conditioning, np.zeros((0, LEVELS), np.int64) if history is None else history)


def _reference(seed: int, conditioning: Sequence[Conditioning], history: np.ndarray) -> Reference:
    codes = [list(map(int, row)) for row in history]
    for number, held in enumerate(conditioning, start=len(history)):
        style = (*held.style_codes, *[-1] * (12 - len(held.style_codes)))
        codes.append(frame_codes(seed, number, codes, held, style))
    return sounded(codes, conditioning, history)


def frame_codes(seed: int, number: int, codes: list[list[int]], held: Conditioning, extra: Sequence[int]) -> list[int]:
    """Codes of frame `number` after those before it; `extra`: what is known beside them, first the style."""
    state = np.uint32(17)
    for back in range(min(WINDOW, number), 0, -1):
        past = codes[number - back]
        for level in range(LEVELS):
            state = _mix(state, np.uint32(past[level] + past[0]))
    for word in (seed >> 32 & 0xFFFFFFFF, seed & 0xFFFFFFFF, number):
        state = _mix(state, np.uint32(word))
    for values in (extra, held.notes or [-1] * 128, [held.drums], [held.sampling.top_k or 0]):
        total = int(np.dot(np.asarray(values, np.int64), _weights(len(values)).astype(np.int64)))
        state = _mix(state, np.uint32(total & 0xFFFFFFFF))
    made = []
    for level in range(LEVELS):
        state = _mix(state, np.uint32(level))
        made.append(int(state % np.uint32(CODES)))
    return made


def sounded(codes: list[list[int]], conditioning: Sequence[Conditioning], history: np.ndarray) -> Reference:
    """The sound of codes whose first ones are history."""
    gains = [conditioning[0].gain_db] * len(history) + [held.gain_db for held in conditioning]
    phase, level, gain, sound = 0, 0.0, 1.0, [np.zeros(PlainMastering.delay_samples)]
    for made, gain_db in zip(codes, gains, strict=True):
        step = made[0] * 65536 + (1 << 24)
        level = level * 0.75 + made[1] * 0.0001
        gain = gain * 0.5 + 0.5 * 10 ** (gain_db / 20)
        phases = (phase + step * np.arange(FRAME_SAMPLES, dtype=np.uint64)) % 2**32
        sound.append(phases.astype(np.uint32).view(np.int32) / 2**31 * level * gain)
        phase = (phase + step * FRAME_SAMPLES) % 2**32
    mono = np.concatenate(sound)[: len(codes) * FRAME_SAMPLES][len(history) * FRAME_SAMPLES :]
    return Reference(np.array(codes[len(history) :]), np.stack([mono, -mono], axis=1))
