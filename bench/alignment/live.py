# SPDX-License-Identifier: Apache-2.0
"""Sessions on a server, whose clients hold so much that what they ask for lands behind the head, in a new take."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import numpy as np
from rich.progress import Progress

from alignment.lines import Begun, off, table
from alignment.script import PHRASE_BARS, STATES, fade_to, soundtrack
from segue.v1 import control_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1.live_soundtrack_service_pb2_grpc import LiveSoundtrackServiceStub
from segue_engine.assemble import Assembly
from segue_engine.contract import FRAME_RATE, FRAME_SAMPLES
from segue_service.config import Settings
from segue_service.server import running
from segue_service.session.timeline import Axis
from segue_service.soundtrack import ExitPoint

_AT: Final = {
    "next_beat": control_pb2.EXIT_SOURCE_AT_NEXT_BEAT,
    "next_bar": control_pb2.EXIT_SOURCE_AT_NEXT_BAR,
    "exit_cue": control_pb2.EXIT_SOURCE_AT_EXIT_CUE,
}
_PLACES: Final[tuple[ExitPoint, ...]] = ("next_bar", "next_bar", "next_beat", "next_bar", "exit_cue")
_BEGINS: Final = 200
_SETTLED: Final = 50
"""Frames after a transition's beginning in which the places around it are told."""


@dataclass
class Stream:
    """What a client knows of the newest take, by timeline sample."""

    beats: set[int] = field(default_factory=set)
    bars: dict[int, int] = field(default_factory=dict)
    begun: dict[int, str] = field(default_factory=dict)
    states: set[int] = field(default_factory=set)

    def hear(self, event: Any) -> None:
        """An event of the stream."""
        sample = event.sample
        match event.WhichOneof("detail"):
            case "rewound":
                self.beats = {at for at in self.beats if at < sample}
                self.bars = {at: bar for at, bar in self.bars.items() if at < sample}
                self.begun = {at: state for at, state in self.begun.items() if at < sample}
                self.states = {at for at in self.states if at < sample}
            case "beat":
                self.beats.add(sample)
            case "bar":
                self.bars[sample] = event.bar.bar
            case "transition_started":
                self.begun[sample] = event.transition_started.to_state
            case "state_changed":
                self.states.add(sample)

    def lines(self, place: str) -> np.ndarray:
        """Frames at which a place is."""
        if place == "next_beat":
            samples = self.beats
        else:
            samples = {at for at, bar in self.bars.items() if place == "next_bar" or bar % PHRASE_BARS == 0}
        return np.array(sorted(samples), np.int64) // FRAME_SAMPLES


@dataclass
class Client:
    """One session of the server."""

    stub: Any
    axis: Axis
    seed: int
    hold: int
    begun: list[Begun] = field(default_factory=list)
    asked: int = 0
    not_begun: int = 0
    takes: int = 0
    landings: list[int] = field(default_factory=list)
    untold: int = 0

    async def play(self, count: int, lead: float, tell: Any) -> None:
        """Ask for `count` transitions, each when the one before is through."""
        request = pb.CreateSessionRequest(soundtrack_id="bars", seed=self.seed, target_lead_ms=round(1000 * lead))
        opened = await self.stub.CreateSession(request)
        session, metadata = opened.session.session_id, (("authorization", f"Bearer {opened.session_token}"),)
        rng, stream, state, ready, take, held = random.Random(self.seed), Stream(), "explore", _BEGINS, 0, 0
        waiting: tuple[ExitPoint, int, int] | None = None
        call = self.stub.StreamAudio(pb.StreamAudioRequest(session_id=session), metadata=metadata)
        async for message in call:
            kind = message.WhichOneof("message")
            if kind == "event":
                stream.hear(message.event)
            if kind != "audio" or message.audio.take < take:
                continue
            take = message.audio.take
            held = (message.audio.first_sample + message.audio.sample_count) // FRAME_SAMPLES
            playhead = max(0, held - self.hold) * FRAME_SAMPLES
            if waiting is not None:
                began = [at for at, to in stream.begun.items() if to == state and at >= waiting[2]]
                if began and max(began) <= (held - _SETTLED) * FRAME_SAMPLES:
                    self._took(stream, max(began), waiting[0], state, waiting[1])
                    waiting, ready = None, held + rng.randrange(110, 210)
                    tell()
            if waiting is None and len(self.begun) == count:
                break
            if waiting is None and held >= ready:
                state, place = rng.choice([name for name in STATES if name != state]), rng.choice(_PLACES)
                header = control_pb2.ControlHeader(
                    session_id=session, exit_source_at=_AT[place], playhead_sample=playhead
                )
                answer = await self.stub.SetState(pb.SetStateRequest(control=header, state=state), metadata=metadata)
                outcome = answer.outcome
                self.asked += 1
                self.landings.append(outcome.landing)
                waiting = (place, outcome.audible_at_sample, playhead)
                self.takes = outcome.take
            else:
                report = pb.ReportPlaybackRequest(session_id=session, playhead_sample=playhead)
                await self.stub.ReportPlayback(report, metadata=metadata)
        call.cancel()
        await self.stub.CloseSession(pb.CloseSessionRequest(session_id=session), metadata=metadata)

    def _took(self, stream: Stream, sample: int, place: str, state: str, audible: int) -> None:
        frame = self.axis.frame(sample)
        answered = self.axis.frame(audible)
        self.begun.append(Begun(place, fade_to(state), off(frame, stream.lines(place)), answered - frame))
        self.untold += sample not in stream.states


async def play(
    assembly: Assembly, seed: int, sessions: int, count: int, lead: float, hold: float, progress: Progress
) -> dict[str, Any]:
    """Everything that is measured on a server, which owns the engine from now on."""
    settings = Settings(port=0, drain_ms=0, goodbye_ms=100, rewinds_per_second=25.0, rewind_share=100.0)
    axis = Axis(assembly.info)
    task = progress.add_task("live", total=sessions * count)
    async with (
        running(settings, assembly, [soundtrack()]) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        stub = LiveSoundtrackServiceStub(channel)
        clients = [Client(stub, axis, seed + number, round(hold * FRAME_RATE)) for number in range(sessions)]
        await asyncio.gather(*(client.play(count, lead, lambda: progress.advance(task)) for client in clients))
    begun = [one for client in clients for one in client.begun]
    landings = [landing for client in clients for landing in client.landings]
    return {
        "transitions": table(begun),
        "sessions": sessions,
        "lead_s": lead,
        "hold_s": hold,
        "rewound": landings.count(control_pb2.LANDING_REWOUND),
        "at_the_head": len(landings) - landings.count(control_pb2.LANDING_REWOUND),
        "without_state_changed": sum(client.untold for client in clients),
    }
