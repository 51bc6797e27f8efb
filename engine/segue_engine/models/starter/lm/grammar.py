# SPDX-License-Identifier: Apache-2.0
"""What the composer never writes is never drawn: rules on the codes of a frame, given the codes below them.

* the clock goes on; where a beat is due the tempo may change and a bar may begin, but no beat is left out or repeated,
  so that a bar that is due begins;
* onsets and hits are on the sixteenth grid (or its swung off-beats);
* notes of bass, arp, lead and counter are in the key; those of the last three on beats 1 and 3 are chord tones.

The model knows all this from its training, but for a per cent or two of its notes, which are the ones that sound wrong.
A piano roll may ask the lead for any note, on any frame.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens

FORBIDDEN: Final = -1e9
"""The logit of what must not be drawn."""
_STRONG_STEPS: Final = 8
"""Beats 1 and 3 of four, in sixteenths."""
_VOICES: Final = (tokens.BASS, tokens.ARP, tokens.LEAD, tokens.COUNTER)
_CHORDAL: Final = (tokens.ARP, tokens.LEAD, tokens.COUNTER)

_ON_GRID: Final[NDArray[np.bool_]] = (tokens.CLOCK_SUBFRAME == 0) | (
    (tokens.CLOCK_SUBFRAME == 1) & (tokens.CLOCK_STEP % 2 == 1)
)
_STRONG: Final[NDArray[np.bool_]] = (tokens.CLOCK_STEP % _STRONG_STEPS == 0) & (tokens.CLOCK_SUBFRAME == 0)
_MODE: Final = tokens.CODEBOOKS[tokens.KEY].table("mode")
_ROOT: Final = tokens.CODEBOOKS[tokens.CHORD].table("root")
_QUALITY: Final = tokens.CODEBOOKS[tokens.CHORD].table("quality")
_MODES, _QUALITIES = len(tokens.MODES), len(tokens.QUALITIES)


def chord_tones(mode: int, root: int, quality: int) -> frozenset[int]:
    """Semitones above the root that belong to a chord; over a power chord the mode's own third counts too."""
    tones = set(tokens.QUALITY_TONES[tokens.QUALITIES[quality]])
    if tokens.QUALITIES[quality] == "power":
        tones |= {third for third in (3, 4) if (root + third) % 12 in tokens.MODE_SCALES[tokens.MODES[mode]]}
    return frozenset(tones)


def _starts(level: int) -> NDArray[np.bool_]:
    """[size]: codes that begin a note or hit."""
    codes = np.arange(tokens.SIZES[level])
    if level == tokens.DRUMS:
        return np.asarray(tokens.CODEBOOKS[level].table("hits") != 0)
    return np.asarray(codes >= tokens.FIRST_ONSET)


def _pitched(level: int) -> NDArray[np.bool_]:
    """[size]: codes that begin a note of a pitch; effects have none."""
    codes = np.arange(tokens.SIZES[level])
    return _starts(level) & ((level != tokens.COUNTER) | (codes < tokens.FIRST_EFFECT))


def _harmony(level: int) -> NDArray[np.bool_]:
    """[weak or strong, modes, roots, qualities → one axis, size]: which codes are wrong notes."""
    interval = (tokens.CODEBOOKS[level].table("pitch") - 12) % 12
    note = _pitched(level)
    wrong = np.zeros((2, _MODES, 12, _QUALITIES, len(note)), np.bool_)
    for mode in range(_MODES):
        scale = np.isin(np.arange(12), tokens.MODE_SCALES[tokens.MODES[mode]])
        for root in range(12):
            in_key = scale[(root + interval) % 12]
            wrong[0, mode, root] = note & ~in_key
            for quality in range(_QUALITIES):
                chordal = np.isin(interval, list(chord_tones(mode, root, quality)))
                wrong[1, mode, root, quality] = note & ~(in_key & chordal)
    return wrong.reshape(-1, len(note))


_STARTS: Final = {level: _starts(level) for level in (tokens.DRUMS, tokens.PAD, *_VOICES)}


class Rules(NamedTuple):
    """Wrong notes of bass, arp, lead and counter, bool[2 · modes · 12 · qualities, size] each."""

    bass: jax.Array
    arp: jax.Array
    lead: jax.Array
    counter: jax.Array


def load_rules() -> Rules:
    """The tables, on the default device."""
    return Rules(*(jnp.asarray(_harmony(level)) for level in _VOICES))


def forbidden(
    rules: Rules, level: int, previous_clock: jax.Array, start: jax.Array, codes: list[jax.Array], roll: jax.Array
) -> jax.Array | None:
    """bool[B, size]: a level's codes that must not be drawn; None where every code may be.

    previous_clock int32[B] of the frame before, start bool[B] where there is none, codes int32[B] each of the levels
    below, roll bool[B] where a piano roll is given.
    """
    if level == tokens.CLOCK:
        following = jnp.asarray(tokens.CLOCK_SUCCESSOR)[previous_clock]
        beat = jnp.asarray(tokens.CLOCK_POSITION)[following] % (
            tokens.STEPS_PER_BEAT * jnp.asarray(tokens.CLOCK_FRAMES)[following]
        )
        due = jnp.asarray(tokens.CLOCK_STEP)[following][:, None]
        begins = (tokens.CLOCK_SUBFRAME == 0) & ((tokens.CLOCK_STEP == 0) | (due == tokens.CLOCK_STEP))
        goes_on = following[:, None] == np.arange(tokens.SIZES[level])
        jumps: jax.Array = ~(goes_on | (beat == 0)[:, None] & begins | start[:, None])
        return jumps
    if level not in _STARTS:
        return None
    clock = codes[tokens.CLOCK]
    banned: jax.Array = ~jnp.asarray(_ON_GRID)[clock][:, None] & _STARTS[level]
    if level in _VOICES:
        mode, chord = jnp.asarray(_MODE)[codes[tokens.KEY]], codes[tokens.CHORD]
        strong = jnp.asarray(_STRONG)[clock] if level in _CHORDAL else jnp.zeros_like(clock, bool)
        place = (strong.astype(jnp.int32) * _MODES + mode) * 12 + jnp.asarray(_ROOT)[chord]
        banned = banned | rules[_VOICES.index(level)][place * _QUALITIES + jnp.asarray(_QUALITY)[chord]]
    return banned & ~roll[:, None] if level == tokens.LEAD else banned
