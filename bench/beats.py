# SPDX-License-Identifier: Apache-2.0
"""How right the tracked musical clock is, on music whose clock is known: the starter's, whose codes tell its beats.

Every style is played with drums for --seconds on a slot of its own, with onsets measured as for models without a clock.
The tracker hears the onsets only. Counted is from --skip seconds on:

- `trusted`: share of the time in which its confidence is at least 0.3
- `beats`: F-measure of its beats at ±70 ms, in trusted time; `beats_any_level`: the same where twice or half the true
  tempo counts as right
- `bars`: F-measure of its bar lines at ±70 ms, in trusted time
- `late_ms`: mean of tracked less true moment, of matched beats

Once as if the soundtrack named no tempo, once (`told`) as if it named each style's most usual one. `tracker_ms` is the
tracker's CPU time per frame for 300 places, whose event loop has 40 ms.

    python bench/beats.py --seed 7000 --json bench/results/beats-starter-cpu.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.engine import SlotEngine
from segue_engine.contract import DRUMS_ON, FRAME_RATE, Conditioning, Prompt
from segue_engine.mastering import Mastering
from segue_engine.models.starter.model import StarterModel
from segue_engine.styles.starter_encoder import TagStyleEncoder
from segue_engine.styles.tags import FAMILIES
from segue_service.session.clocks import TrackedClocks
from segue_service.soundtrack import Music
from segue_service.soundtrack.clock import MIN_CONFIDENCE

TOLERANCE = 0.07
Moments = NDArray[np.float64]


def play(seed: int, seconds: int) -> tuple[NDArray[np.int16], NDArray[np.int16], Any]:
    """Codes [styles, frames, levels], vitals [styles, frames, VITALS], and the reader of their clock."""
    count, frames = len(FAMILIES), seconds * FRAME_RATE
    config = SlotEngineConfig(slots=count, bank_rows=count, sizes=(count,), rewind_frames=0)
    engine = SlotEngine(StarterModel.bundled(), Mastering(onsets=True), config, jax.local_devices())
    encoder = TagStyleEncoder.bundled()
    styles = encoder.quantise(encoder.embed([Prompt(f"{family}, drums") for family in FAMILIES]).embeddings)
    handles = [
        engine.insert(seed + number, Conditioning(style_codes=tuple(map(int, codes)), drums=DRUMS_ON))
        for number, codes in enumerate(styles)
    ]
    codes: list[NDArray[np.int16]] = []
    vitals: list[NDArray[np.int16]] = []
    while len(codes) < frames:
        blocks = engine.step(handles)
        if blocks is not None:
            order = np.argsort(blocks.slots)
            codes.append(blocks.codes[order, 0])
            vitals.append(blocks.vitals[order, 0])
    reader = engine.clock
    engine.close()
    return np.stack(codes, axis=1), np.stack(vitals, axis=1), reader


def f_measure(found: Moments, true: Moments) -> tuple[float, float]:
    """At ±70 ms, each true moment being found at most once; and the mean error of what is right, in seconds."""
    if not found.size or not true.size:
        return 0.0, 0.0
    taken: dict[int, float] = {}
    for moment in found:
        nearest = int(np.argmin(np.abs(true - moment)))
        if abs(true[nearest] - moment) <= TOLERANCE and nearest not in taken:
            taken[nearest] = moment - true[nearest]
    return 2.0 * len(taken) / (found.size + true.size), float(np.mean(list(taken.values()) or [0.0]))


def any_level(found: Moments, true: Moments) -> float:
    """The best F-measure against the beats, every second of them, or also what is half-way between them."""
    doubled = np.sort(np.concatenate([true, (true[1:] + true[:-1]) / 2]))
    return max(f_measure(found, level)[0] for level in (true, true[::2], true[1::2], doubled))


def measure(
    codes: NDArray[np.int16], vitals: NDArray[np.int16], reader: Any, skip: float, *, told: bool
) -> dict[str, Any]:
    """Figures of every style; told: whether the tracker knows the tempo that it mostly has."""
    places, frames = np.arange(len(codes)), codes.shape[1]
    read, figures = reader.read(codes.astype(np.int32)), {}
    first = int(skip * FRAME_RATE)
    usual = np.median(read.bpm[:, first:], axis=1)
    clocks = TrackedClocks(len(codes), codec_delay=0)
    for place in places.tolist() if told else ():
        clocks.expect(place, Music.model_validate({"tempo": float(usual[place])}), scored=False)
    found: list[list[tuple[float, int]]] = [[] for _ in places]
    sure = np.zeros((len(codes), frames), bool)
    bpm = np.zeros((len(codes), frames))
    for frame in range(frames):
        for beat in clocks.hear(places, np.full(len(places), frame), codes[:, frame], vitals[:, frame]):
            found[beat.place].append((beat.moment / FRAME_RATE, beat.beat))
        for place in places.tolist():
            sure[place, frame] = clocks.trusted(place)
            bpm[place, frame] = clocks.bpm(place)
    for place, family in enumerate(FAMILIES):
        heard = sure[place].copy()
        heard[:first] = False
        beats, bars = (np.flatnonzero(on[place] & heard) / FRAME_RATE for on in (read.on_beat, read.on_bar))
        heard_beats = np.array([moment for moment, _ in found[place] if heard[int(moment * FRAME_RATE)]])
        lines = np.array([m for m, beat in found[place] if beat == 0 and heard[int(m * FRAME_RATE)]])
        right, late = f_measure(heard_beats, beats)
        figures[family] = {
            "trusted": round(float(sure[place, first:].mean()), 3),
            "beats": round(right, 3),
            "beats_any_level": round(any_level(heard_beats, beats), 3) if len(beats) > 1 else 0.0,
            "bars": round(f_measure(lines, bars)[0], 3),
            "late_ms": round(1000.0 * late, 1),
            "bpm_true": round(float(usual[place]), 1),
            "bpm_tracked": round(float(np.median(bpm[place, first:][sure[place, first:]])), 1) if heard.any() else 0.0,
        }
    names = ("trusted", "beats", "beats_any_level", "bars", "late_ms")
    mean = {name: round(float(np.mean([figure[name] for figure in figures.values()])), 3) for name in names}
    return {"mean": mean, "styles": figures}


def tracker_ms(codes: NDArray[np.int16], vitals: NDArray[np.int16], places: int = 300) -> float:
    """CPU time of a frame with that many places."""
    rows, clocks = np.arange(places) % len(codes), TrackedClocks(places, codec_delay=0)
    spent: list[float] = []
    for frame in range(min(codes.shape[1], 20 * FRAME_RATE)):
        begins = time.process_time()
        list(clocks.hear(np.arange(places), np.full(places, frame), codes[rows, frame], vitals[rows, frame]))
        spent.append(time.process_time() - begins)
    return 1000.0 * float(np.mean(spent[5 * FRAME_RATE :]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=7000, help="of the first style; the next ones follow")
    parser.add_argument("--seconds", type=int, default=100, help="of each style")
    parser.add_argument("--skip", type=float, default=10.0, help="seconds at the start that are not counted")
    parser.add_argument("--json", type=Path, help="file for the figures")
    wanted = parser.parse_args()
    codes, vitals, reader = play(wanted.seed, wanted.seconds)
    figures: dict[str, Any] = {
        "model": "starter",
        "seed": wanted.seed,
        "seconds_per_style": wanted.seconds,
        "skipped_seconds": wanted.skip,
        "tolerance_ms": 1000 * TOLERANCE,
        "min_confidence": MIN_CONFIDENCE,
        "tracker_ms": round(tracker_ms(codes, vitals), 2),
        **measure(codes, vitals, reader, wanted.skip, told=False),
        "told": measure(codes, vitals, reader, wanted.skip, told=True),
    }
    print(f"{'style':12s} trusted  beats  any level  bars  late ms  bpm true  tracked")
    for name, row in figures["styles"].items():
        print(
            f"{name:12s} {row['trusted']:7.2f} {row['beats']:6.2f} {row['beats_any_level']:10.2f} {row['bars']:5.2f} "
            f"{row['late_ms']:8.1f} {row['bpm_true']:9.1f} {row['bpm_tracked']:8.1f}"
        )
    print("mean", figures["mean"])
    print("told", figures["told"]["mean"])
    print("tracker", figures["tracker_ms"], "ms a frame for 300 places")
    if wanted.json is not None:
        wanted.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
