# SPDX-License-Identifier: Apache-2.0
"""From the stream to the baked loop and back, in what a player rendered: silence, clicks, when the loop is whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from segue_engine.mastering.measure import roughness

RATE: Final = 48_000
CALLBACK: Final = 480
FADE: Final = 960
SILENT: Final = 2.0**-15
"""At most this, which is the last bit of 16, is silence."""
TAPS: Final = 16
"""To either side, of the filter that stands for the player's resampler."""
BLOCK: Final = 120
"""2.5 ms."""

Audio = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Change:
    """The mixer's mode changed in the callback that begins at `frame`. before, after: playhead around that callback."""

    frame: int
    mode: str
    state: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Log:
    """What a player wrote down. began: wall clock at frame 0, seconds since 1970."""

    began: float
    changes: tuple[Change, ...]

    def wall(self, frame: int) -> float:
        """When a frame was rendered, to a callback or two."""
        return self.began + frame / RATE

    def gone_dry(self) -> list[tuple[Change, Change | None]]:
        """Every time that the stream ran dry, and when it was heard again."""
        found = []
        for number, change in enumerate(self.changes):
            if change.mode == "Starved":
                later = (other for other in self.changes[number:] if other.mode == "Playing")
                found.append((change, next(later, None)))
        return found


def read_log(path: Path) -> Log:
    """What has been written so far; a last line that is not whole is left out."""
    began, changes = 0.0, []
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text[: text.rfind("\n") + 1].splitlines():
        entry = json.loads(line)
        if entry["what"] == "began":
            began = entry["unix"]
        elif entry["what"] == "mode":
            changes.append(Change(entry["frame"], entry["value"], entry["state"], entry["before"], entry["after"]))
    return Log(began, tuple(changes))


def read_loop(baked: Path, state: str) -> Audio:
    """The loop of a state: f64[n, 2]."""
    manifest = json.loads((baked / "manifest.json").read_text(encoding="utf-8"))["states"][state]
    samples, _ = soundfile.read(baked / manifest["file"], dtype="float64", always_2d=True)
    return np.asarray(samples[manifest["loop_start"] : manifest["loop_end"]])


def measured(heard: Audio, dry: Change, again: Change, loop: Audio) -> dict[str, Any]:
    """Of one time that the stream was away: milliseconds, and steps and roughness at both seams.

    `step`: the largest step from a sample to the next at the seam, as a multiple of the largest within a second to
    either side of it; `rough`: the same of the third difference over its neighbourhood's median, as `segue bake` looks
    at its seams, and `rough_usual`, the largest that the music has by itself around it.
    """
    begin, end = dry.frame - FADE - CALLBACK, again.frame + FADE + 2 * CALLBACK
    row: dict[str, Any] = {
        "silence_ms": round(longest_silence(heard[max(0, begin) : end]) * 1000 / RATE, 1),
        "loop_whole_after_ms": loop_whole(heard, dry.frame, loop),
    }
    for name, place in (("out", dry.frame), ("in", again.frame)):
        row |= {f"{key}_{name}": value for key, value in seam(heard, place).items()}
    return row


def longest_silence(audio: Audio) -> int:
    """Frames of the longest stretch in which no channel is more than SILENT."""
    loud = np.flatnonzero(np.max(np.abs(audio), axis=1) > SILENT)
    edges = np.concatenate([[-1], loud, [len(audio)]])
    return int(np.max(np.diff(edges)) - 1)


def seam(heard: Audio, frame: int) -> dict[str, float]:
    """How abrupt it is around a callback in which the stream went away or came back."""
    first, last = max(0, frame - FADE - CALLBACK), frame + FADE + 2 * CALLBACK
    left, right = max(0, first - RATE), min(len(heard), last + RATE)
    steps = np.max(np.abs(np.diff(heard[left:right], axis=0)), axis=1)
    rough = roughness(heard[left:right])
    inside = slice(first - left, last - left)
    usual_steps, usual_rough = np.delete(steps, inside), np.delete(rough, inside)
    return {
        "step": round(float(np.max(steps[inside]) / max(float(np.max(usual_steps)), SILENT)), 2),
        "rough": round(float(np.max(rough[inside])), 1),
        "rough_usual": round(float(np.max(usual_rough)), 1),
    }


def loop_whole(heard: Audio, dry: int, loop: Audio) -> float | None:
    """Milliseconds from where the stream ran dry (to a callback) until nothing but the loop is heard; None: never."""
    target, source = heard[:, 0], loop[:, 0]
    settled = slice(dry + 2 * CALLBACK + FADE, dry + 2 * CALLBACK + FADE + RATE // 5)
    piece = target[settled]
    if len(piece) < RATE // 5:
        return None
    known = source[:RATE]
    size = 1 << (len(known) + len(piece)).bit_length()
    match = np.fft.irfft(np.fft.rfft(known, size) * np.conj(np.fft.rfft(piece, size)), size)
    lag = settled.start - int(np.argmax(match[: len(known)]))
    predicted = _resampled(source, target, lag, settled)
    blocks = range(dry - 4 * FADE, settled.stop - BLOCK, BLOCK)
    power = float(np.mean(piece**2))
    good = None
    for start in blocks:
        rest = target[start : start + BLOCK] - predicted(start, BLOCK)
        if float(np.mean(rest**2)) > 1e-3 * power:
            good = None
        elif good is None:
            good = start
    return None if good is None else round((good - dry) * 1000 / RATE, 1)


def _resampled(source: Audio, target: Audio, lag: int, settled: slice) -> Any:
    """The loop as the player's resampler makes it: a short filter, fitted where nothing else is heard."""
    offsets = np.arange(-TAPS, TAPS + 1)

    def rows(start: int, count: int) -> Audio:
        places = np.arange(start, start + count)[:, None] - lag + offsets[None, :]
        inside = (places >= 0) & (places < len(source))
        return np.where(inside, source[np.clip(places, 0, len(source) - 1)], 0.0)

    taps = np.linalg.lstsq(rows(settled.start, settled.stop - settled.start), target[settled], rcond=None)[0]
    return lambda start, count: rows(start, count) @ taps
