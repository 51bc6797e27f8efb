# SPDX-License-Identifier: Apache-2.0
"""What waits for a beat, a bar or a phrase begins there in the music that comes, though the tempo changes and bars are
broken off in between: on clocks that the starter generated.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.contract import CHANNELS, FRAME_SAMPLES
from segue_service.session.director import LOOKAHEAD, Director
from segue_service.session.library import Library
from segue_service.session.playing import Part, Said
from segue_service.soundtrack import ExitPoint, MusicClock, SetState, StateChanged, parse_soundtrack
from segue_service.soundtrack.machine import Machine, parse_fade

TEXT = """
soundtrack: two
initial: a
styles: { a: { prompts: { calm: 1.0 } }, b: { prompts: { combat: 1.0 } } }
states: { a: { style: a }, b: { style: b } }
"""
MACHINE = Machine(parse_soundtrack(TEXT))
PHRASE = 8
Runs = list[tuple[int, int, int, int]]
# Frames a sixteenth, place in the bar, bar, frames: how the starter's clock went through fades.
RECORDED: dict[str, Runs] = {
    "a bar broken off on its last beat, at 187.5 BPM": [(2, 6, 1, 114), (3, 0, 0, 12), (5, 0, 0, 40), (4, 32, 0, 600)],
    "slower from the middle of a bar on": [(4, 54, 0, 42), (3, 0, 0, 72), (4, 32, 1, 600)],
    "faster": [(6, 6, 0, 114), (4, 0, 0, 16), (4, 0, 1, 16), (3, 0, 0, 36), (2, 24, 0, 600)],
}
PLACES: list[ExitPoint] = ["next_beat", "next_bar", "exit_cue"]


def clocks(runs: Runs) -> list[MusicClock]:
    """The clock of every frame, by what the codes of that frame say."""
    out: list[MusicClock] = []
    for sixteenth, position, bar, frames in runs:
        beat, whole = 4 * sixteenth, 16 * sixteenth
        for at in range(position, position + frames):
            number = (bar + at // whole) % PHRASE
            out.append(MusicClock(len(out), 1500 / beat, 4, -at % beat, -at % whole, number, PHRASE))
    return out


def lines(heard: list[MusicClock], place: ExitPoint) -> set[int]:
    """Frames at which a place is."""
    return {clock.frame for clock in heard if clock.frames_to(place) == 0}


def begins(heard: list[MusicClock], asked: int, place: ExitPoint, late: int) -> int:
    """Where a change begins that was asked for at a frame, in a session that hears of frames when the head is as many
    frames further on."""
    director = Director(MACHINE, MACHINE.start(0))
    head, batches = asked, [("", [SetState("b", place)])]
    while True:
        read = heard[max(0, head - 1 - late)]
        placed = director.place(head, read.at(head), batches, sure=read.next_beat)
        director.commit(placed)
        batches = []
        head = min(placed.limit, max(head, placed.limit - LOOKAHEAD + late))
        for entry in director.entries:
            for effect, _ in entry.effects:
                if isinstance(effect, StateChanged) and effect.frame <= head:
                    return effect.frame


@pytest.mark.parametrize("late", [0, 2, LOOKAHEAD])
@pytest.mark.parametrize("recorded", RECORDED)
def test_places_are_where_the_generated_clock_has_them(recorded: str, late: int) -> None:
    heard = clocks(RECORDED[recorded])
    for place in PLACES:
        there = lines(heard, place)
        for asked in range(late + 1, 20 if place == "exit_cue" else 250, 7):
            assert begins(heard, asked, place, late) in there, (place, asked)


@pytest.mark.parametrize("place", ["next_beat", "next_bar"])
async def test_told_frames_are_the_first_under_another_conditioning(place: ExitPoint) -> None:
    info = FakeEngine().info
    silence, codes = np.zeros((FRAME_SAMPLES, CHANNELS), np.int16), np.zeros(info.levels, np.int16)
    with ThreadPoolExecutor(1) as executor:
        record = await Library(HashStyleEncoder(), executor).compile(parse_soundtrack(TEXT))
        for recorded, fade in ((name, fade) for name in RECORDED for fade in ("step", "0.5 s", "1 bar")):
            heard = clocks(RECORDED[recorded])
            said = [Said(100, "", [SetState("b", place, parse_fade(fade))])]
            part = Part(info, record, 1, executor, 240, said)
            entries = await part.begin()
            for clock in heard[: part.last]:
                if changed := await part.plan(clock.frame):
                    entries = [*(one for one in entries if one[0] < changed[0][0]), *changed]
                part.take(silence, codes, clock)
            told = next(effect.frame for effect in part.finish().effects if isinstance(effect, StateChanged))
            changes = [b[0] for a, b in pairwise(entries) if a[1] != b[1]]
            assert changes[0] == told, (recorded, fade)
            assert told in lines(heard, place)
