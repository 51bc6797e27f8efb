# SPDX-License-Identifier: Apache-2.0
"""A session outlives its server: what a client holds is enough for another one to go on."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from segue.v1 import control_pb2, session_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1 import soundtrack_authoring_service_pb2 as authoring
from segue_engine.batch.fake import FRAMES_PER_BAR, FakeEngine

FRAME = 1920
KEYS = ("first key, of thirty-two letters", "second key, of thirty-two letter")


@dataclass
class Held:
    """What a client holds of a stream that has ended."""

    next_sample: int = 0
    take: int = 0
    token: bytes = b""
    points: int = 0
    pieces: list[bytes] = field(default_factory=list)
    audio: list[Any] = field(default_factory=list)
    events: list[stream_pb2.Event] = field(default_factory=list)
    goodbye: stream_pb2.Goodbye | None = None

    def put(self, message: pb.StreamAudioResponse) -> None:
        match message.WhichOneof("message"):
            case "audio":
                chunk = message.audio
                self.audio.append(chunk)
                self.pieces.append(chunk.continuation)
                self.next_sample, self.take = chunk.first_sample + chunk.sample_count, chunk.take
            case "resume_point":
                self.token = message.resume_point.token
                self.points += 1
            case "event":
                self.events.append(message.event)
            case "goodbye":
                self.goodbye = message.goodbye

    def resume(self, opened: Any, **fields: Any) -> pb.ResumeRequest:
        asked = {"token": self.token, "continuation": self.pieces, "from_sample": self.next_sample}
        return pb.ResumeRequest(**{**asked, "session_token": opened.token, **fields})


async def listen(opened: Any, held: Held, until: Any, **fields: Any) -> Held:
    """Take in a stream until something is true of what is held."""
    call = opened.stream(with_continuation=True, **fields)
    async for message in call:
        held.put(message)
        if until(held):
            break
    call.cancel()
    return held


def beyond(sample: int) -> Any:
    return lambda held: held.next_sample >= sample and held.token


@pytest.fixture
async def two(start: Any) -> AsyncIterator[tuple[Any, Any]]:
    """Two servers that share keys; the second's clock stands elsewhere."""
    async with contextlib.AsyncExitStack() as stack:
        rigs = [await stack.enter_async_context(start(resume_keys=KEYS)) for _ in range(2)]
        yield rigs[0], rigs[1]


async def resume(rig: Any, request: pb.ResumeRequest, **fields: Any) -> Any:
    return await rig.live.CreateSession(pb.CreateSessionRequest(resume=request, **fields))


def again(rig: Any, opened: Any, response: pb.CreateSessionResponse) -> Any:
    return type(opened)(rig, response.session.session_id, response.session_token)


