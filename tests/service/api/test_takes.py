# SPDX-License-Identifier: Apache-2.0
"""Controls are heard a margin beyond the playhead, whatever has been generated: the timeline is rewound."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from segue.v1 import control_pb2, stream_pb2

FRAME = 1920
LONG = 4000
HEAD, REWOUND, LIMITED, UNCHANGED = (
    control_pb2.LANDING_HEAD,
    control_pb2.LANDING_REWOUND,
    control_pb2.LANDING_HEAD_LIMITED,
    control_pb2.LANDING_UNCHANGED,
)
MARGIN = 4800
"""100 ms, the default."""


def samples(data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<i2").reshape(-1, 2)


async def go(opened: Any, state: str) -> Any:
    """To a state at once."""
    now = opened.header(exit_source_at=control_pb2.EXIT_SOURCE_AT_IMMEDIATE)
    return await opened.call("SetState", state=state, control=now)


async def led(rig: Any, wait_until: Any, **fields: Any) -> Any:
    """A session whose whole lead is there and of which nothing has been heard."""
    opened = await rig.create(target_lead_ms=LONG, **fields)
    await wait_until(lambda: rig.session(opened).head_sample >= LONG * 48)
    return opened


def danger(value: float, **fields: Any) -> control_pb2.ParameterChange:
    return control_pb2.ParameterChange(
        values=[control_pb2.ParameterValue(name="danger", value=value)], ignore_seek_speed=True, **fields
    )


async def test_counterfactual_of_an_event(rig: Any, wait_until: Any) -> None:
    """Before audible_at_sample nothing differs from the run without it, and in the two frames after it something."""
    plain, steered = await led(rig, wait_until), await led(rig, wait_until)
    outcome = await steered.call("PostEvent", event="enemy_spotted")
    at = outcome.audible_at_sample
    assert (outcome.landing, outcome.take, outcome.state) == (REWOUND, 1, "combat")
    assert MARGIN <= at < MARGIN + 2 * FRAME
    assert outcome.head_sample >= LONG * 48
    a, b = samples((await plain.hear(100 * FRAME))[0]), samples((await steered.hear(100 * FRAME))[0])
    np.testing.assert_array_equal(a[:at], b[:at])
    assert (a[at : at + 2 * FRAME] != b[at : at + 2 * FRAME]).any()


async def test_counterfactual_of_a_listener_that_has_buffered(rig: Any, wait_until: Any) -> None:
    """A client that holds seconds hears the change from the same sample on, by replacing what it holds."""
    plain, steered = await led(rig, wait_until), await led(rig, wait_until)
    undisturbed = samples((await plain.hear(90 * FRAME))[0])
    stream = steered.stream()
    held, takes, events, at = np.zeros((0, 2), np.int16), [], [], None
    async for message in stream:
        match message.WhichOneof("message"):
            case "audio":
                held = np.concatenate([held[: message.audio.first_sample], samples(message.audio.payload)])
                takes.append((message.audio.take, message.audio.first_sample, message.audio.sample_count))
            case "event":
                events.append(message.event)
        if at is None and len(held) >= 80 * FRAME:
            at = (await steered.call("PostEvent", event="enemy_spotted")).audible_at_sample
        if at is not None and takes[-1][0] == 1 and len(held) >= 90 * FRAME:
            break
    stream.cancel()
    first = next(take for take in takes if take[0] == 1)
    assert at is not None
    assert first[1] == at < 80 * FRAME
    assert first[2] == FRAME, "a take begins with single frames"
    np.testing.assert_array_equal(held[:at], undisturbed[:at])
    assert (held[at : at + 2 * FRAME] != undisturbed[at : at + 2 * FRAME]).any()
    (rewound,) = [event for event in events if event.WhichOneof("detail") == "rewound"]
    assert (rewound.sample, rewound.take) == (at, 1)
    assert rewound.rewound.replaced_until_sample >= 80 * FRAME
    (changed,) = [event for event in events if event.WhichOneof("detail") == "state_changed"]
    assert (changed.sample, changed.take) == (at, 1)


async def test_a_neighbour_hears_nothing_of_it(rig: Any, wait_until: Any) -> None:
    alone = samples((await (await led(rig, wait_until, seed=11)).hear(90 * FRAME))[0])
    neighbour, steered = await led(rig, wait_until, seed=11), await led(rig, wait_until)
    hearing = asyncio.create_task(neighbour.hear(90 * FRAME))
    for state in ("combat", "boss", "explore"):
        await go(steered, state)
    np.testing.assert_array_equal(samples((await hearing)[0]), alone)
    assert rig.session(neighbour).describe().take == 0


async def test_parameters_are_in_no_hurry_unless_they_say_so(rig: Any, wait_until: Any) -> None:
    opened = await led(rig, wait_until)
    calm = await opened.call("SetParameters", parameters=danger(0.9))
    assert (calm.landing, calm.take) == (HEAD, 0)
    assert calm.audible_at_sample == calm.head_sample
    urgent = await opened.call("SetParameters", parameters=danger(0.1, urgent=True))
    assert (urgent.landing, urgent.take) == (REWOUND, 1)
    assert urgent.audible_at_sample < calm.head_sample
    assert (await opened.call("GetSession")).session.parameters[0].value == pytest.approx(0.1)


async def test_what_was_said_later_on_the_timeline_is_not_lost(rig: Any, wait_until: Any) -> None:
    """A parameter lands at the head; an event after it is heard before that, and the parameter then too."""
    opened = await led(rig, wait_until)
    await opened.call("SetParameters", parameters=danger(0.9))
    outcome = await opened.call("PostEvent", event="enemy_spotted")
    assert outcome.landing == REWOUND
    session = (await opened.call("GetSession")).session
    assert session.state == "combat"
    assert session.parameters[0].value == pytest.approx(0.9)


async def test_the_last_word_stays_the_last(rig: Any, wait_until: Any) -> None:
    opened = await led(rig, wait_until)
    for state in ("combat", "boss", "explore", "boss"):
        await go(opened, state)
    assert (await opened.call("GetSession")).session.state == "boss"
    _, messages = await opened.hear(60 * FRAME)
    states = [
        m.event.state_changed.to_state
        for m in messages
        if m.WhichOneof("message") == "event" and m.event.WhichOneof("detail") == "state_changed"
    ]
    assert states[-1] == "boss"


async def test_past_the_limit_a_control_lands_at_the_head_and_says_so(start: Any, wait_until: Any) -> None:
    async with start(rewinds_per_second=0.001) as rig:
        opened = await led(rig, wait_until)
        first = await go(opened, "combat")
        await wait_until(lambda: rig.session(opened).head_sample >= LONG * 48)
        second = await go(opened, "boss")
        assert (first.landing, second.landing) == (REWOUND, LIMITED)
        assert second.take == 1
        assert second.audible_at_sample >= LONG * 48
        assert (await opened.call("GetSession")).session.state == "boss"


async def test_no_rewinding_at_all(start: Any, wait_until: Any) -> None:
    async with start(rewinds_per_second=0.0) as rig:
        opened = await led(rig, wait_until)
        outcome = await opened.call("PostEvent", event="enemy_spotted")
        assert (outcome.landing, outcome.take) == (LIMITED, 0)
        assert outcome.audible_at_sample >= LONG * 48


async def test_an_engine_that_cannot_go_back_that_far(start: Any, wait_until: Any) -> None:
    from segue_engine.batch.fake import FakeEngine

    async with start(engine=FakeEngine(slots=2, rewind_frames=20)) as rig:
        opened = await led(rig, wait_until)
        outcome = await opened.call("PostEvent", event="enemy_spotted")
        assert outcome.landing == REWOUND
        assert LONG * 48 - 20 * FRAME <= outcome.audible_at_sample < LONG * 48


async def test_what_begins_beyond_the_head_replaces_nothing(rig: Any, wait_until: Any) -> None:
    opened = await rig.create(target_lead_ms=1000)
    await wait_until(lambda: rig.session(opened).head_sample >= 1000 * 48)
    at = control_pb2.EXIT_SOURCE_AT_NEXT_BAR
    outcome = await opened.call("SetState", state="boss", control=opened.header(exit_source_at=at))
    assert (outcome.landing, outcome.take) == (HEAD, 0)
    assert outcome.audible_at_sample == 64 * FRAME
    plain, _ = await (await rig.create(target_lead_ms=1000)).hear(66 * FRAME)
    heard, messages = await opened.hear(66 * FRAME)
    a, b = samples(plain), samples(heard)
    np.testing.assert_array_equal(a[: 64 * FRAME], b[: 64 * FRAME])
    assert (a[64 * FRAME :] != b[64 * FRAME :]).any()
    assert not [m for m in messages if m.WhichOneof("message") == "event" and m.event.HasField("rewound")]


async def test_nothing_is_replaced_before_a_reset(rig: Any, wait_until: Any) -> None:
    opened = await led(rig, wait_until)
    reset = await opened.call("ResetContext")
    assert (reset.landing, reset.take) == (REWOUND, 1)
    assert MARGIN <= reset.audible_at_sample < MARGIN + 2 * FRAME
    outcome = await opened.call("PostEvent", event="enemy_spotted")
    assert outcome.audible_at_sample >= reset.audible_at_sample


@pytest.mark.parametrize("method", ["ResetContext", "SetWeightedPrompts"])
async def test_counterfactual_of_a_reset_and_of_prompts(rig: Any, wait_until: Any, method: str) -> None:
    plain, steered = await led(rig, wait_until), await led(rig, wait_until)
    fields = {"prompts": [{"text": "choir", "weight": 1.0}]} if method == "SetWeightedPrompts" else {}
    outcome = await steered.call(method, **fields)
    at = outcome.audible_at_sample
    assert (outcome.landing, outcome.take) == (REWOUND, 1)
    assert MARGIN <= at < MARGIN + 2 * FRAME
    a, b = samples((await plain.hear(100 * FRAME))[0]), samples((await steered.hear(100 * FRAME))[0])
    np.testing.assert_array_equal(a[:at], b[:at])
    assert (a[at : at + 2 * FRAME] != b[at : at + 2 * FRAME]).any()
    assert (a[60 * FRAME :] != b[60 * FRAME :]).any()


async def test_the_playhead_of_the_furthest_listener_counts(rig: Any, wait_until: Any) -> None:
    opened = await led(rig, wait_until)
    streams = [opened.stream(), opened.stream()]
    names = []
    for stream in streams:
        async for message in stream:
            if message.WhichOneof("message") == "ready":
                names.append(message.ready.listener_id)
            if message.WhichOneof("message") == "audio" and message.audio.first_sample >= 60 * FRAME:
                break
    await opened.call("ReportPlayback", listener_id=names[1], playhead_sample=40 * FRAME)
    outcome = await opened.call("PostEvent", event="enemy_spotted")
    assert outcome.landing == REWOUND
    assert 40 * FRAME + MARGIN <= outcome.audible_at_sample < LONG * 48
    for stream in streams:
        stream.cancel()


async def test_beats_are_told_once_per_take(rig: Any, wait_until: Any) -> None:
    opened = await led(rig, wait_until)
    await opened.call("PostEvent", event="enemy_spotted")
    _, messages = await opened.hear(95 * FRAME)
    beats: list[stream_pb2.Event] = [
        m.event for m in messages if m.WhichOneof("message") == "event" and m.event.HasField("beat")
    ]
    places = [beat.sample for beat in beats]
    assert places == sorted(set(places))
    assert len(places) >= 4
