# SPDX-License-Identifier: Apache-2.0
"""Logits of one level: its head, plus learned gates for codes that music is likely to continue with.

* plan levels: the code that continues the previous frame (the clock's successor, the key with its bar counted on);
* chord and event levels: the codes exactly 1, 2 and 4 bars ago;
* lead: what the piano roll asks for; drums: silence where the drum flag is off.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm.config import LEAD_PITCHES, TAP_LEVELS
from segue_engine.models.starter.lm.embeddings import Tables
from segue_engine.models.starter.lm.inputs import FrameInputs
from segue_engine.models.starter.lm.params import Params

_KEY, _CHORD = tokens.CODEBOOKS[tokens.KEY], tokens.CODEBOOKS[tokens.CHORD]
_MOTIFS: Final = len(tokens.MOTIFS)
_TONIC: Final[NDArray[np.int32]] = _KEY.table("tonic")
_ROOT: Final[NDArray[np.int32]] = _CHORD.table("root")
_LEAD_ZERO: Final = np.stack([tokens.voice_midi(tokens.LEAD, 0, tonic, np.arange(12)) for tonic in range(12)]).astype(
    np.int32
)  # MIDI note of lead pitch 0, [tonic, root]
_BARS: Final = tokens.BARS_PER_PHRASE
_NO_HITS: Final = (tokens.CODEBOOKS[tokens.DRUMS].table("hits") == 0).astype(np.float32)[None]
_ROLL_TO_CODES: Final = np.zeros((2 + LEAD_PITCHES, tokens.SIZES[tokens.LEAD]), np.float32)
_ROLL_TO_CODES[tokens.SILENT, tokens.SILENT] = _ROLL_TO_CODES[tokens.HOLD, tokens.HOLD] = 1
_ROLL_TO_CODES[2 + tokens.CODEBOOKS[tokens.LEAD].table("pitch")[2:], np.arange(2, tokens.SIZES[tokens.LEAD])] = 1


class Roll(NamedTuple):
    """A piano roll turned into lead pitches: float32[.., 48] each, and whether there is a roll at all, bool[..]."""

    onset: jax.Array
    held: jax.Array
    present: jax.Array


def read_roll(notes: jax.Array, key: jax.Array, chord: jax.Array) -> Roll:
    """Roll int8[.., 128] under this frame's key and chord codes; "on" counts half as onset, half as held."""
    zero = jnp.asarray(_LEAD_ZERO)[jnp.asarray(_TONIC)[key], jnp.asarray(_ROOT)[chord]]
    pitch = zero[..., None] + np.arange(LEAD_PITCHES, dtype=np.int32)
    cells = jnp.take_along_axis(
        notes.astype(jnp.int32), jnp.broadcast_to(pitch, (*notes.shape[:-1], LEAD_PITCHES)), axis=-1
    )
    half = 0.5 * (cells == 3)
    return Roll((cells == 2) + half, (cells == 1) + half, jnp.any(notes >= 0, axis=-1))


def roll_vector(params: Params, roll: Roll) -> jax.Array:
    """[.., depth width] added at the lead's position, zero without a roll."""
    p = params["roll"]
    quiet = jnp.sum(roll.onset + roll.held, axis=-1, keepdims=True) == 0
    vector = roll.onset @ p["onset"] + roll.held @ p["held"] + p["present"] + jnp.where(quiet, p["silent"], 0.0)
    return jnp.where(roll.present[..., None], vector, 0.0)


def continuation(level: int, previous: jax.Array, clock: jax.Array | None) -> jax.Array:
    """The plan code that goes on from the previous frame's code; the key needs this frame's clock."""
    if level == tokens.CLOCK:
        return jnp.asarray(tokens.CLOCK_SUCCESSOR)[previous]
    if level == tokens.KEY:
        assert clock is not None
        on_bar = jnp.asarray(tokens.CLOCK_POSITION)[clock] == 0
        bar = previous % _BARS
        return jnp.where(on_bar, previous - bar + (bar + 1) % _BARS, previous)
    return previous


