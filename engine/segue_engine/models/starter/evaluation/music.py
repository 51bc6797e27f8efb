# SPDX-License-Identifier: Apache-2.0
"""Musical figures of a token sequence: metre, key, harmony, repetition, density. numpy only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segue_engine.models.starter import tokens as tk

FRAMES_PER_SECOND: Final = 25.0
_PITCHED: Final = (tk.BASS, tk.ARP, tk.LEAD, tk.COUNTER)
_VELOCITIES: Final = {tk.BASS: 2, tk.ARP: 2, tk.LEAD: 3, tk.COUNTER: 2}
_SCALES: Final = np.zeros((len(tk.MODES), 12), np.bool_)
for _i, _mode in enumerate(tk.MODES):
    _SCALES[_i, list(tk.MODE_SCALES[_mode])] = True
_TONES: Final = np.zeros((len(tk.QUALITIES), 12), np.bool_)
for _i, _quality in enumerate(tk.QUALITIES):
    _TONES[_i, list(tk.QUALITY_TONES[_quality])] = True
_POWER: Final = tk.QUALITIES.index("power")


@dataclass(frozen=True)
class Figures:
    """Shares are 0..1 and NaN where there is nothing to measure.

    `clock`: frames whose clock is the successor of the frame before. `in_key`: notes of bass, arp, lead and counter
    in the declared mode. `on_grid`: onsets and hits on the sixteenth (or swing) grid. `bass_chord`: bass notes that
    are chord tones. `strong_chord`: lead, arp and counter notes on beats 1 and 3 that are chord tones (over power
    chords the mode's third counts). `motif_exact` / `motif_rhythm`: lead bars that restate one of the 8 bars before,
    note for note relative to the chord / in rhythm. `lead_distinct`: distinct lead bars / lead bars. `motif_field`:
    bars whose motif field agrees with whether the lead plays. `drum_jaccard`: overlap of drum hits with the bar
    before. `stuck`: bars in a run of more than 8 identical bars. `silent_bars`, `silent_frames`: without any event.
    Rates are per second. `drums_obey`: frames with drums bit 0 that are free of hits.
    """

    clock: float
    in_key: float
    on_grid: float
    bass_chord: float
    strong_chord: float
    motif_exact: float
    motif_rhythm: float
    lead_distinct: float
    motif_field: float
    drum_jaccard: float
    stuck: float
    silent_bars: float
    silent_frames: float
    notes_per_second: float
    lead_per_second: float
    hits_per_second: float
    effects_per_minute: float
    drums_obey: float
    bpm: float
    intensity: float

    def as_dict(self) -> dict[str, float]:
        return {name: float(value) for name, value in asdict(self).items()}


def mean_figures(figures: Iterable[Figures]) -> Figures:
    """Mean of each figure over pieces, NaN left out."""
    rows = np.array([[getattr(f, x.name) for x in fields(Figures)] for f in figures], np.float64)
    if not len(rows):
        raise ValueError("figures: expected at least one piece")
    known = ~np.isnan(rows)
    total, count = np.where(known, rows, 0.0).sum(0), known.sum(0)
    means = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return Figures(*(float(m) for m in means))


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if hits.size else float("nan")


def _bar_slices(position: NDArray[np.int32]) -> list[tuple[int, int]]:
    """Whole bars as (first, end) frames: from a position 0 to the next, if no restart cut them short."""
    starts = np.flatnonzero(position == 0)
    out = []
    for begin, end in pairwise(starts):
        if (np.diff(position[begin:end]) == 1).all():
            out.append((int(begin), int(end)))
    return out


def measure(tokens: ArrayLike) -> Figures:
    """Figures of tokens int[T, 12], T >= 2. Raises ValueError for a wrong shape or a code out of range."""
    x = np.asarray(tokens, np.int64)
    if x.ndim != 2 or x.shape[1] != tk.LEVELS or len(x) < 2:
        raise ValueError(f"tokens: expected [T >= 2, {tk.LEVELS}], got {list(x.shape)}")
    if x.min() < 0 or (x >= np.array(tk.SIZES)).any():
        raise ValueError("tokens: a code is out of its level's range")
    clock = x[:, tk.CLOCK]
    step, sub, position = tk.CLOCK_STEP[clock], tk.CLOCK_SUBFRAME[clock], tk.CLOCK_POSITION[clock]
    mode, root, quality = x[:, tk.KEY] // 8 % 8, x[:, tk.CHORD] // 32, x[:, tk.CHORD] // 4 % 8
    grid = (sub == 0) | ((sub == 1) & (step % 2 == 1))
    seconds = len(x) / FRAMES_PER_SECOND

    in_key, bass_chord, strong, on_grid = [], [], [], []
    notes = 0
    chordal = _TONES[quality]
    power = quality == _POWER
    for third in (3, 4):
        chordal[power, third] = _SCALES[mode[power], (root[power] + third) % 12]
    for level in _PITCHED:
        code = x[:, level]
        on = np.flatnonzero((code >= tk.FIRST_ONSET) & ((level != tk.COUNTER) | (code < tk.FIRST_EFFECT)))
        interval = ((code[on] - tk.FIRST_ONSET) // _VELOCITIES[level] - 12) % 12
        in_key.append(_SCALES[mode[on], (root[on] + interval) % 12])
        tone = chordal[on, interval]
        if level == tk.BASS:
            bass_chord.append(tone)
        else:
            strong.append(tone[(step[on] % 8 == 0) & (sub[on] == 0)])
        on_grid.append(grid[on])
        notes += len(on)
    pads = np.flatnonzero(x[:, tk.PAD] >= tk.FIRST_ONSET)
    hits = x[:, tk.DRUMS] // 2
    count = np.array([bin(int(h)).count("1") for h in range(256)])[hits]
    on_grid += [grid[pads], grid[np.flatnonzero(hits)]]
    quiet = (x[:, tk.BASS :] == tk.SILENT).all(1) & (hits == 0)

    bars = _bar_slices(position)
    lead, drums, whole, silent, agrees = [], [], [], [], []
    for begin, end in bars:
        frames = int(tk.CLOCK_FRAMES[clock[begin]])
        part = x[begin:end]
        lead.append((frames, tuple(part[:, tk.LEAD])))
        drums.append(set(zip(step[begin:end][hits[begin:end] > 0], hits[begin:end][hits[begin:end] > 0], strict=True)))
        whole.append((frames, part[:, tk.CHORD].tobytes(), part[:, tk.DRUMS :].tobytes()))
        silent.append(bool(quiet[begin:end].all()))
        plays = bool((part[:, tk.LEAD] >= tk.FIRST_ONSET).any())
        agrees.append(plays == bool(part[0, tk.CHORD] % 4))
    exact, rhythm, distinct = _restatements(lead)
    overlap = [len(a & b) / len(a | b) for a, b in pairwise(drums) if a or b]
    effects = int((x[:, tk.COUNTER] >= tk.FIRST_EFFECT).sum())
    off = x[:, tk.MIX] & 1 == 0
    return Figures(
        clock=_share(tk.CLOCK_SUCCESSOR[clock[:-1]] == clock[1:]),
        in_key=_share(np.concatenate(in_key)),
        on_grid=_share(np.concatenate(on_grid)),
        bass_chord=_share(np.concatenate(bass_chord)),
        strong_chord=_share(np.concatenate(strong)),
        motif_exact=exact,
        motif_rhythm=rhythm,
        lead_distinct=distinct,
        motif_field=_share(np.array(agrees, np.bool_)),
        drum_jaccard=float(np.mean(overlap)) if overlap else float("nan"),
        stuck=_stuck(whole),
        silent_bars=_share(np.array(silent, np.bool_)),
        silent_frames=_share(quiet),
        notes_per_second=(notes + len(pads)) / seconds,
        lead_per_second=int((x[:, tk.LEAD] >= tk.FIRST_ONSET).sum()) / seconds,
        hits_per_second=int(count.sum()) / seconds,
        effects_per_minute=60.0 * effects / seconds,
        drums_obey=_share(hits[off] == 0),
        bpm=float(tk.tempo_bpm(clock).mean()),
        intensity=float((x[:, tk.MIX] // 32).mean()) / 7.0,
    )


def _restatements(lead: list[tuple[int, tuple[int, ...]]]) -> tuple[float, float, float]:
    """Shares of lead bars whose notes / rhythm one of the 8 bars before had, and distinct bars / lead bars."""
    notes = [
        tuple((i, (int(c) - tk.FIRST_ONSET) // 3) for i, c in enumerate(codes) if c >= tk.FIRST_ONSET)
        for _, codes in lead
    ]
    rhythms = [tuple(i for i, _ in bar) for bar in notes]
    exact, rhythm = [], []
    for i, bar in enumerate(notes):
        if bar and i:
            before = range(max(0, i - 8), i)
            exact.append(any(notes[j] == bar for j in before))
            rhythm.append(any(rhythms[j] == rhythms[i] for j in before))
    played = [bar for bar in notes if bar]
    if not exact:
        return float("nan"), float("nan"), float("nan")
    return float(np.mean(exact)), float(np.mean(rhythm)), len(set(played)) / len(played)


def _stuck(bars: list[tuple[int, bytes, bytes]]) -> float:
    """Share of bars in runs of more than 8 bars that are identical in chord and all events."""
    if not bars:
        return float("nan")
    stuck = run = 0
    for i, bar in enumerate(bars):
        run = run + 1 if i and bar == bars[i - 1] else 1
        if run == 9:
            stuck += 9
        elif run > 9:
            stuck += 1
    return stuck / len(bars)
