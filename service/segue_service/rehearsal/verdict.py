# SPDX-License-Identifier: Apache-2.0
"""An edge's takes in one set of figures, held against its thresholds: what fails, why, and what to try."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from segue_service.rehearsal.edges import Edge
from segue_service.rehearsal.metrics import Figures
from segue_service.rehearsal.thresholds import Thresholds

METRICS: Final = tuple(Thresholds.model_fields)


@dataclass(frozen=True, slots=True)
class Failure:
    """metric: a threshold's name, or "happens". said: what was found. advice: what to try."""

    metric: str
    said: str
    advice: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One edge. figures: over its takes, None if it never happened; failures empty: it passes."""

    edge: Edge
    figures: Figures | None
    takes: int
    thresholds: Thresholds
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        return not self.failures

    def failed(self, metric: str) -> bool:
        """Whether it fails by this figure."""
        return any(failure.metric == metric for failure in self.failures)


def judge(edge: Edge, takes: Sequence[Figures | None], thresholds: Thresholds, why: str = "") -> Verdict:
    """Medians over the takes (the worst of clicks and places) against the thresholds. why: it did not happen.

    Of an even number of takes the median is the worse one in the middle where the better one is a number only.
    """
    played = [take for take in takes if take is not None]
    if len(played) < len(takes) or not played:
        said = why or "it did not happen"
        failure = Failure("happens", said, "look at the priorities and guards of the transitions that leave the state")
        return Verdict(edge, _together(played) if played else None, len(takes), thresholds, (failure,))
    figures = _together(played)
    faults = tuple(_failures(edge, figures, thresholds))
    if len(played) > 1:
        each = [{fault.metric for fault in _failures(edge, take, thresholds)} for take in played]
        faults = tuple(
            replace(fault, said=f"{fault.said}, in {sum(fault.metric in one for one in each)} of {len(each)} takes")
            for fault in faults
        )
    return Verdict(edge, figures, len(takes), thresholds, faults)


def _together(takes: Sequence[Figures]) -> Figures:
    def over(name: str, how: Callable[[list[float]], float]) -> float | None:
        values = [value for take in takes if (value := getattr(take, name)) is not None]
        return how(values) if values else None

    first = takes[0]
    middle = ("settle", "late", "adherence_before", "adherence", "lufs_before", "lufs_after", "jump")
    found = {name: over(name, _median) for name in middle}
    # The take that clicks most tells both of its figures.
    loudest = max(takes, key=lambda take: (take.click or 0.0) - (take.click_inside or 0.0))
    absent = {name: said for take in takes for name, said in take.absent.items() if found.get(name) is None}
    return Figures(
        first.places,
        **found,
        click=loudest.click,
        click_inside=loudest.click_inside,
        off_ms=over("off_ms", max),
        asked=first.asked,
        place=first.place,
        absent=absent,
    )


def _median(values: list[float]) -> float:
    finite = sorted(values)
    if any(math.isinf(value) for value in values):
        return finite[len(finite) // 2]  # no mean of a number and "never"
    return float(median(values))


def _failures(edge: Edge, figures: Figures, limits: Thresholds) -> Iterator[Failure]:
    late, like, jump, off = figures.late, figures.adherence, figures.jump, figures.off_ms
    to = edge.target
    if limits.settle is not None and late is not None and late > limits.settle:
        heard = f"is never taken for {to}" if math.isinf(late) else f"is taken for {to} {late:.1f} s after the fade"
        yield Failure(
            "settle",
            f"the music {heard} (at most {limits.settle:g} s)",
            "make the two styles' prompts less alike, raise the style's guidance, or lengthen the fade",
        )
    if limits.adherence is not None and like is not None and like < limits.adherence:
        yield Failure(
            "adherence",
            f"in the end it sounds {like:.2f} like {to} (at least {limits.adherence:g})",
            f"raise the guidance of {to}'s style, use fewer or other prompts, or a bridge (via)",
        )
    if limits.click is not None and (figures.click or 0.0) > max(limits.click, figures.click_inside or 0.0):
        yield Failure(
            "click",
            f"a frame begins {figures.click:.0f} times as rough as its surroundings (at most {limits.click:g})",
            "this is a fault of the model or of Segue, not of the soundtrack: please report it",
        )
    if limits.loudness is not None and jump is not None and abs(jump) > limits.loudness:
        yield Failure(
            "loudness",
            f"the level changes by {jump:+.1f} LU beyond what gain_db asks (at most ±{limits.loudness:g})",
            f"gain_db of {to}'s style {-jump:+.0f} dB would even it out; so may a longer fade",
        )
    if limits.alignment is not None and off is not None and off > limits.alignment:
        yield Failure(
            "alignment",
            f"it begins {off:.0f} ms off the {figures.place} (at most {limits.alignment:g})",
            "the model's clock moved: please report it",
        )
