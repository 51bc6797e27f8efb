# SPDX-License-Identifier: Apache-2.0
"""A game without a loudspeaker: a sound card that takes samples in real time out of what a session's stream brings.

Its clock may be off. Where it holds its lead, it takes samples of the timeline at `LeadHolder`'s rate: a resampler
would make as many of the card's samples out of them; here they are only counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from segue import PlaybackBuffer
from segue.lead import SETTLING, LeadHolder

SAMPLE_RATE: Final = 48_000
REPORT_SECONDS: Final = 0.25
CARD_SECONDS: Final = 0.005
"""What the pretended sound card takes at a time."""
START_SECONDS: Final = 120.0
BEGIN_SECONDS: Final = 1.0


class Player:
    """Plays a session (of `segue.aio`) from when `seconds` of it are there; for as long as `running()` runs.

    ppm: by how much the card's clock is fast. holds_lead: play at the rate that keeps the reserve. reports: tell the
    server the playhead, which paces the session of a lone listener.
    """

    def __init__(
        self, session: Any, seconds: float, *, ppm: float = 0.0, holds_lead: bool = False, reports: bool = True
    ) -> None:
        self.buffer = PlaybackBuffer(seconds=seconds + 12.0)
        self.keeper = LeadHolder() if holds_lead else None
        self.started = asyncio.Event()
        self.arrived = asyncio.Event()
        """Set with every block."""
        self.underruns = 0
        """Times that the card found less than it wanted."""
        self.longest_gap = 0
        """Samples of silence in the longest of them."""
        self.longest_wait = 0.0
        """Seconds between two blocks, at most, since playing began."""
        self.least = self.most = 0.0
        """Seconds of reserve, but for the beginning."""
        self.rates = [1.0, 1.0]
        """Slowest and fastest."""
        self.error: BaseException | None = None
        """What ended the stream."""
        self._session, self._seconds, self._reports = session, seconds, reports
        self._speed = SAMPLE_RATE * (1 + ppm * 1e-6)
        self._takes: list[tuple[int, int]] = []
        self._last_block = 0.0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Player]:
        """Receive, play and report; the block begins when playing has. Raises what ends the stream before."""
        parts = [asyncio.create_task(part()) for part in (self._receive, self._play, self._report)]
        try:
            waiting = asyncio.create_task(self.started.wait())
            await asyncio.wait((parts[0], waiting), timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not self.started.is_set():
                raise self.error or TimeoutError("the stream brought too little to begin with")
            yield self
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    @property
    def missed_ms(self) -> int:
        """Silence in all."""
        return round(self.buffer.missed / SAMPLE_RATE * 1000)

    @property
    def gap_ms(self) -> int:
        """The longest silence."""
        return round(self.longest_gap / SAMPLE_RATE * 1000)

    async def heard(self, sample: int, take: int) -> None:
        """Until the playhead passes this sample, and the buffer is in that take."""
        while self.buffer.playhead <= sample or (self._takes and self._takes[-1][1] < take):  # noqa: ASYNC110
            await asyncio.sleep(0.002)

    async def _receive(self) -> None:
        try:
            async for block in self._session.audio():
                now = time.perf_counter()
                if not self._takes or block.take != self._takes[-1][1]:
                    if self._takes and self.keeper is not None:
                        self.keeper.replaced(now)
                    self._takes.append((block.first_sample, block.take))
                if self.started.is_set() and self._last_block > 0:
                    self.longest_wait = max(self.longest_wait, now - self._last_block)
                self._last_block = now
                self.buffer.put(block)
                self.arrived.set()
        except Exception as error:
            self.error = error

    async def _play(self) -> None:
        while self.buffer.reserve < self._seconds * SAMPLE_RATE * 0.9:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self.started.set()
        began, played, owed, gap, rate = time.perf_counter(), 0, 0.0, 0, 1.0
        self.least = self._seconds
        while True:
            await asyncio.sleep(CARD_SECONDS)
            now = time.perf_counter()
            due = int((now - began) * self._speed)
            owed += (due - played) * rate
            played = due
            count, missed = int(owed), self.buffer.missed
            owed -= count
            self.buffer.read(count)
            short = self.buffer.missed - missed
            self.underruns += short > 0 and gap == 0
            gap = gap + short if short else 0
            self.longest_gap = max(self.longest_gap, gap)
            # What an older version holds beyond the newest is no reserve: it is only what is played for want of better.
            reserve = self.buffer.reserve / SAMPLE_RATE
            if self.keeper is not None:
                rate = self.keeper.rate(reserve, now)
                self.rates = [min(self.rates[0], rate), max(self.rates[1], rate)]
            if now - began > (BEGIN_SECONDS if self.keeper is None else SETTLING):
                self.least, self.most = min(self.least, reserve), max(self.most, reserve)

    async def _report(self) -> None:
        await self.started.wait()
        while self._reports:
            with contextlib.suppress(Exception):  # a report may be lost; the stream says what is wrong
                await self._session.heard(self.buffer.playhead)
            await asyncio.sleep(REPORT_SECONDS)


class Stalls:
    """How late this process itself is: an underrun while the bench was held up says nothing of the server."""

    def __init__(self) -> None:
        self.worst = 0.0
        """Seconds."""

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[Stalls]:
        """Look for as long as the block runs."""
        task = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def worst_ms(self) -> int:
        return round(self.worst * 1000)

    async def _watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            self.worst = max(self.worst, time.perf_counter() - before - 0.01)
