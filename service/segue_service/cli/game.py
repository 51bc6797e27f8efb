# SPDX-License-Identifier: Apache-2.0
"""A game that only makes noise: it plays a script against a live session in real time and keeps a record of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import segue
from segue_service.cli.console import CommandError
from segue_service.cli.script import Happening, Script
from segue_service.report.recording import Control, Fade, Recording, StateSpan

if TYPE_CHECKING:
    from segue.v1 import stream_pb2

SAMPLE_RATE = 48_000
PRIME_SECONDS = 0.12
LOOK_SECONDS = 0.02
LEAD_EVERY = 0.1
REPORT_EVERY = 0.5


class Game:
    """Connects, plays, steers by the script on the timeline that it hears, listens to the end."""

    def __init__(self, address: str, soundtrack: str, script: Script, tell: Callable[[int, str], None]) -> None:
        self._address, self._soundtrack, self._script, self._tell = address, soundtrack, script, tell
        self._playout = segue.Playout(PRIME_SECONDS)
        self._takes = segue.NewestTakes()
        self._underruns: list[int] = []
        self._states: list[StateSpan] = []
        self._fades: list[Fade] = []
        self._beats: list[int] = []
        self._bars: list[int] = []
        self._lead: list[tuple[float, float]] = []
        self._controls: list[Control] = []
        self._parameters: dict[str, list[tuple[int, float]]] = {}
        self._asked = 0.0
        self.first_audio: float | None = None
        """Seconds from asking for a session to its first audio."""

    async def play(self, title: str) -> Recording:
        """Play the whole script. Raises CommandError if the session ends early."""
        async with segue.aio.connect(self._address) as music:
            self._asked = time.monotonic()
            session = await music.play(self._soundtrack, seed=self._script.seed)
            session.on_event(self._on_event)
            opening = (await session.get()).state
            self._states.insert(0, StateSpan(0, opening))
            self._tell(0, opening)
            reader = asyncio.create_task(self._read(session))
            try:
                await self._steer(session, reader)
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
                await session.close()
        return self._record(title)

    async def _read(self, session: segue.aio.Session) -> None:
        take = 0
        async for block in session.audio():
            received, is_new = self._takes.end, block.take > take
            if block.first_sample > received or (block.first_sample < received and not is_new):
                raise CommandError(f"the stream jumped from sample {received} to {block.first_sample}")
            take = block.take
            if self.first_audio is None:
                self.first_audio = time.monotonic() - self._asked
            before = self._playout.underruns
            self._playout.arrived(block.first_sample, len(block.pcm), time.monotonic(), replaces=is_new)
            if self._playout.underruns > before:
                self._underruns.append(block.first_sample)
            self._takes.put(block)

    def _heard(self) -> int:
        """First sample not heard yet."""
        return self._playout.playhead(time.monotonic())

    async def _steer(self, session: segue.aio.Session, reader: asyncio.Task[None]) -> None:
        waiting: Sequence[Happening] = [h for h in self._script.in_order() if h.at < self._script.length]
        end = int(self._script.length * SAMPLE_RATE)
        last_lead, last_report = -1.0, 0.0
        while (heard := self._heard()) < end:
            if reader.done():
                reader.result()
                raise CommandError("the stream ended before the script did")
            while waiting and waiting[0].at * SAMPLE_RATE <= heard:
                happening, *waiting = waiting
                await session.heard(self._heard(), 0)
                await self._say(session, happening, self._heard())
            now = heard / SAMPLE_RATE
            if now - last_lead >= LEAD_EVERY:
                last_lead = now
                self._lead.append((now, (self._takes.end - heard) / SAMPLE_RATE))
            if now - last_report >= REPORT_EVERY:
                last_report = now
                await session.heard(heard)
            await asyncio.sleep(LOOK_SECONDS)

    async def _say(self, session: segue.aio.Session, happening: Happening, heard: int) -> None:
        replies = []
        if happening.set_:
            replies.append(await session.set(happening.set_))
            for name, value in happening.set_.items():
                self._parameters.setdefault(name, []).append((heard, value))
        if happening.post:
            replies.append(await session.post(happening.post))
        if happening.trigger:
            replies.append(await session.trigger(happening.trigger))
        if happening.state:
            replies.append(await session.set_state(happening.state))
        audible = [reply.audible_at_sample for reply in replies if reply.audible_at_sample is not None]
        if audible:
            control = Control(happening.label, heard, min(audible))
            self._controls.append(control)
            at = control.audible_sample / SAMPLE_RATE
            target = f" → {replies[-1].state}" if happening.post and replies[-1].state != self._state(heard) else ""
            self._tell(heard, f"{happening.label + target:<34} heard at {int(at // 60):02d}:{at % 60:05.2f}")
        else:
            self._tell(heard, f"{happening.label}: nothing changes ({replies[-1].reason})")

    def _state(self, sample: int) -> str:
        return [span.state for span in self._states if span.sample <= sample][-1]

    def _on_event(self, event: stream_pb2.Event) -> None:
        match event.WhichOneof("detail"):
            case "state_changed":
                self._states.append(StateSpan(event.sample, event.state_changed.to_state))
            case "transition_started":
                started = event.transition_started
                self._fades.append(Fade(event.sample, event.sample + started.length_samples, started.to_state))
            case "beat":
                self._beats.append(event.sample)
            case "bar":
                self._bars.append(event.sample)
            case "rewound":
                self._forget(event.sample)

    def _forget(self, sample: int) -> None:
        """A new take begins: what was told of the old one from there on is void."""
        self._states = [span for span in self._states if span.sample < sample] or self._states[:1]
        self._fades = [fade for fade in self._fades if fade.start < sample]
        self._beats = [beat for beat in self._beats if beat < sample]
        self._bars = [bar for bar in self._bars if bar < sample]

    def _record(self, title: str) -> Recording:
        end = int(self._script.length * SAMPLE_RATE)
        return Recording(
            title,
            self._takes.pcm[:end],
            SAMPLE_RATE,
            states=[span for span in self._states if span.sample < end],
            fades=[fade for fade in self._fades if fade.start < end],
            controls=self._controls,
            parameters=self._parameters,
            beats=self._beats,
            bars=self._bars,
            lead=self._lead,
            underruns=[sample for sample in self._underruns if sample < end],
        )
