# SPDX-License-Identifier: Apache-2.0
"""What a `music` section becomes: chords on their bars, room for the model's own notes, nothing outside the key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.contract import MASKED, NOTE_OFF, NOTE_ON, NOTE_ONSET, Capabilities, Conditioning
from segue_service.session.score import BASS_LOW, CHORD_LOW, Score, follows_score
from segue_service.soundtrack import Music
from segue_service.soundtrack.chords import scale
from segue_service.soundtrack.units import parse_key

DUNGEON = Music.model_validate(
    {"tempo": 93.75, "meter": "4/4", "key": "D minor", "progression": "i VI III VII", "phrase_bars": 8}
)
BAR = 64  # frames at 93.75 BPM in 4/4


def sounding(score: Score, frame: int) -> dict[int, int]:
    notes = score.notes(frame)
    assert notes is not None
    return {pitch: value for pitch, value in enumerate(notes) if value not in (MASKED, NOTE_OFF)}


def test_a_chord_is_struck_on_its_bar_and_left_to_the_model_after() -> None:
    score = Score(DUNGEON)
    d_minor = {62, 65, 57, 38}
    assert sounding(score, 0) == dict.fromkeys(d_minor, NOTE_ONSET)
    assert sounding(score, 1) == sounding(score, BAR - 1) == dict.fromkeys(d_minor, NOTE_ON)
    assert set(sounding(score, BAR)) == {58, 62, 65, 46}, "B flat major"
    assert sounding(score, 4 * BAR) == sounding(score, 0)
    for frame in (0, 1, BAR, 3 * BAR + 5):
        notes = score.notes(frame)
        assert notes is not None
        inside = scale(parse_key("D minor"))
        assert {p % 12 for p, v in enumerate(notes) if v == NOTE_OFF} == set(range(12)) - inside
        assert all(CHORD_LOW <= p < CHORD_LOW + 12 or BASS_LOW <= p < BASS_LOW + 12 for p in sounding(score, frame))


def test_a_key_alone_only_closes_what_is_outside_it() -> None:
    score = Score(Music.model_validate({"key": "C major"}))
    notes = score.notes(77)
    assert notes is not None
    assert {p % 12 for p, v in enumerate(notes) if v == MASKED} == {0, 2, 4, 5, 7, 9, 11}
    assert set(notes) == {MASKED, NOTE_OFF}
    assert Score(Music.model_validate({"tempo": 120})).notes(3) is None


@given(
    tempo=st.floats(30, 300),
    meter=st.sampled_from(["4/4", "3/4", "7/8"]),
    first=st.integers(0, 5000),
    gaps=st.lists(st.integers(1, 40), max_size=5),
    rest=st.integers(1, 80),
)
def test_every_frame_is_under_its_own_notes(tempo: float, meter: str, first: int, gaps: list[int], rest: int) -> None:
    score = Score(
        Music.model_validate({"tempo": tempo, "meter": meter, "key": "D minor", "progression": "i VI III VII"})
    )
    frames = [first]
    for gap in gaps:
        frames.append(frames[-1] + gap)
    entries = [(frame, Conditioning(style_codes=(place,))) for place, frame in enumerate(frames)]
    limit = frames[-1] + rest
    woven = score.weave(entries, limit)
    assert [frame for frame, _ in woven] == sorted({frame for frame, _ in woven})
    for frame in range(first, limit):
        held = next(conditioning for at, conditioning in reversed(woven) if at <= frame)
        assert held.notes == score.notes(frame)
        assert held.style_codes == next(c for at, c in reversed(entries) if at <= frame).style_codes
        held.validate()


@pytest.mark.parametrize(
    ("notes", "clock", "follows"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_model_with_a_clock_of_its_own_keeps_it(notes: bool, clock: bool, follows: bool) -> None:
    assert follows_score(Capabilities(notes=notes, drums=True, guidance=True, clock=clock)) is follows


async def test_only_a_model_that_follows_a_score_is_given_one(soundtrack_text: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from segue_service.session.library import Library
    from segue_service.soundtrack import parse_soundtrack

    soundtrack = parse_soundtrack(soundtrack_text)
    assert soundtrack.music is not None
    with ThreadPoolExecutor(1) as executor:
        for clock in (False, True):
            capabilities = Capabilities(notes=True, drums=True, guidance=True, clock=clock)
            record = await Library(HashStyleEncoder(), executor, capabilities).compile(soundtrack)
            points = record.machine.plan(record.machine.start(frame=0), 0, 64).points
            entries = await record.styles.conditionings(points, None, executor, 64)
            assert all((conditioning.notes is None) is clock for _, conditioning in entries)
