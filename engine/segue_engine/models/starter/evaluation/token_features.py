# SPDX-License-Identifier: Apache-2.0
"""What a style classifier may hear of tokens: the notes and hits alone, nothing that a plan code says.

Key and chord are used for one thing only, to make pitches absolute. numpy, vectorised over windows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens as tk

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

_VOICES: Final = (tk.BASS, tk.PAD, tk.ARP, tk.LEAD, tk.COUNTER)
_VELOCITIES: Final = {tk.BASS: 2, tk.PAD: 2, tk.ARP: 2, tk.LEAD: 3, tk.COUNTER: 2}
_GAPS: Final = np.array([1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 16, 19, 25, 31, 49])  # lower edges, frames between onsets
_LEAPS: Final = np.array([0, 1, 2, 3, 4, 5, 6, 8, 12, 13])  # lower edges, semitones between notes
_LAGS: Final = np.arange(2, 37)


def windows(tokens: NDArray[np.integer], length: int, hop: int) -> NDArray[np.integer]:
    """Windows [n, length, 12] of tokens [T, 12], every `hop` frames; a view. Raises ValueError if T < length."""
    if len(tokens) < length:
        raise ValueError(f"tokens: expected at least {length} frames, got {len(tokens)}")
    view = np.lib.stride_tricks.sliding_window_view(tokens, length, axis=0)[::hop]
    return np.asarray(view.swapaxes(1, 2))


def token_features(tokens: NDArray[np.integer]) -> FloatArray:
    """Features f32[n, D] of windows of tokens int[n, W, 12]: rhythm, register, intervals, drums; D is the same for
    all W.
    """
    if tokens.ndim != 3 or tokens.shape[2] != tk.LEVELS:
        raise ValueError(f"tokens: expected [n, W, {tk.LEVELS}], got {list(tokens.shape)}")
    x = tokens.astype(np.int64)
    count, length, _ = x.shape
    parts: list[NDArray[np.floating]] = []
    everything = np.zeros((count, length), np.float32)
    classes = np.zeros((count, 12))
    bass = np.zeros((count, 12))
    for level in _VOICES:
        onset, pitch, velocity = _notes(x, level)
        everything += onset
        profile = _histogram(onset, pitch % 12, 12)
        classes += profile
        if level == tk.BASS:
            bass = profile
        states = [onset, x[:, :, level] == tk.HOLD, x[:, :, level] == tk.SILENT]
        parts += [np.stack([s.mean(1) for s in states], 1), _mean(velocity, onset)]
        parts += [_gaps(onset), *_register(onset, pitch)]
    effect = x[:, :, tk.COUNTER] - tk.FIRST_EFFECT
    parts.append(_histogram(effect >= 0, effect, len(tk.EFFECTS)) / length)
    parts.append(_drums(x[:, :, tk.DRUMS], everything))
    parts.append(_self_similarity(everything))
    # Relative to the bass's favourite pitch class, so that the profile says scale, not key.
    centre = np.argmax(np.where(bass.any(1, keepdims=True), bass, classes), axis=1)
    turned = np.take_along_axis(classes, (centre[:, None] + np.arange(12)) % 12, axis=1)
    parts.append(turned / np.maximum(turned.sum(1, keepdims=True), 1.0))
    return np.concatenate([np.asarray(p, np.float32).reshape(count, -1) for p in parts], axis=1)


def _notes(x: IntArray, level: int) -> tuple[BoolArray, IntArray, IntArray]:
    """Onsets, MIDI notes and velocities [n, W] of a voice; pitches mean nothing where there is no onset."""
    code = x[:, :, level]
    onset = code >= tk.FIRST_ONSET
    if level == tk.COUNTER:
        onset &= code < tk.FIRST_EFFECT
    number = np.where(onset, code - tk.FIRST_ONSET, 0)
    pitch, velocity = np.divmod(number, _VELOCITIES[level])
    tonic, root = x[:, :, tk.KEY] // 64, x[:, :, tk.CHORD] // 32
    if level == tk.PAD:
        midi = tk.base_midi(tonic) + tk.folded_root(root) - 12 + 12 * (pitch % 2) + 3 * (pitch // 2)
    else:
        midi = tk.voice_midi(level, pitch, tonic, root)
    return onset, midi.astype(np.int64), velocity


def _histogram(mask: BoolArray, value: IntArray, size: int) -> NDArray[np.float64]:
    """Counts [n, size] of value where mask."""
    row, column = np.nonzero(mask)
    flat = row * size + value[row, column]
    return np.bincount(flat, minlength=len(mask) * size).reshape(len(mask), size).astype(np.float64)


def _mean(value: IntArray, mask: BoolArray) -> NDArray[np.float64]:
    return np.asarray((value * mask).sum(1) / np.maximum(mask.sum(1), 1))


def _previous(mask: BoolArray) -> IntArray:
    """Frame of the latest onset before each frame, -1 where there is none."""
    at = np.where(mask, np.arange(mask.shape[1]), -1)
    latest = np.maximum.accumulate(at, axis=1)
    return np.concatenate([np.full((len(mask), 1), -1), latest[:, :-1]], axis=1)


def _gaps(mask: BoolArray) -> NDArray[np.float64]:
    """Shares of times between onsets, by length."""
    before = _previous(mask)
    known = mask & (before >= 0)
    gap = np.searchsorted(_GAPS, np.arange(mask.shape[1]) - before, side="right") - 1
    counts = _histogram(known, np.maximum(gap, 0), len(_GAPS))
    return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1.0))


def _register(mask: BoolArray, pitch: IntArray) -> list[NDArray[np.float64]]:
    """Mean and spread of the pitch in octaves, and shares of melodic intervals by size."""
    played = mask.sum(1)
    mean = (pitch * mask).sum(1) / np.maximum(played, 1)
    spread = np.sqrt((((pitch - mean[:, None]) ** 2) * mask).sum(1) / np.maximum(played, 1))
    before = _previous(mask)
    known = mask & (before >= 0)
    leap = np.abs(pitch - np.take_along_axis(pitch, np.maximum(before, 0), axis=1))
    counts = _histogram(known, np.searchsorted(_LEAPS, leap, side="right") - 1, len(_LEAPS))
    octave = np.where(played > 0, (mean - 60.0) / 12.0, 0.0)
    return [octave, spread / 12.0, counts / np.maximum(counts.sum(1, keepdims=True), 1.0)]


def _drums(code: IntArray, everything: FloatArray) -> NDArray[np.float64]:
    """Rates of the eight drums and of accents, times between hits; hits count into `everything` too."""
    bits = (code[:, :, None] // 2 >> np.arange(len(tk.DRUM_VOICES))) & 1
    hit = np.asarray(bits.any(2), np.bool_)
    everything += hit
    accent = ((code % 2 == 1) & hit).mean(1)[:, None]
    gaps = [_gaps(hit)] + [_gaps(bits[:, :, voice].astype(np.bool_)) for voice in range(4)]
    return np.concatenate([bits.mean(1), accent, *gaps], axis=1)


def _self_similarity(onsets: FloatArray) -> FloatArray:
    """Autocorrelation of how much begins on each frame: what is left of tempo and metre without the clock code."""
    centred = onsets - onsets.mean(1, keepdims=True)
    power = np.maximum((centred**2).sum(1), 1e-6)
    rows = [(centred[:, lag:] * centred[:, :-lag]).sum(1) / power for lag in _LAGS if lag < onsets.shape[1]]
    rows += [np.zeros(len(onsets), np.float32)] * (len(_LAGS) - len(rows))
    return np.stack(rows, axis=1).astype(np.float32)