async def test_another_server_goes_on_at_the_next_sample(two: Any) -> None:
    first, second = two
    opened = await first.create(labels={"match": "7"})
    held = await listen(opened, Held(), beyond(20 * FRAME))
    await opened.call("PostEvent", event="enemy_spotted")
    await opened.call("SetParameters", parameters={"values": [{"name": "danger", "value": 0.5}]})
    held = await listen(opened, held, beyond(60 * FRAME), from_sample=held.next_sample, take=held.take)
    response = await resume(second, held.resume(opened), labels={"match": "7"})
    session = response.session
    assert (session.session_id, response.session_token) == (opened.session_id, opened.token)
    assert (session.state, session.seed, session.soundtrack_id, dict(session.labels)) == (
        *("combat", 7, "dungeon"),
        {"match": "7"},
    )
    assert {value.name: value.value for value in session.parameters}["danger"] > 0.0
    there = again(second, opened, response)
    after = await listen(there, Held(), beyond(held.next_sample + 100 * FRAME), from_sample=held.next_sample)
    assert after.audio[0].first_sample == held.next_sample
    assert after.take == held.take + 1
    begins = [chunk.first_sample for chunk in after.audio]
    ends = [chunk.first_sample + chunk.sample_count for chunk in after.audio]
    assert begins[1:] == ends[:-1]
    bars = [event.sample // FRAME for event in (*held.events, *after.events) if event.HasField("bar")]
    assert len(bars) >= 2
    assert set(np.diff(bars)) == {FRAMES_PER_BAR}, "the bars go on as if nothing had been"


async def test_a_control_that_was_answered_is_not_lost(two: Any) -> None:
    """Nobody has heard it yet when the server dies, and it comes in its place."""
    first, second = two
    opened = await first.create(target_lead_ms=1000)
    held = Held()
    stream = opened.stream(with_continuation=True)
    async for message in stream:
        held.put(message)
        if held.next_sample >= 10 * FRAME and held.points == 1:
            bar = opened.header(exit_source_at=control_pb2.EXIT_SOURCE_AT_NEXT_BAR)
            outcome = await opened.call("SetState", state="boss", control=bar)
        if held.points > 1:
            break
    stream.cancel()
    assert outcome.in_transition
    response = await resume(second, held.resume(opened))
    assert (response.session.state, response.session.in_transition) == ("boss", True)
    there = again(second, opened, response)
    after = Held()

    def changed(held: Held) -> bool:
        return any(event.HasField("transition_started") for event in held.events)

    await listen(there, after, changed, from_sample=held.next_sample)
    started = next(event for event in after.events if event.HasField("transition_started"))
    assert started.sample == FRAMES_PER_BAR * FRAME, "at the bar that was asked for"


async def test_a_control_whose_answer_died_with_the_server_is_done_once(two: Any) -> None:
    first, second = two
    opened = await first.create(target_lead_ms=1000)
    held = await listen(opened, Held(), beyond(10 * FRAME))
    asked = {"trigger": "treasure", "control": opened.header(request_id="0123456789abcdef")}
    assert (await opened.call("PostTrigger", **asked)).landing != control_pb2.LANDING_UNCHANGED
    held = await listen(opened, held, beyond(20 * FRAME), from_sample=held.next_sample, take=held.take)

    there = again(second, opened, await resume(second, held.resume(opened)))
    for _ in range(2):
        outcome = await there.call("PostTrigger", **asked)
        assert (outcome.landing, outcome.request_id) == (control_pb2.LANDING_UNCHANGED, "0123456789abcdef")
        assert outcome.reason == "it was done before the session came here"
    other = {**asked, "control": opened.header(request_id="another one of 25 letters")}
    assert (await there.call("PostTrigger", **other)).landing != control_pb2.LANDING_UNCHANGED


async def test_many_ask_and_one_session_begins(two: Any) -> None:
    first, second = two
    opened = await first.create()
    held = await listen(opened, Held(), beyond(10 * FRAME))
    responses = await asyncio.gather(*(resume(second, held.resume(opened)) for _ in range(5)))
    assert {(r.session.session_id, r.session_token) for r in responses} == {(opened.session_id, opened.token)}
    assert len(second.server.registry) == 1
    late = await resume(second, held.resume(opened))
    assert late.session.session_id == opened.session_id
    assert len(second.server.registry) == 1
    alive = await resume(first, held.resume(opened))
    assert alive.session.take == 0, "where the session never died, it is the one that goes on"


async def test_without_its_token_another_session_begins(two: Any) -> None:
    first, second = two
    opened = await first.create()
    await opened.call("SetState", state="boss", control=opened.header(exit_source_at=1))
    held = await listen(opened, Held(), beyond(10 * FRAME))
    for rig in (first, second):
        response = await resume(rig, held.resume(opened, session_token="", continuation=[]), paused=True)
        assert response.session.session_id != opened.session_id
        assert response.session_token != opened.token
        assert (response.session.state, response.session.status) == ("boss", session_pb2.SESSION_STATUS_PAUSED)
    assert len(first.server.registry) == 2


async def test_a_resume_point_is_told_when_it_changes_and_not_for_every_step(two: Any) -> None:
    opened = await two[0].create(target_lead_ms=1000)
    held, sent = Held(), 0
    stream = opened.stream(with_continuation=True)
    async for message in stream:
        held.put(message)
        if message.WhichOneof("message") == "audio" and sent < 20:
            sent += 1
            value = {"name": "danger", "value": sent / 20}
            await opened.call("SetParameters", parameters={"values": [value], "ignore_seek_speed": True})
        if held.next_sample >= 60 * FRAME:
            break
    stream.cancel()
    assert 2 <= held.points <= 14
    response = await resume(two[1], held.resume(opened))
    assert {value.name: value.value for value in response.session.parameters}["danger"] == 1.0
    plain = opened.stream()
    async for message in plain:
        assert message.WhichOneof("message") != "resume_point"
        if message.WhichOneof("message") == "audio":
            assert message.audio.continuation == b""
            break
    plain.cancel()


async def test_what_is_refused_is_said(two: Any, start: Any, soundtrack_text: str) -> None:
    first, second = two
    opened = await first.create()
    held = await listen(opened, Held(), beyond(40 * FRAME))

    async def refusal(rig: Any, create: dict[str, Any] | None = None, **fields: Any) -> Any:
        return await rig.refused(resume(rig, held.resume(opened, **fields), **(create or {})))

    for fields, said in (
        ({"token": held.token[:20] + held.token[21:]}, "changed after it was signed"),
        ({"token": b"x" * 3000}, "at most 2048 bytes"),
        ({"continuation": [b"x", *held.pieces]}, r"continuation\[0\]"),
        ({"continuation": held.pieces[:5]}, "expected codes up to sample"),
        ({"from_sample": held.next_sample + 2**40}, "from_sample: expected 0 to "),
    ):
        answer = await refusal(second, **fields)
        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "RESUME_REFUSED")
        assert re.search(said, answer.message), answer.message
    answer = await refusal(second, session_token="another")
    assert answer.reason == "TOKEN_WRONG"
    for create, name in (({"soundtrack_id": "dungeon"}, "soundtrack_id"), ({"seed": 1}, "seed")):
        answer = await refusal(second, create)
        assert answer.fields == [name]
    answer = await refusal(second, token=b"")
    assert answer.fields == ["resume.token"]
    assert len(second.server.registry) == 0
    async with start(resume_keys=("a third key of thirty-two letters",)) as stranger:
        assert "which this server does not have" in (await refusal(stranger)).message
    async with start(FakeEngine(slots=4, version="fake-2"), resume_keys=KEYS) as other:
        assert "it is of the model fake fake-1; here plays fake fake-2" in (await refusal(other)).message
    async with start(resume_keys=KEYS) as changed:
        text = soundtrack_text.replace("min_dwell: 8 s", "min_dwell: 9 s")
        await changed.authoring.UploadSoundtrack(authoring.UploadSoundtrackRequest(text=text, replace=True))
        assert 'soundtrack "dungeon" version 3 with the content' in (await refusal(changed)).message


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2**64},
        {"take": 2**31},
        {"frame": 2**60},
        {"guidance": [9.0, 1.0, 1.0]},
        {"override": [[5000], None]},
        {"override": [[5], 90.0]},
        {"frame": 7},
        {"digest": "é"},
    ],
    ids=str,
)
async def test_a_signature_is_no_reason_to_believe_all(two: Any, change: dict[str, Any]) -> None:
    """A key that got out, or a server that was wrong: what can't be gone on from is refused all the same."""
    first, second = two
    opened = await first.create()
    held = await listen(opened, Held(), beyond(10 * FRAME))
    seal = second.server.registry.parts.seal
    point = seal.open(held.token).model_copy(update=change)
    name, signed = held.token.partition(b".")[0], seal._serializer.dumps(point.model_dump(warnings=False))
    held.token = name + b"." + signed.encode()
    answer = await second.refused(resume(second, held.resume(opened)))
    assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "RESUME_REFUSED")
    assert len(second.server.registry) == 0


