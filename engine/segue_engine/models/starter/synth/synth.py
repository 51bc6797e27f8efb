# SPDX-License-Identifier: Apache-2.0
"""The starter's codec: twelve codes a frame in, 40 ms of stereo out. Pure functions over an explicit state.

Every leaf of the state has the row axis first and no row reads another's, so a row sounds the same whatever its
neighbours hold. Codes out of range are clamped. Output is float before mastering: about -18 LUFS, peaks may pass 1.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from segue_engine.models.starter import tokens
from segue_engine.models.starter.synth import effects, notes, one_shots, oscillators, patches
from segue_engine.models.starter.synth.oscillators import FRAME, POINT_TIMES, POINTS
from segue_engine.models.starter.synth.samples import BREATH_FRAMES, render_samples

_MIX_FIELDS: Final = 3  # intensity, reverb, brightness
_SMOOTHING: Final = 0.16  # share of the way that a mix parameter moves in a frame
_POINT_RAMP: Final = (np.arange(POINTS) / (POINTS - 1)).astype(np.float32)
_RAMP: Final = ((np.arange(FRAME) + 1) / FRAME).astype(np.float32)


class Tables(NamedTuple):
    """Constants of the synthesiser, passed in so that they are not compiled into the program."""

    patches: Array  # f32[36, fields]
    samples: one_shots.Samples


class SynthState(NamedTuple):
    """What the synthesiser remembers between frames; every leaf has the row axis first."""

    notes: notes.Notes
    players: one_shots.Players
    echo: effects.Echo
    reverb: effects.Reverb
    mix: Array  # f32[B, 3], smoothed intensity, reverb and brightness in 0..1
    edge: Array  # f32[B, 2, 2], the last two samples before the treble shelf
    started: Array  # bool[B], whether a frame has been decoded


@cache
def load_tables() -> Tables:
    """The tables on the default device; the sounds are rendered on the first call of a process (seconds)."""
    return Tables(jnp.asarray(patches.patch_rows()), render_samples())


def init_state(rows: int) -> SynthState:
    """Silence on `rows` rows; every leaf is a buffer of its own, so that the whole state can be donated."""
    state = SynthState(
        notes.init_notes(rows), one_shots.init_players(rows), effects.init_echo(rows), effects.init_reverb(rows),
        jnp.full((rows, _MIX_FIELDS), 0.5, jnp.float32), jnp.zeros((rows, 2, 2), jnp.float32), jnp.zeros((rows,), bool),
    )  # fmt: skip
    owned: SynthState = jax.tree.map(jnp.copy, state)
    return owned


def _frames_per_step(clock: Array) -> Array:
    return jnp.asarray(tokens.CLOCK_FRAMES)[clock]


def _makeup(intensity: Array) -> Array:
    """Gain that evens families out: intense music has more notes and drums at once."""
    return 10.0 ** ((2.0 - 4.6 * intensity) / 20.0)


def decode(tables: Tables, state: SynthState, codes: Array) -> tuple[SynthState, Array]:
    """One frame: codes int32[B, 12] to audio f32[B, 1920, 2]."""
    codes = jnp.clip(codes, 0, np.array(tokens.SIZES, np.int32) - 1)
    mix = codes[:, tokens.MIX]
    wanted = jnp.stack([(mix // 32) / 7.0, (mix // 8 % 4) / 3.0, (mix // 2 % 4) / 3.0], 1).astype(jnp.float32)
    before = jnp.where(state.started[:, None], state.mix, wanted)
    after = before + (wanted - before) * _SMOOTHING
    intensity, bright = (before[:, i, None] + (after - before)[:, i, None] * _POINT_RAMP for i in (0, 2))

    players, left, kicked = one_shots.trigger(state.players, tables.samples, codes, 0.86 + 0.22 * after[:, 0])
    players, duck = one_shots.ducking(players, kicked, jnp.asarray(POINT_TIMES))
    breath = jnp.take(tables.samples.noise, players.clock % BREATH_FRAMES, axis=0, mode="clip")
    players, drums, drums_send = one_shots.play(players, tables.samples, left)
    players, bed = one_shots.ambience(players, tables.samples, codes[:, tokens.PALETTE_LOW] // 4 % 8)

    playing, cut = notes.play(state.notes, tables.patches, codes)
    timbre = notes.timbres(playing, tables.patches)
    step = notes.steps(playing, timbre)
    opening = 0.78 + 0.8 * bright + 0.3 * intensity
    curves = notes.controls(playing, timbre, opening, 1.29 - 0.50 * intensity, duck)
    carrier, modulator = ((r * 4.0 + 0.5).astype(jnp.int32) for r in (timbre.carrier, timbre.modulator))
    sound = oscillators.oscillate(playing.phase, step, carrier, modulator, timbre.saw, curves, breath, cut)
    playing = notes.advance(playing, timbre, step, sound[:, -1, :, :, -1])
    buses = _mix(notes.mixer(timbre), sound)  # [B, 3, 2, FRAME]

    echo, echoes = effects.echo(state.echo, buses[:, 2], 3 * _frames_per_step(codes[:, tokens.CLOCK]))
    wet = before[:, 1, None] + (after - before)[:, 1, None] * _RAMP
    wet = (0.30 + 0.75 * wet)[:, None]
    reverb, tail = effects.reverb(state.reverb, wet * (buses[:, 1] + drums_send) + 0.12 * echoes, after[:, 1])
    dry = buses[:, 0] + drums + bed + 0.8 * echoes + tail
    shelved, edge = effects.air(dry, state.edge, 0.40 + 0.35 * after[:, 2])
    loud, next_loud = (_makeup(m[:, 0])[:, None, None] for m in (before, after))
    audio = shelved * (loud + (next_loud - loud) * _RAMP)
    new = SynthState(playing, players, echo, reverb, after, edge, jnp.ones_like(state.started))
    return new, audio.swapaxes(1, 2)


def _mix(weights: Array, sound: Array) -> Array:
    """All buses as one product per segment: [B, 3, 2, 2, V] and [B, SEGMENTS, 2, V, SEGMENT] to [B, 3, 2, FRAME]."""
    rows, segments = sound.shape[:2]
    flat = weights.reshape(rows, 1, 6, -1)
    spread = jnp.broadcast_to(flat, (rows, segments, *flat.shape[2:]))
    source = sound.reshape(rows, segments, -1, sound.shape[-1])
    mixed = lax.dot_general(spread, source, (((3,), (2,)), ((0, 1), (0, 1))), precision=lax.Precision.HIGHEST)
    return mixed.swapaxes(1, 2).reshape(rows, 3, 2, FRAME)
