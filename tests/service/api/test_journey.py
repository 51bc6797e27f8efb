# SPDX-License-Identifier: Apache-2.0
"""The whole way of a session over a real loopback connection."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from segue.v1 import audio_pb2, control_pb2, session_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb

FRAME = 1920
LONG = 2000
HEAD, UNCHANGED = control_pb2.LANDING_HEAD, control_pb2.LANDING_UNCHANGED
REWOUND = control_pb2.LANDING_REWOUND


def kinds(messages: list[Any]) -> list[str]:
    return [message.WhichOneof("message") for message in messages]


def events(messages: list[Any], kind: str) -> list[stream_pb2.Event]:
    return [m.event for m in messages if m.WhichOneof("message") == "event" and m.event.WhichOneof("detail") == kind]


async def test_server_info(rig: Any) -> None:
    info = await rig.live.GetServerInfo(pb.GetServerInfoRequest())
    assert info.ready
    assert (info.slots, info.free_slots) == (4, 4)
    assert info.model.name == "fake"
    assert info.model.capabilities.clock
    assert info.model.capabilities.audio_prompts
    assert (info.format.sample_rate, info.format.channels, info.format.frame_samples) == (48_000, 2, FRAME)
    assert set(info.not_built) <= {"AudioEncoding.OPUS"}


async def test_a_stream_begins_with_ready_and_single_frames_and_has_no_gap(rig: Any) -> None:
    opened = await rig.create(target_lead_ms=LONG)
    _, messages = await opened.hear(30 * FRAME)
    assert kinds(messages)[0] == "ready"
    ready = messages[0].ready
    assert (ready.first_sample, ready.session.state, ready.session.seed) == (0, "explore", 7)
    chunks = [m.audio for m in messages if m.WhichOneof("message") == "audio"]
    assert [c.sample_count for c in chunks[:5]] == [FRAME, FRAME, FRAME, FRAME, 2 * FRAME]
    place = 0
    for chunk in chunks:
        assert chunk.first_sample == place
        assert len(chunk.payload) == 4 * chunk.sample_count
        place += chunk.sample_count


async def test_the_same_seed_gives_the_same_bytes_and_another_does_not(rig: Any) -> None:
    one, two, other = await rig.create(seed=5), await rig.create(seed=5), await rig.create(seed=6)
    heard = [(await opened.hear(7 * FRAME))[0] for opened in (one, two, other)]
    assert heard[0] == heard[1] != heard[2]


async def test_an_event_is_heard_exactly_from_the_sample_that_the_reply_names(rig: Any, wait_until: Any) -> None:
    plain, steered = await rig.create(target_lead_ms=LONG), await rig.create(target_lead_ms=LONG)
    await wait_until(lambda: rig.session(steered).head_sample >= 50 * FRAME)
    outcome = await steered.call("PostEvent", event="enemy_spotted")
    assert (outcome.landing, outcome.state, outcome.in_transition) == (REWOUND, "combat", True)
    at = outcome.audible_at_sample
    assert at < 50 * FRAME <= outcome.head_sample
    a, _ = await plain.hear(at + 2 * FRAME)
    b, messages = await steered.hear(at + 2 * FRAME)
    assert a[: 4 * at] == b[: 4 * at]
    assert a[4 * at :] != b[4 * at :]
    (changed,) = events(messages, "state_changed")
    assert (changed.sample, changed.state_changed.from_state, changed.state_changed.to_state) == (
        at,
        "explore",
        "combat",
    )
    (started,) = events(messages, "transition_started")
    assert (started.sample, started.transition_started.length_samples) == (at, 24_000 - 24_000 % FRAME)


@pytest.mark.parametrize(("codec", "mastering"), [(1, 72), (0, 240)])
async def test_delays_are_not_on_the_timeline(start: Any, codec: int, mastering: int, wait_until: Any) -> None:
    from segue_engine.batch.fake import FakeEngine

    late = FakeEngine(slots=4, codec_delay_frames=codec, mastering_delay_samples=mastering)
    async with start() as rig:
        plain, _ = await (await rig.create(target_lead_ms=LONG)).hear(20 * FRAME)
    async with start(engine=late) as rig:
        opened = await rig.create(target_lead_ms=LONG)
        delayed, messages = await opened.hear(20 * FRAME)
        assert plain == delayed
        assert next(m.audio.first_sample for m in messages if m.WhichOneof("message") == "audio") == 0
        await wait_until(lambda: rig.session(opened).head_sample >= 50 * FRAME - mastering)
        outcome = await opened.call("ResetContext", seed=7)
        whole, _ = await opened.hear(outcome.audible_at_sample + 6 * FRAME, from_sample=0)
        tail = np.frombuffer(whole, np.int16)[2 * (outcome.audible_at_sample + 3 * FRAME) :]
        assert np.abs(tail).max() > 1000, "the fresh context sounds"


async def test_events_come_before_the_chunk_that_holds_them(rig: Any) -> None:
    opened = await rig.create(target_lead_ms=LONG)
    await opened.call("PostEvent", event="enemy_spotted")
    trigger = await opened.call("PostTrigger", trigger="treasure")
    _, messages = await opened.hear(trigger.audible_at_sample + 17 * FRAME)
    heard = 0
    for message in messages:
        match message.WhichOneof("message"):
            case "event":
                assert message.event.sample >= heard, "told before it is heard"
            case "audio":
                heard = message.audio.first_sample + message.audio.sample_count
    beats, bars = events(messages, "beat"), events(messages, "bar")
    assert [event.sample for event in beats] == [place * 16 * FRAME for place in range(len(beats))]
    assert [event.sample for event in bars] == [event.sample for event in beats[::4]]
    assert beats[0].beat.bpm == 93.75
    (stinger,) = events(messages, "stinger_started")
    assert stinger.sample >= trigger.audible_at_sample
    assert stinger.sample % (16 * FRAME) == 0, "on a beat"


async def test_a_bar_quantised_state_lands_on_a_bar(rig: Any, wait_until: Any) -> None:
    opened = await rig.create(target_lead_ms=4000)
    await wait_until(lambda: rig.session(opened).head_sample >= 100 * FRAME)
    at = control_pb2.EXIT_SOURCE_AT_NEXT_BAR
    outcome = await opened.call("SetState", state="boss", control=opened.header(exit_source_at=at))
    assert outcome.landing == REWOUND
    assert outcome.audible_at_sample == 64 * FRAME < outcome.head_sample
    assert outcome.state == "boss"
    _, messages = await opened.hear(outcome.audible_at_sample + FRAME)
    (changed,) = events(messages, "state_changed")
    assert changed.sample == outcome.audible_at_sample


async def test_parameters_move_and_ride_along(rig: Any) -> None:
    opened = await rig.create(parameters=[control_pb2.ParameterValue(name="danger", value=0.25)])
    session = (await opened.call("GetSession")).session
    assert {p.name: p.value for p in session.parameters} == {"danger": 0.25}
    change = control_pb2.ParameterChange(
        values=[control_pb2.ParameterValue(name="danger", value=1.0)], ignore_seek_speed=True
    )
    outcome = await opened.call("SetParameters", parameters=change)
    assert outcome.landing == HEAD
    assert (await opened.call("GetSession")).session.parameters[0].value == 1.0
    also = [control_pb2.Change(event="enemy_spotted"), control_pb2.Change(trigger="treasure")]
    outcome = await opened.call("SetParameters", parameters=change, control=opened.header(also=also))
    assert outcome.state == "combat"


async def test_controls_land_while_a_session_catches_up(rig: Any) -> None:
    opened = await rig.create(target_lead_ms=10_000)
    changes = [
        control_pb2.ParameterChange(values=[control_pb2.ParameterValue(name="danger", value=value / 20)])
        for value in range(20)
    ]
    outcomes = await asyncio.gather(*(opened.call("SetParameters", parameters=change) for change in changes))
    frames = [outcome.head_sample // FRAME for outcome in outcomes]
    assert max(frames) <= 250 + 64, "the lead, and as far ahead of the head as a retry on a busy machine may aim"
    event = await opened.call("PostEvent", event="enemy_spotted")
    assert event.landing in (HEAD, REWOUND)


async def test_a_refused_rider_leaves_nothing_applied(rig: Any) -> None:
    opened = await rig.create()
    before = (await opened.call("GetSession")).session
    also = [control_pb2.Change(event="no_such_event")]
    refusal = await rig.refused(opened.call("PostEvent", event="enemy_spotted", control=opened.header(also=also)))
    assert refusal.code == "NOT_FOUND"
    after = (await opened.call("GetSession")).session
    assert (after.state, after.in_transition) == (before.state, before.in_transition) == ("explore", False)


async def test_pause_play_stop(rig: Any, wait_until: Any) -> None:
    opened = await rig.create(target_lead_ms=LONG)
    outcome = await opened.call("Pause")
    assert outcome.landing == HEAD
    assert (await opened.call("GetSession")).session.status == session_pb2.SESSION_STATUS_PAUSED
    paused_at = outcome.audible_at_sample
    await wait_until(lambda: rig.session(opened).head_sample == paused_at)
    assert (await opened.call("Pause")).landing == UNCHANGED
    assert (await opened.call("Play")).landing == HEAD
    await wait_until(lambda: rig.session(opened).head_sample >= 40 * FRAME)
    end = (await opened.call("Stop")).audible_at_sample
    messages = [message async for message in opened.stream()]
    last = [m.audio for m in messages if m.WhichOneof("message") == "audio"]
    assert messages[-1].goodbye.reason == stream_pb2.Goodbye.REASON_STOPPED
    if last:
        assert last[-1].first_sample + last[-1].sample_count == end
    refusal = await rig.refused(opened.call("Play"))
    assert (refusal.code, refusal.reason) == ("FAILED_PRECONDITION", "WRONG_STATUS")


async def test_a_reset_goes_on_without_a_click(rig: Any, wait_until: Any) -> None:
    opened = await rig.create(target_lead_ms=LONG)
    await wait_until(lambda: rig.session(opened).head_sample >= 50 * FRAME)
    outcome = await opened.call("ResetContext", seed=99)
    at = outcome.audible_at_sample
    heard, messages = await opened.hear(at + 4 * FRAME)
    pcm = np.frombuffer(heard, np.int16).reshape(-1, 2).astype(np.int32)
    inside = np.abs(np.diff(pcm[: at - FRAME], axis=0)).max()
    seam = np.abs(np.diff(pcm[at - 100 : at + 1200], axis=0)).max()
    after = np.abs(np.diff(pcm[at + 2 * FRAME :], axis=0)).max()
    assert seam <= 1.6 * max(inside, after)
    assert not np.array_equal(pcm[: 2 * FRAME], pcm[at + 2 * FRAME : at + 4 * FRAME])
    (refreshed,) = events(messages, "refreshed")
    assert (refreshed.sample, refreshed.refreshed.seed) == (at, 99)


async def test_prompts_play_until_the_next_transition(rig: Any) -> None:
    opened, plain = await rig.create(target_lead_ms=400), await rig.create(target_lead_ms=400)
    prompts = [pb.WeightedPrompt(text="accordion", weight=1.0), pb.WeightedPrompt(style="boss", weight=0.5)]
    outcome = await opened.call("SetWeightedPrompts", prompts=prompts, fade_ms=200)
    assert outcome.landing == REWOUND
    same = outcome.audible_at_sample + 8 * FRAME
    assert (await opened.hear(same))[0] != (await plain.hear(same))[0]
    await opened.call("PostEvent", event="enemy_spotted")
    assert (await opened.call("GetSession")).session.state == "combat"
    assert (await opened.call("SetWeightedPrompts")).landing in (HEAD, REWOUND)


async def test_float_is_the_same_music(rig: Any) -> None:
    opened = await rig.create(target_lead_ms=LONG)
    s16, _ = await opened.hear(10 * FRAME, from_sample=0)
    f32: list[Any] = []
    call = opened.stream(encoding=audio_pb2.AUDIO_ENCODING_F32, from_sample=0)
    async for message in call:
        if message.WhichOneof("message") == "audio":
            f32.append(np.frombuffer(message.audio.payload, "<f4"))
        if sum(map(len, f32)) >= 20 * FRAME:
            break
    call.cancel()
    floats = np.concatenate(f32)[: 20 * FRAME]
    np.testing.assert_array_equal(np.round(floats * 32768).astype(np.int16), np.frombuffer(s16, np.int16))


async def test_a_broken_stream_goes_on_from_its_sample(rig: Any) -> None:
    opened = await rig.create(target_lead_ms=LONG)
    first, _ = await opened.hear(10 * FRAME)
    second, messages = await opened.hear(10 * FRAME, from_sample=5 * FRAME + 17)
    assert messages[0].ready.first_sample == 5 * FRAME + 17
    assert first[4 * (5 * FRAME + 17) :] == second[: len(first) - 4 * (5 * FRAME + 17)]
    refusal = await rig.refused(opened.hear(1, from_sample=10**9))
    assert (refusal.code, refusal.reason) == ("OUT_OF_RANGE", "SAMPLE_GONE")


async def test_a_lone_listeners_reports_are_believed_within_reason(rig: Any) -> None:
    opened = await rig.create(target_lead_ms=LONG)
    call = opened.stream()
    listener = ""
    async for message in call:
        if message.WhichOneof("message") == "ready":
            listener = message.ready.listener_id
        if message.WhichOneof("message") == "audio" and message.audio.first_sample >= 10 * FRAME:
            break
    report = await opened.call("ReportPlayback", listener_id=listener, playhead_sample=3 * FRAME, underruns=2)
    assert report.playhead_sample == 3 * FRAME
    assert (await opened.call("GetSession")).session.underruns == 2
    report = await opened.call("ReportPlayback", listener_id=listener, playhead_sample=10**9)
    assert report.playhead_sample <= report.head_sample, "nobody hears what was not sent"
    call.cancel()


async def test_a_session_that_is_closed_is_gone_and_frees_its_slot(rig: Any) -> None:
    opened = await rig.create()
    call = opened.stream()
    messages: list[Any] = []
    async for message in call:
        messages.append(message)
        if message.WhichOneof("message") == "audio" and len(messages) < 8:
            continue
        if not messages[-1].HasField("goodbye"):
            break
    closed = await opened.call("CloseSession")
    assert closed.session.status == session_pb2.SESSION_STATUS_CLOSED
    rest = [message async for message in call]
    assert rest[-1].goodbye.reason == stream_pb2.Goodbye.REASON_CLOSED
    refusal = await rig.refused(opened.call("GetSession"))
    assert (refusal.code, refusal.reason) == ("NOT_FOUND", "UNKNOWN_SESSION")
    assert rig.server.registry.free == 4


async def test_guidance_is_the_sessions_where_a_style_names_none(rig: Any) -> None:
    info = await rig.live.GetServerInfo(pb.GetServerInfoRequest())
    assert info.model.default_guidance == session_pb2.Guidance(style=1, notes=1, drums=1)
    plain = await rig.create(target_lead_ms=LONG)
    same = await rig.create(target_lead_ms=LONG, guidance=session_pb2.Guidance(style=1, notes=1, drums=1))
    strict = await rig.create(target_lead_ms=LONG, guidance=session_pb2.Guidance(style=3, notes=1, drums=1))
    heard = [(await one.hear(10 * FRAME, from_sample=0))[0] for one in (plain, same, strict)]
    assert heard[0] == heard[1] != heard[2]
    refusal = await rig.refused(rig.create(guidance=session_pb2.Guidance(style=1, notes=9)))
    assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", ["guidance.notes"])
