# SPDX-License-Identifier: Apache-2.0
"""What is asked for at a bar begins at a bar of the music that was made, in the take that is heard, within one frame.

The music's tempo is another one in every bar, so that no bar line can be told from the ones before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from segue.v1 import control_pb2
from segue_engine.batch.fake import CLOCK_CODES, FakeEngine
from segue_engine.contract import ClockReading, Conditioning

FRAME = 1920
LEAD = 4000
BARS = (64, 48, 80, 40, 56, 72, 88, 64)
"""Frames of a phrase's bars, four beats each."""
BEGINS = np.cumsum((0, *BARS))
BAR, CUE, BEAT = (
    control_pb2.EXIT_SOURCE_AT_NEXT_BAR,
    control_pb2.EXIT_SOURCE_AT_EXIT_CUE,
    control_pb2.EXIT_SOURCE_AT_NEXT_BEAT,
)
STEPS: list[tuple[str, dict[str, Any], int]] = [
    ("SetState", {"state": "boss"}, BAR),
    ("PostEvent", {"event": "boss_died"}, BEAT),
    ("PostEvent", {"event": "enemy_spotted"}, BAR),
    ("SetState", {"state": "explore"}, CUE),
    ("PostTrigger", {"trigger": "treasure"}, BAR),
    ("PostEvent", {"event": "enemy_spotted"}, BAR),
    ("SetState", {"state": "victory"}, BAR),
]


class Rubato:
    """Reads the fake engine's level 0 as a place in a phrase of uneven bars."""

    def read(self, codes: np.ndarray) -> ClockReading:
        """codes[..., levels] → one reading per frame."""
        at = np.asarray(codes)[..., 0].astype(np.int32) % CLOCK_CODES
        bar = np.searchsorted(BEGINS, at, side="right") - 1
        beat_frames = np.asarray(BARS)[bar] // 4
        within = at - BEGINS[bar]
        to_beat, to_bar = -within % beat_frames, (BEGINS[bar + 1] - at) * (within > 0)
        return ClockReading(
            on_beat=to_beat == 0,
            on_bar=within == 0,
            beat=(within // beat_frames).astype(np.int32),
            bar=bar.astype(np.int32),
            beats_per_bar=np.full(at.shape, 4, np.int32),
            bpm=(1500 / beat_frames).astype(np.float32),
            frames_to_beat=to_beat.astype(np.int32),
            frames_to_bar=to_bar.astype(np.int32),
            phrase_bars=len(BARS),
        )


class RubatoEngine(FakeEngine):
    """The fake engine under that clock."""

    @property
    def clock(self) -> Any:
        """See `Rubato`."""
        return Rubato()


@dataclass
class Watch:
    """What an engine of one slot was steered by and what it made, by frame, each in its newest version."""

    engine: FakeEngine
    plan: list[tuple[int, Conditioning]] = field(default_factory=list)
    codes: dict[int, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        insert, steer, step, flush = (getattr(self.engine, name) for name in ("insert", "steer", "step", "flush"))

        def watched_insert(seed: int, conditioning: Conditioning, *more: Any) -> Any:
            self.plan[:] = [(0, conditioning)]
            self.codes.clear()
            return insert(seed, conditioning, *more)

        def watched_steer(slot: Any, entries: list[tuple[int, Conditioning]]) -> None:
            self.plan[:] = [*(entry for entry in self.plan if entry[0] < entries[0][0]), *entries]
            steer(slot, entries)

        def kept(blocks: Any) -> Any:
            for row in range(0 if blocks is None else blocks.count):
                self.codes[int(blocks.first_frame[row])] = blocks.codes[row, 0].copy()
            return blocks

        patched: Any = self.engine
        patched.insert, patched.steer = watched_insert, watched_steer
        patched.step = lambda due=None: kept(step(due))
        patched.flush = lambda: kept(flush())

    def changes(self) -> list[int]:
        """Frames that are made under another style or other drums than the one before."""
        pairs = zip(self.plan, self.plan[1:], strict=False)
        return [at for (_, a), (at, b) in pairs if (a.style_codes, a.drums) != (b.style_codes, b.drums)]

    def places(self, place: int) -> list[int]:
        """Frames that begin a beat, a bar or a phrase, as the engine's clock reads what was made."""
        frames = sorted(self.codes)
        read = Rubato().read(np.stack([self.codes[frame] for frame in frames]))
        begins = {BEAT: read.on_beat, BAR: read.on_bar, CUE: read.on_bar & (read.bar == 0)}[place]
        return [frames[at] for at in np.flatnonzero(begins)]


@dataclass
class Played:
    """What a client was told: the frames of what began, in the newest take; the playheads when it was asked for."""

    begun: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    takes: int = 0

    def hear(self, event: Any) -> None:
        match event.WhichOneof("detail"):
            case "rewound":
                self.begun = [frame for frame in self.begun if frame * FRAME < event.sample]
            case "state_changed" | "stinger_started":
                self.begun.append(event.sample // FRAME)


async def play(rig: Any, seed: int, behind: int) -> Played:
    """A session steered step by step, each when the one before it has begun; its client is `behind` frames back."""
    # so much danger that nothing leaves combat by itself
    danger = control_pb2.ParameterValue(name="danger", value=1.0)
    opened = await rig.create(target_lead_ms=LEAD, seed=seed, parameters=[danger])
    held, take, played, ready = 0, 0, Played(), 100 + 37 * seed
    async for message in opened.stream():
        if message.WhichOneof("message") == "event":
            played.hear(message.event)
        if message.WhichOneof("message") != "audio" or message.audio.take < take:
            continue
        held, take = (message.audio.first_sample + message.audio.sample_count) // FRAME, message.audio.take
        playhead = max(0, held - behind) * FRAME
        if held < ready or len(played.begun) < len(played.asked):
            await opened.call("ReportPlayback", playhead_sample=playhead)
            continue
        if len(played.asked) == len(STEPS):
            break
        method, fields, place = STEPS[len(played.asked)]
        header = opened.header(exit_source_at=place, playhead_sample=playhead)
        outcome = await opened.call(method, control=header, **fields)
        assert outcome.HasField("audible_at_sample"), (method, fields, outcome.reason)
        played.asked.append(playhead // FRAME)
        played.takes = outcome.take
        ready = max(held, outcome.audible_at_sample // FRAME) + behind + 40 + (7 * seed + 11 * len(played.asked)) % 64
    await opened.call("CloseSession")
    return played


# Beyond 2 s, what a take has replaced grows back in real time only: so much is what a client may hold in a fast test.
@pytest.mark.parametrize("behind", [2, 48], ids=["at the head", "in takes"])
async def test_changes_begin_at_the_places_that_were_asked_for(start: Any, wait_until: Any, behind: int) -> None:
    engine = RubatoEngine(slots=1)
    watch, off, takes = Watch(engine), list[int](), 0
    settings = {"history_ms": 12_000, "max_lead_ms": 6000, "rewinds_per_second": 25.0, "rewind_share": 100.0}
    async with start(engine=engine, **settings) as rig:
        for seed in range(3):
            played = await play(rig, seed, behind)
            changes = watch.changes()
            for (_, _, place), begins in zip(STEPS, played.begun, strict=True):
                assert begins in changes, "that is where another conditioning begins"
                places = watch.places(place)
                off.append(min((begins - at for at in places), key=abs))
            takes += played.takes
            await wait_until(lambda: rig.server.registry.free == 1)
    assert max(map(abs, off)) <= 1
    assert takes > 6
