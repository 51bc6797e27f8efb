# SPDX-License-Identifier: Apache-2.0
"""A stretch of the trajectory as few points that each hold until the next: what the session steers the engine by.

Weights, guidance and gain_db (in dB) are interpolated. What can't be mixed (drums, temperature, top_k, min_p) is that
of the style with the greatest share, so in a fade between two styles it switches where the new one passes one half.
A stinger's drums are those of its whole length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_service.soundtrack.curves import FadeShape
from segue_service.soundtrack.model import Drums, Guidance, Soundtrack
from segue_service.soundtrack.state import MachineState
from segue_service.soundtrack.stingers import drums_at
from segue_service.soundtrack.weights import Blender

STEP: Final = 5
"""Frames between two points of a moving stretch (design.md: style codes change at most every 5 frames)."""

PLAIN: Final = Guidance.model_validate({})


@dataclass(frozen=True, slots=True)
class FadeView:
    """The leg that a fade is on: blends f32[styles] at its two ends, and the share 0..1 of `target`."""

    source: NDArray[np.float32]
    target: NDArray[np.float32]
    progress: float


@dataclass(frozen=True, slots=True)
class StylePoint:
    """What holds from `frame` until the next point. weights f32[styles], in the soundtrack's order of styles, sum to 1.

    None for temperature, top_k, min_p is the model's default. fade is None outside fades and while a style stinger
    sounds; a shape other than linear then has no say.
    """

    frame: int
    weights: NDArray[np.float32]
    guidance: Guidance
    gain_db: float
    drums: Drums
    temperature: float | None
    top_k: int | None
    min_p: float | None
    shape: FadeShape = "linear"
    fade: FadeView | None = None

    def named(self, styles: Sequence[str]) -> dict[str, float]:
        """The shares by style, only those above 0; styles in the soundtrack's order."""
        return {styles[i]: float(self.weights[i]) for i in np.flatnonzero(self.weights > 0.0).tolist()}


@dataclass(frozen=True, slots=True)
class StylePlan:
    """Points in ascending order; the first is at first_frame."""

    first_frame: int
    last_frame: int
    points: tuple[StylePoint, ...]


class Planner:
    """Makes plans for one soundtrack. Immutable; pure."""

    def __init__(self, soundtrack: Soundtrack, blender: Blender) -> None:
        self._soundtrack = soundtrack
        self._blender = blender
        self._styles = tuple(soundtrack.styles.values())
        self._gains = np.asarray([style.gain_db for style in self._styles])

    def plan(self, state: MachineState, first: int, last: int, default_guidance: Guidance) -> StylePlan:
        """Points for first..last; the value at `first` is the one held there since the last point before it."""
        if last < first:
            raise ValueError(f"last_frame: expected at least {first}, got {last}")
        moments = sorted(set(self._moments(state, first, last)))
        earlier = [moment for moment in moments if moment <= first]
        frames = np.asarray([earlier[-1] if earlier else first, *(m for m in moments if m > first)], np.int64)
        weights = self._blender.weights_at(state, frames)
        guidance = weights @ self._guidance(default_guidance)
        gains = weights @ self._gains
        points: list[StylePoint] = []
        switched = [drums_at(state.stingers, int(frame)) for frame in frames]
        for i, frame in enumerate(frames):
            if i and np.array_equal(weights[i], weights[i - 1]) and switched[i] == switched[i - 1]:
                continue
            heaviest = self._styles[int(np.argmax(weights[i]))]
            style, notes, drums = (round(float(value), 6) for value in guidance[i])
            shape, view = self._view(state, int(frame))
            points.append(
                StylePoint(
                    frame=max(int(frame), first),
                    weights=weights[i],
                    guidance=Guidance(style=style, notes=notes, drums=drums),
                    gain_db=round(float(gains[i]), 6),
                    drums=switched[i] or heaviest.drums,
                    temperature=heaviest.temperature,
                    top_k=heaviest.top_k,
                    min_p=heaviest.min_p,
                    shape=shape,
                    fade=view,
                )
            )
        return StylePlan(first, last, tuple(points))

    def _guidance(self, default: Guidance) -> NDArray[np.float64]:
        rows = [style.guidance or default for style in self._styles]
        return np.asarray([(row.style, row.notes, row.drums) for row in rows])

    def _view(self, state: MachineState, frame: int) -> tuple[FadeShape, FadeView | None]:
        fade = state.fade
        if fade is None or not fade.begins <= frame < fade.ends or fade.shape == "linear":
            return "linear", None
        if any(s.style is not None and s.begins <= frame < s.ends for s in state.stingers):
            return "linear", None
        leg = self._blender.legs(state, np.asarray([frame]))
        source, target = leg.start[0].astype(np.float32), leg.end[0].astype(np.float32)
        return fade.shape, FadeView(source, target, float(leg.progress[0]))

    def _moments(self, state: MachineState, first: int, last: int) -> Iterator[int]:
        """Frames up to `last` at which the held value may change; of those before `first` at least the latest."""
        if state.fade is not None:
            yield from _stretch(state.fade.begins, state.fade.ends, first, last)
        for stinger in state.stingers:
            if stinger.style is not None:
                yield from _stretch(stinger.begins, stinger.begins + stinger.fade, first, last)
                yield from _stretch(stinger.ends - stinger.fade, stinger.ends, first, last)
            elif stinger.drums is not None:
                yield from (at for at in (stinger.begins, stinger.ends) if at <= last)
        for parameter in self._soundtrack.states[state.state].blend_by:
            motion = state.parameters[parameter]
            if motion.origin != motion.target:
                yield from _stretch(motion.anchor + 1, motion.arrives, first, last)


def _stretch(begins: int, ends: int, first: int, last: int) -> Iterator[int]:
    """Both ends, and the multiples of STEP in between, so that stretches which overlap share their points; but for
    those that others follow up to `first`: a slow parameter moves for hours."""
    if begins > last:
        return
    yield begins
    yield from range(max(begins // STEP + 1, min(first, ends - 1) // STEP) * STEP, min(ends, last + 1), STEP)
    if ends <= last:
        yield ends
