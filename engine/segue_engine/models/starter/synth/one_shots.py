# SPDX-License-Identifier: Apache-2.0
"""Playback of drums, effects and ambience beds: everything that is sampled rather than synthesised.

Hits start on frames, so sounds are stored as whole frames ("blocks") and playing one is looking up one block a frame.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from segue_engine.models.starter import tokens
from segue_engine.models.starter.synth.oscillators import FRAME

DRUMS: Final = len(tokens.DRUM_VOICES)
TURNS: Final = 2  # players of each drum, used in turn; each has its own take of the sound
PLAYERS: Final = TURNS * (DRUMS + 1)  # the last pair plays effects
BED_FRAMES: Final = 200
_VOICE: Final = np.repeat(np.arange(DRUMS + 1), TURNS)
_TURN: Final = np.tile(np.arange(TURNS), DRUMS + 1)
_SENDS: Final = np.repeat(np.array([0.02, 0.14, 0.20, 0.06, 0.08, 0.16, 0.22, 0.12, 0.40], np.float32), TURNS)
_KICK, _SNARE = 0, 1
_ELECTRONIC: Final = tokens.KITS.index("electronic")
_FADE: Final = np.exp(-np.arange(1, FRAME + 1) / 90.0).astype(np.float32)


class Samples(NamedTuple):
    """Sampled sound as blocks; block 0 is silence."""

    blocks: Array  # f32[N, 2, FRAME]
    drum_start: Array  # int32[4 kits, 8 drums, TURNS]
    drum_length: Array  # int32, the same shape, in frames
    effect_start: Array  # int32[8]
    effect_length: Array  # int32[8]
    bed_start: Array  # int32[8]; a bed is BED_FRAMES blocks that loop; bed 0 is silence
    noise: Array  # f32[M, SEGMENTS, 2, SEGMENT], a loop of bright noise for the breath of the notes


class Players(NamedTuple):
    """Playback state; every leaf has the row axis first. P = PLAYERS."""

    start: Array  # int32[B, P], first block of what is playing
    length: Array  # int32[B, P], in frames
    age: Array  # int32[B, P], frames played; at `length` the player rests
    gain: Array  # f32[B, P]
    last: Array  # f32[B, P, 2], the last sample put out
    turn: Array  # int32[B, DRUMS + 1]
    bed: Array  # int32[B]
    bed_gain: Array  # f32[B]
    clock: Array  # int32[B], frames modulo the length of every loop
    duck: Array  # f32[B], how far the electronic kick pushes others down, at the start of the frame


LOOP: Final = BED_FRAMES  # also a multiple of the length of the noise loop


def init_players(rows: int) -> Players:
    """Silence."""
    whole = jnp.zeros((rows, PLAYERS), jnp.int32)
    row = jnp.zeros((rows,), jnp.int32)
    real = jnp.zeros((rows,), jnp.float32)
    return Players(
        start=whole, length=whole, age=whole, gain=whole.astype(jnp.float32),
        last=jnp.zeros((rows, PLAYERS, 2), jnp.float32), turn=jnp.zeros((rows, DRUMS + 1), jnp.int32),
        bed=row, bed_gain=real, clock=row, duck=real,
    )  # fmt: skip


def trigger(players: Players, samples: Samples, codes: Array, loudness: Array) -> tuple[Players, Array, Array]:
    """Starts the hits and the effect of a frame's codes (in range); `loudness` f32[B] scales new hits.

    Returns the players, the stereo value f32[B, 2] that cut-off sounds leave behind, and bool[B]: a ducking kick fell.
    """
    kit = codes[:, tokens.PALETTE_LOW] // 32 % 4
    hits = codes[:, tokens.DRUMS] // 2
    accent = codes[:, tokens.DRUMS] % 2
    hit = (hits[:, None] >> np.arange(DRUMS)) & 1 > 0
    effect = codes[:, tokens.COUNTER] - tokens.FIRST_EFFECT
    struck = jnp.concatenate([hit, (effect >= 0)[:, None]], 1)
    turn = jnp.where(struck, (players.turn + 1) % TURNS, players.turn)
    taken = struck[:, _VOICE] & (turn[:, _VOICE] == _TURN)

    def both(drums: Array, effects: Array) -> Array:
        of_kit = drums[kit].reshape(-1, DRUMS * TURNS)
        return jnp.concatenate([of_kit, jnp.repeat(effects[jnp.maximum(effect, 0)][:, None], TURNS, 1)], 1)

    start = both(samples.drum_start, samples.effect_start)
    length = both(samples.drum_length, samples.effect_length)
    gain = loudness[:, None] * jnp.where(accent[:, None] > 0, 1.0, 0.74) * np.ones(PLAYERS, np.float32)
    gain = jnp.where(_VOICE == DRUMS, 1.0, gain)
    left = jnp.where((taken & (players.age < players.length))[..., None], players.last, 0.0).sum(1)
    return players._replace(
        start=jnp.where(taken, start, players.start),
        length=jnp.where(taken, length, players.length),
        age=jnp.where(taken, 0, players.age),
        gain=jnp.where(taken, gain, players.gain),
        turn=turn,
    ), left, hit[:, _KICK] & (kit == _ELECTRONIC)  # fmt: skip


def play(players: Players, samples: Samples, left: Array) -> tuple[Players, Array, Array]:
    """One frame of all players: the dry mix and the reverb send, f32[B, 2, FRAME] each."""
    sounding = players.age < players.length
    block = jnp.where(sounding, players.start + players.age, 0)
    sound = jnp.take(samples.blocks, block, axis=0, mode="clip")  # [B, P, 2, FRAME]
    gain = jnp.where(sounding, players.gain, 0.0)
    weights = jnp.stack([gain, gain * _SENDS], 1)
    mixed = lax.dot_general(weights, sound, (((2,), (1,)), ((0,), (0,))), precision=lax.Precision.HIGHEST)
    dry = mixed[:, 0] + left[:, :, None] * _FADE
    age = jnp.minimum(players.age + 1, players.length)
    return players._replace(age=age, last=sound[..., -1] * gain[..., None]), dry, mixed[:, 1]


def ambience(players: Players, samples: Samples, wanted: Array) -> tuple[Players, Array]:
    """One frame of the bed `wanted` int32[B]: fades the present bed out, then the wanted one in. f32[B, 2, FRAME]."""
    target = jnp.where((players.bed == wanted) & (wanted > 0), 1.0, 0.0)
    gain = players.bed_gain + jnp.clip(target - players.bed_gain, -1 / 20, 1 / 30)  # 0.8 s out, 1.2 s in
    block = jnp.where(players.bed > 0, samples.bed_start[players.bed] + players.clock, 0)
    ramp = players.bed_gain[:, None] + (gain - players.bed_gain)[:, None] * _RAMP
    sound = jnp.take(samples.blocks, block, axis=0, mode="clip") * ramp[:, None]
    bed = jnp.where(gain <= 0.0, wanted, players.bed)
    return players._replace(bed=bed, bed_gain=gain, clock=(players.clock + 1) % LOOP), sound


_RAMP: Final = ((np.arange(FRAME) + 1) / FRAME).astype(np.float32)
DUCK_DECAY: Final = 0.13
DUCK_ATTACK: Final = 0.006


def ducking(players: Players, kicked: Array, times: Array) -> tuple[Players, Array]:
    """The ducking curve f32[B, len(times)], 0 none to 1 full, at `times` in seconds; the last is the frame's end."""
    fall = jnp.exp(-times / DUCK_DECAY)
    pushed = jnp.where(kicked, 1.0 - players.duck, 0.0)[:, None]
    curve = players.duck[:, None] * fall + pushed * (fall - jnp.exp(-times / DUCK_ATTACK))
    return players._replace(duck=jnp.clip(curve[:, -1], 0.0, 1.0)), curve