async def test_a_long_pause_frees_the_slot_and_play_brings_it_back(start: Any, wait_until: Any) -> None:
    async with start(pause_ms=300) as rig:
        opened = await rig.create()
        await opened.call("PostEvent", event="enemy_spotted")
        held = await listen(opened, Held(), beyond(40 * FRAME))
        call = opened.stream(with_continuation=True, from_sample=held.next_sample)
        await opened.call("Pause")
        async for message in call:
            held.put(message)
        assert held.goodbye is not None
        assert held.goodbye.reason == stream_pb2.Goodbye.REASON_SUSPENDED
        assert held.goodbye.next_sample == held.next_sample
        assert (rig.server.registry.free, len(rig.server.registry)) == (4, 0)
        now = (await opened.call("GetSession")).session
        assert (now.status, now.state) == (session_pb2.SESSION_STATUS_SUSPENDED, "combat")
        answer = await rig.refused(opened.call("PostEvent", event="boss_door_opened"))
        assert (answer.code, answer.reason) == ("FAILED_PRECONDITION", "WRONG_STATUS")
        assert (await rig.refused(type(opened)(rig, opened.session_id, "x").call("Play"))).reason == "TOKEN_WRONG"
        await asyncio.gather(opened.call("Play"), opened.call("Play"))
        after = await listen(opened, Held(), beyond(held.next_sample + 20 * FRAME), from_sample=held.next_sample)
        assert after.audio[0].first_sample == held.next_sample
        assert (await opened.call("GetSession")).session.state == "combat"
        await opened.call("Pause")
        await wait_until(lambda: len(rig.server.registry) == 0)
        assert (await opened.call("CloseSession")).session.session_id == opened.session_id
        assert (await rig.refused(opened.call("Play"))).reason == "UNKNOWN_SESSION"


async def test_who_comes_back_gets_a_take_that_began_meanwhile_from_its_beginning(rig: Any, wait_until: Any) -> None:
    opened = await rig.create(target_lead_ms=4000)
    await wait_until(lambda: rig.session(opened).head_sample >= 4000 * 48)
    held = await listen(opened, Held(), lambda held: held.next_sample >= 80 * FRAME)
    outcome = await opened.call("PostEvent", event="enemy_spotted")
    at = outcome.audible_at_sample
    assert outcome.take == 1
    assert at < held.next_sample
    await wait_until(lambda: rig.session(opened).head_sample >= held.next_sample)
    for take, begin in ((0, at), (1, held.next_sample), (None, held.next_sample)):
        call = opened.stream(from_sample=held.next_sample, **({} if take is None else {"take": take}))
        async for message in call:
            if message.WhichOneof("message") == "ready":
                assert message.ready.first_sample == begin
                break
        call.cancel()


async def test_prefill_by_continuation_bytes(two: Any) -> None:
    """A new session goes on from another's codes: the fake's clock does."""
    opened = await two[0].create()
    held = await listen(opened, Held(), beyond(20 * FRAME))
    there = await two[1].create(prefill=held.pieces)
    after = await listen(there, Held(), beyond(60 * FRAME))
    bar = next(event.sample for event in after.events if event.HasField("bar"))
    assert bar // FRAME == FRAMES_PER_BAR - held.next_sample // FRAME % FRAMES_PER_BAR
    answer = await two[1].refused(two[1].create(prefill=[b"x"]))
    assert (answer.code, answer.fields) == ("INVALID_ARGUMENT", ["prefill[0]"])
