# SPDX-License-Identifier: Apache-2.0
"""What a model can't do is said once per session: in the reply, and to the first listener."""

from __future__ import annotations

from typing import Any

import pytest

from segue.v1 import session_pb2, stream_pb2
from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import Capabilities
from segue_service.session.shortfalls import shortfalls
from segue_service.soundtrack import Guidance, parse_soundtrack

MISSING = stream_pb2.Warning.CODE_CAPABILITY_MISSING
PLAIN = Capabilities(notes=False, drums=False, guidance=True, clock=False)


def engine(**able: bool) -> FakeEngine:
    given = {"notes": True, "drums": True, "guidance": True, "clock": True, **able}
    return FakeEngine(slots=2, capabilities=Capabilities(**given))


async def test_a_session_on_a_plain_model_says_so_once(start: Any) -> None:
    async with start(engine=FakeEngine(slots=2, capabilities=PLAIN)) as rig:
        for _ in range(2):
            opened = await rig.create(guidance=session_pb2.Guidance(style=2, notes=3, drums=1))
            session = rig.session(opened)
            replied = [w.message for w in session.warnings if w.code == MISSING]
            assert len(replied) == 4
            drums, notes, music, clock = replied
            assert drums.startswith("styles.combat.drums, styles.aftermath.drums: the model fake ")
            assert notes.startswith("guidance.notes: ")
            assert music.startswith("music.key: ")
            assert "stingers.treasure.exit_source_at" in clock
            _, first = await opened.hear(1920)
            assert [m.warning.message for m in first if m.HasField("warning") and m.warning.code == MISSING] == replied
            _, second = await opened.hear(1920)
            assert not any(m.HasField("warning") for m in second)


async def test_the_reply_holds_them_too(start: Any) -> None:
    from segue.v1 import live_soundtrack_service_pb2 as pb

    async with start(engine=engine(guidance=False)) as rig:
        reply = await rig.live.CreateSession(pb.CreateSessionRequest(soundtrack_id="dungeon"))
        messages = [warning.message for warning in reply.warnings if warning.code == MISSING]
        assert any(message.startswith("styles.combat.guidance: the model fake has no guidance") for message in messages)


@pytest.mark.parametrize(
    ("able", "fields"),
    [
        ({}, ["music.tempo"]),
        ({"clock": False}, ["transitions[1].exit_source_at"]),
        ({"clock": False, "notes": False}, ["music.key", "transitions[1].exit_source_at"]),
        ({"drums": False}, ["styles.combat.drums", "music.tempo"]),
    ],
)
def test_only_what_is_asked_for_and_missing_is_named(
    soundtrack_text: str, able: dict[str, bool], fields: list[str]
) -> None:
    said = shortfalls(parse_soundtrack(soundtrack_text), engine(**able).info)
    assert [sentence.split(":")[0].split(", ")[0] for sentence in said] == fields


def test_a_modest_soundtrack_lacks_nothing_and_a_long_list_is_cut() -> None:
    modest = "soundtrack: m\ninitial: calm\nstyles: {calm: {prompts: calm}}\nstates: {calm: {style: calm}}\n"
    nothing = engine(notes=False, drums=False, guidance=False, clock=False).info
    assert shortfalls(parse_soundtrack(modest), nothing) == []
    assert shortfalls(parse_soundtrack(modest), nothing, Guidance(style=3, notes=1, drums=1)) == [
        "guidance: the model fake has no guidance"
    ]
    styles = ", ".join(f"s{i}: {{prompts: calm, drums: off}}" for i in range(11))
    many = modest.replace("{calm: {prompts: calm}}", f"{{calm: {{prompts: calm}}, {styles}}}")
    (sentence,) = shortfalls(parse_soundtrack(many), nothing)
    assert "styles.s7.drums and 3 more: " in sentence