def level_logits(
    params: Params,
    tables: Tables,
    level: int,
    state: jax.Array,
    inputs: FrameInputs,
    codes: list[jax.Array],
    *,
    gate_offset: jax.Array | None = None,
    roll: Roll | None = None,
    strength: tuple[jax.Array, jax.Array] | None = None,
) -> jax.Array:
    """Logits [.., size] of a level from the depth state [.., depth width] and the frame's lower codes (int32[..] each).

    gate_offset [..] is taken from the plan's copy gates; roll is needed at the lead; strength scales the gates of notes
    and drums.
    """
    gates = params["gates"]
    logits = state @ tables.head[level] + tables.bias[level]
    if level < tokens.PLAN_LEVELS:
        gate = state @ gates["copy_w"][level] + gates["copy_b"][level]
        if gate_offset is not None:
            gate = gate - gate_offset
        follow = continuation(level, inputs.previous[..., level], codes[0] if codes else None)
        logits = _add_at(logits, follow[..., None], jnp.where(inputs.start, 0.0, gate)[..., None])
    if level in TAP_LEVELS:
        place = TAP_LEVELS.index(level)
        gate = state @ gates["tap_w"][place] + gates["tap_f"][place, 0]
        if level > tokens.CHORD:
            chord, tapped = codes[tokens.CHORD][..., None], inputs.taps[..., 0]
            same_motif, same_chord = chord % _MOTIFS == tapped % _MOTIFS, chord // _MOTIFS == tapped // _MOTIFS
            rows = gates["tap_f"][place]
            gate = gate + jnp.where(same_motif, rows[1], 0.0) + jnp.where(same_chord, rows[2], 0.0)
        logits = _add_at(logits, inputs.taps[..., place], jnp.where(inputs.tapped, gate, 0.0))
    if level == tokens.LEAD:
        assert roll is not None
        logits = logits + _roll_gates(params, state, roll, None if strength is None else strength[0])
    if level == tokens.DRUMS:
        hot = (inputs.drums[..., None] == np.arange(2)).astype(state.dtype)
        gate = jnp.sum(hot * (state @ gates["drums_w"].T), axis=-1, keepdims=True)
        if strength is not None:
            gate = gate * strength[1][..., None]
        logits = logits + gate @ _NO_HITS
    return logits


def _roll_gates(params: Params, state: jax.Array, roll: Roll, strength: jax.Array | None) -> jax.Array:
    """Logits [.., lead size] for what the roll asks for, zero without a roll."""
    gate = state @ params["gates"]["roll_w"] + params["gates"]["roll_b"]
    if strength is not None:
        gate = gate * strength[..., None]
    gate = jnp.where(roll.present[..., None], gate, 0.0)
    onset, held = jnp.max(roll.onset, axis=-1), jnp.max(roll.held, axis=-1)
    idle = jnp.stack([(1 - onset) * (1 - held) * gate[..., 0], held * gate[..., 1]], axis=-1)
    return jnp.concatenate([idle, roll.onset * gate[..., 2:]], axis=-1) @ _ROLL_TO_CODES


def _add_at(logits: jax.Array, codes: jax.Array, amounts: jax.Array) -> jax.Array:
    """logits [.., n] with amounts [.., k] added at codes int32[.., k], which may have fewer rows to be shared.

    A scatter, because XLA:CPU would compute the amounts anew for every code if they were compared and selected.
    """
    n = logits.shape[-1]
    flat, by = logits.reshape(-1, n), amounts.reshape(-1, amounts.shape[-1])
    at = jnp.broadcast_to(codes, amounts.shape).reshape(by.shape).astype(jnp.uint32)
    rows = np.arange(len(flat), dtype=np.uint32)[:, None]
    return flat.at[rows, at].add(by, mode="promise_in_bounds").reshape(logits.shape)
