# SPDX-License-Identifier: Apache-2.0
"""Note slots: who plays what since when, and the control curves that follow from it.

Every voice owns a few slots and uses them in turn, so that released notes ring on. Envelopes are closed forms in the
age of a note, counted in whole frames and saturating, so the state stays finite however long a session runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from segue_engine.models.starter import tokens
from segue_engine.models.starter.synth import oscillators, patches
from segue_engine.models.starter.synth.oscillators import FRAME, PHASE_PER_HZ, POINT_TIMES, SAMPLE_RATE, Controls

VOICES: Final = (tokens.BASS, tokens.PAD, tokens.ARP, tokens.LEAD, tokens.COUNTER)
PAD_NOTES: Final = 4
BANKS: Final = (2, 2, 4, 2, 2)  # how many notes (pad: chords) of a voice can sound at once
_WIDTHS: Final = tuple(b * (PAD_NOTES if v == tokens.PAD else 1) for v, b in zip(VOICES, BANKS, strict=True))
SLOTS: Final = sum(_WIDTHS)
_VOICE_OF_SLOT: Final = np.repeat(np.arange(len(VOICES)), _WIDTHS)
_BANK_OF_SLOT: Final = np.concatenate(
    [np.arange(w) // (PAD_NOTES if v == tokens.PAD else 1) for v, w in zip(VOICES, _WIDTHS, strict=True)]
)
SLOT_PAN: Final = np.concatenate(
    [[0.0] * 2, [-0.35, 0.25, -0.15, 0.35] * 2, [-0.3, 0.3, -0.15, 0.15], [0.08, -0.08], [0.3, 0.3]]
).astype(np.float32)
"""Where each slot stands: -1 left, 1 right."""

OLDEST: Final = 10_000  # frames at which ages saturate: by then every envelope has died away
GUARD_SECONDS: Final = 12.0  # a note held longer than this fades out
_SOFT: Final = (0.62, 1.0)  # velocities of a two-step code
_TOUCH: Final = (0.5, 0.75, 1.0)  # and of a three-step code
_LFO_PER_HZ: Final = float(
    2**32 / 8 / SAMPLE_RATE
)  # the phase wraps after eight cycles: vibrato, and drift at 1/8 of it

_TONES: Final = np.array(
    [
        (*t, t[0] + 12, t[1] + 12) if len(t) == 2 else (*t, t[0] + 12) if len(t) == 3 else t
        for t in (tokens.QUALITY_TONES[q] for q in tokens.QUALITIES)
    ],
    np.int32,
)  # [8, 4] ascending


class Notes(NamedTuple):
    """Slot state; every leaf has the row axis first. V = SLOTS."""

    phase: Array  # int32[B, 2, V], wraps after PHASE_CYCLES
    lfo: Array  # int32[B, V]
    hertz: Array  # f32[B, V]
    velocity: Array  # f32[B, V], 0 = never played
    patch: Array  # int32[B, V], row of the patch table
    age: Array  # int32[B, V], frames since the onset
    released: Array  # int32[B, V], frames since the release, -1 while held
    last: Array  # f32[B, 2, V], the last sample of each oscillator
    bank: Array  # int32[B, 5], where the last note of each voice went


def init_notes(rows: int) -> Notes:
    """Silence."""
    real = jnp.zeros((rows, SLOTS), jnp.float32)
    count = jnp.zeros((rows, SLOTS), jnp.int32)
    pair = jnp.zeros((rows, 2, SLOTS), jnp.float32)
    old = jnp.full((rows, SLOTS), OLDEST, jnp.int32)
    banks = jnp.zeros((rows, len(VOICES)), jnp.int32)
    return Notes(pair.astype(jnp.int32), count, real + 220.0, real, count, old, old, pair, banks)


def pad_midi(voicing: Array, tonic: Array, root: Array, quality: Array) -> Array:
    """MIDI notes of the pad's chord, [..., 4], unordered.

    A voicing is inversion · 2 + octave; octave 0 has its root an octave below the voices' base, an inversion lifts that
    many of the lowest tones by an octave. Triads double the root, power chords root and fifth.
    """
    tones = jnp.asarray(_TONES)[quality]
    lifted = tones + 12 * (jnp.arange(PAD_NOTES) < (voicing // 2)[..., None])
    return lifted + (_base(tonic) + _folded(root) + 12 * (voicing % 2) - 12)[..., None]


def _base(tonic: Array) -> Array:
    return 54 + (tonic + 6) % 12


def _folded(root: Array) -> Array:
    return (root + 4) % 12 - 4


class _Onsets(NamedTuple):
    """What the codes of a frame start and stop, per slot of the bank that is next in turn: [B, V]."""

    starts: Array
    stops: Array
    midi: Array
    velocity: Array
    patch: Array


def _read(codes: Array) -> tuple[Array, Array, _Onsets]:
    """Per voice: onset and silent flags [B, 5]; per slot: pitch, velocity and patch that an onset would get."""
    tonic = codes[:, tokens.KEY] // 64
    root, quality = codes[:, tokens.CHORD] // 32, codes[:, tokens.CHORD] // 4 % 8
    low, high = codes[:, tokens.PALETTE_LOW], codes[:, tokens.PALETTE_HIGH]
    patch = jnp.stack([low // 128, high // 64, high // 8 % 8, high % 8, low % 4], 1) + np.array(patches.FIRST_PATCH)
    voice = codes[:, tokens.BASS : tokens.COUNTER + 1]
    effect = codes[:, tokens.COUNTER :] >= tokens.FIRST_EFFECT
    is_counter = np.arange(len(VOICES)) == len(VOICES) - 1
    onset = (voice >= tokens.FIRST_ONSET) & ~(is_counter & effect)
    silent = (voice == tokens.SILENT) | (is_counter & effect)
    digits = jnp.maximum(voice - tokens.FIRST_ONSET, 0)
    steps = np.array([tokens.CODEBOOKS[v].fields[-1].size for v in VOICES])
    velocity = jnp.where(
        steps == 3, jnp.asarray(_TOUCH, jnp.float32)[digits % 3], jnp.asarray(_SOFT, jnp.float32)[digits % 2]
    )
    pitch = digits // steps
    root_midi = _base(tonic) + _folded(root)
    single = root_midi[:, None] + pitch - 12 - 24 * (np.array(VOICES) == tokens.BASS)
    chord = jnp.tile(pad_midi(jnp.minimum(pitch[:, 1], 7), tonic, root, quality), (1, BANKS[1]))
    first, last = _WIDTHS[0], _WIDTHS[0] + _WIDTHS[1]
    per_slot = single[:, _VOICE_OF_SLOT]
    midi = jnp.concatenate([per_slot[:, :first], chord, per_slot[:, last:]], 1)
    by_slot = (onset, silent, velocity, patch)
    starts, stops, velocity, patch = (x[:, _VOICE_OF_SLOT] for x in by_slot)
    return onset, silent, _Onsets(starts, stops, midi, velocity, patch)


def play(notes: Notes, rows: Array, codes: Array) -> tuple[Notes, Array]:
    """Applies the voices' codes (int32[B, 12], in range) at the start of a frame; `rows` is the patch table.

    Returns the notes and the values f32[B, 2, V] at which slots were cut off because a new note took them.
    """
    onset, _, read = _read(codes)
    bank = jnp.where(onset, (notes.bank + 1) % np.array(BANKS), notes.bank)
    taken = read.starts & (bank[:, _VOICE_OF_SLOT] == _BANK_OF_SLOT)
    let_go = (read.starts | read.stops) & (notes.released < 0)
    released = jnp.where(taken, -1, jnp.where(let_go, 0, notes.released))
    octave = rows[:, patches.FIELDS["octave"]][read.patch]
    hertz = 440.0 * jnp.exp2((read.midi.astype(jnp.float32) - 69.0) / 12.0 + octave)
    restart = taken & (rows[:, patches.FIELDS["reset"]][read.patch] > 0.5)
    cut = jnp.where(taken[:, None], notes.last, 0.0)
    return notes._replace(
        phase=jnp.where(restart[:, None], 0, notes.phase),
        hertz=jnp.where(taken, hertz, notes.hertz),
        velocity=jnp.where(taken, read.velocity, notes.velocity),
        patch=jnp.where(taken, read.patch, notes.patch),
        age=jnp.where(taken, 0, notes.age),
        released=released,
        bank=bank,
    ), cut


@dataclass(frozen=True)
class Timbres:
    """The patch row of each slot, by the name of the field: [B, V] each."""

    values: Array  # [B, V, fields]

    def __getattr__(self, name: str) -> Array:
        return self.values[..., patches.FIELDS[name]]


def timbres(notes: Notes, rows: Array) -> Timbres:
    """Looks the patch of every slot up."""
    return Timbres(rows[notes.patch])


def steps(notes: Notes, timbre: Timbres) -> Array:
    """Phase increments per sample of the left and right oscillators, int32[B, 2, V]."""
    side = np.array([-0.5, 0.5], np.float32)[:, None] / 1200.0
    hertz = notes.hertz[:, None] * jnp.exp2(timbre.detune[:, None] * side)
    return (hertz * PHASE_PER_HZ).astype(jnp.int32)


def controls(notes: Notes, timbre: Timbres, brightness: Array, level: Array, duck: Array) -> Controls:
    """Control curves of a frame. `brightness`, `level`, `duck` [B, POINTS]: cutoff factor, gain, ducking in 0..1."""
    now = POINT_TIMES[None, :, None]

    def at(x: Array) -> Array:
        return x[:, None, :]

    seconds = at(notes.age).astype(jnp.float32) * (FRAME / SAMPLE_RATE) + now
    off = jnp.where(at(notes.released) < 0, 0.0, at(notes.released).astype(jnp.float32) * (FRAME / SAMPLE_RATE) + now)
    fade = off * at(1.0 / timbre.release) + jnp.maximum(seconds - GUARD_SECONDS, 0.0) * 0.5
    sustain = at(timbre.sustain)
    decay = sustain + (1.0 - sustain) * jnp.exp(-seconds * at(1.0 / timbre.decay))
    rise = 1.0 - jnp.exp(-seconds * at(3.0 / timbre.attack))
    strike = jnp.exp(-seconds * at(1.0 / timbre.mod_decay))
    soft = 1.0 - timbre.touch * (1.0 - notes.velocity)
    opened = brightness[..., None] * at(soft * timbre.cutoff) * (1.0 + at(timbre.cutoff_env) * strike)
    ratio = jnp.minimum(at(notes.hertz) / jnp.minimum(opened, 11_000.0), 6.0)
    rolloff = jnp.exp(-ratio)
    gain = level[..., None] * at(notes.velocity * timbre.trim) * (1.0 - at(timbre.duck) * duck[..., None])
    gain = gain * rise * decay * jnp.exp(-jnp.minimum(fade, 80.0))

    cycle = at(notes.lfo).astype(jnp.float32) * oscillators.PHASE_TO_CYCLES + now * at(timbre.rate * 0.125)
    cents = at(notes.hertz * (5.7779e-4 / (2 * np.pi) / timbre.rate))  # phase deviation in cycles per cent of vibrato
    settle = jnp.minimum(seconds * 2.0, 1.0)
    vibrato = at(timbre.vibrato) * settle * settle * (3.0 - 2.0 * settle) * oscillators.sine(cycle * 8.0)
    drift = at(timbre.drift) * 8.0 * oscillators.sine(cycle)
    bend = jnp.stack([cents * (vibrato + drift), cents * (vibrato - drift)], 2)
    depth = at(soft) * (at(timbre.index) + at(timbre.index_env) * strike) / (2 * np.pi)
    return Controls(
        bend=bend,
        rolloff=rolloff,
        depth=depth,
        series=gain * at(timbre.series) / rolloff,
        fm=gain * at(timbre.fm),
        noise=gain * (at(timbre.noise) + at(timbre.noise_env) * strike) * jnp.sqrt(brightness)[..., None],
    )


def advance(notes: Notes, timbre: Timbres, step: Array, last: Array) -> Notes:
    """The notes one frame later; `last` f32[B, 2, V] is the last sample each oscillator put out."""
    lfo = (timbre.rate * _LFO_PER_HZ).astype(jnp.int32) * FRAME
    aged = jnp.minimum(notes.age + 1, OLDEST)
    released = jnp.where(notes.released < 0, -1, jnp.minimum(notes.released + 1, OLDEST))
    return notes._replace(phase=notes.phase + step * FRAME, lfo=notes.lfo + lfo, age=aged, released=released, last=last)


def mixer(timbre: Timbres) -> Array:
    """Weights f32[B, 3, 2, 2, V] from (side, slot) to (dry, reverb, echo) × (left, right)."""
    own, other = 0.5 + 0.5 * timbre.width, 0.5 - 0.5 * timbre.width
    left, right = np.sqrt(1.0 - SLOT_PAN), np.sqrt(1.0 + SLOT_PAN)
    ears = jnp.stack([jnp.stack([own * left, other * left], 1), jnp.stack([other * right, own * right], 1)], 1)
    sends = jnp.stack([jnp.ones_like(own), timbre.reverb, timbre.echo], 1)
    return sends[:, :, None, None] * ears[:, None]
