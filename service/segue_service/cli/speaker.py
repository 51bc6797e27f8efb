# SPDX-License-Identifier: Apache-2.0
"""A sound card that nobody hears: takes samples as they arrive and plays them by the clock, counting underruns."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 48_000


class Speaker:
    """Plays a timeline from sample 0 in real time once `prime` samples are there. One thread or event loop only."""

    def __init__(self, prime: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._prime = prime
        self._clock = clock
        self._blocks: list[NDArray[np.int16]] = []
        self._began: float | None = None
        self._stalled = 0.0
        self.received = 0
        self.underruns: list[int] = []

    def feed(self, first_sample: int, pcm: NDArray[np.int16]) -> None:
        """Take int16[n, 2]; raises ValueError where it does not join what came before."""
        if first_sample != self.received:
            raise ValueError(f"the stream jumped from sample {self.received} to {first_sample}")
        self.playhead()
        self._blocks.append(pcm)
        self.received += len(pcm)
        if self._began is None and self.received >= self._prime:
            self._began = self._clock()

    def playhead(self) -> int:
        """First sample not heard. Where the clock has passed all that is there, an underrun is booked; time waits."""
        if self._began is None:
            return 0
        wanted = (self._clock() - self._began - self._stalled) * SAMPLE_RATE
        if wanted > self.received:
            if not self.underruns or self.underruns[-1] != self.received:
                self.underruns.append(self.received)
            self._stalled += (wanted - self.received) / SAMPLE_RATE
            return self.received
        return int(wanted)

    @property
    def lead(self) -> float:
        """Seconds received and not heard."""
        return (self.received - self.playhead()) / SAMPLE_RATE

    def recorded(self) -> NDArray[np.int16]:
        """All that came, int16[n, 2]."""
        return np.concatenate(self._blocks) if self._blocks else np.zeros((0, 2), np.int16)
