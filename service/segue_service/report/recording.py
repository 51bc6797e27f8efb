# SPDX-License-Identifier: Apache-2.0
"""What a session played and what was asked of it, on one timeline. Everything a report needs and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class StateSpan:
    """From `sample` on, the session was in `state`."""

    sample: int
    state: str


@dataclass(frozen=True, slots=True)
class Fade:
    """A transition's style change, [start, end) in samples, towards `state`."""

    start: int
    end: int
    state: str


@dataclass(frozen=True, slots=True)
class Control:
    """One thing the game said. `sent_sample` is what was being heard when it was sent; latency is in seconds."""

    label: str
    sent_sample: int
    audible_sample: int
    sample_rate: int = 48_000

    @property
    def latency(self) -> float:
        return (self.audible_sample - self.sent_sample) / self.sample_rate


@dataclass
class Recording:
    """A played session. pcm: int16[n, 2] at `sample_rate`, sample 0 of the timeline first."""

    title: str
    pcm: NDArray[np.int16]
    sample_rate: int = 48_000
    states: list[StateSpan] = field(default_factory=list)
    fades: list[Fade] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    parameters: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """Name → (sample, value) points of what the game set."""
    beats: list[int] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)
    lead: list[tuple[float, float]] = field(default_factory=list)
    """(seconds of the timeline heard, seconds of audio held unheard)."""
    underruns: list[int] = field(default_factory=list)
    """Samples at which a listener needed audio that had not arrived."""

    @property
    def seconds(self) -> float:
        return len(self.pcm) / self.sample_rate
