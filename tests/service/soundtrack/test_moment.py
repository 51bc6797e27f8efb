# SPDX-License-Identifier: Apache-2.0
"""Several things at once, as docs/soundtrack-format.md orders them; and places that the game names itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue_service.soundtrack import (
    Machine,
    MachineState,
    Outcome,
    PostEvent,
    PostTrigger,
    Reason,
    SetParameters,
    SetState,
    StateChanged,
    Step,
    TransitionCancelled,
    parse_soundtrack,
    state_to_json,
)
from segue_service.soundtrack.messages import Input

TEXT = """
soundtrack: moments
initial: a
music: { tempo: 125, meter: 4/4, phrase_bars: 4 }     # 12 frames a beat, 48 a bar
styles: { x: { prompts: x }, y: { prompts: y } }
parameters: { p: { range: [0, 1] }, q: { range: [0, 1], seek_speed: 0.5, hysteresis: 0.1 } }
states:
  a: { style: x, blend_by: { q: { to: y, curve: [[0, 0], [1, 1]] } } }
  b: { style: y, min_dwell: 1 s }
  c: { style: x }
  d: { style: y }
transitions:
  - { from: any, to: b, on: low, fade: 0.4 s }
  - { from: any, to: c, on: high, priority: 5, fade: 0.4 s, cooldown: 2 s }
  - { from: any, to: d, on: [placed, also_placed], priority: 3, exit_source_at: next_bar }
  - { from: any, to: d, on: guarded, when: p > 0.5, priority: 7 }
  - { from: [a, b], to: c, on: later, after: 1 s }
  - { from: b, to: d, on: low, priority: 2 }
  - { from: c, to: a, when: q >= 0.9, after: 0.2 s }
stingers: { ping: { style: y, length: 1 beat }, pong: { clip: c.flac, exit_source_at: next_bar } }
events: { named: { state: c, exit_source_at: next_beat }, hurt: { set: { p: 1 }, trigger: pong } }
"""
EVENTS = ["low", "high", "placed", "also_placed", "guarded", "later", "named", "ping", "c", "hurt"]


@pytest.fixture(scope="module")
def moments() -> Machine:
    return Machine(parse_soundtrack(TEXT))


def do(machine: Machine, state: MachineState, *inputs: Input) -> Step:
    return machine.apply(state, inputs, machine.nominal_clock(state.head))


def to(machine: Machine, state: MachineState, frame: int) -> MachineState:
    return machine.advance(state, machine.nominal_clock(frame)).state


one: st.SearchStrategy[Input] = st.one_of(
    st.builds(PostEvent, st.sampled_from(EVENTS)),
    st.builds(PostTrigger, st.sampled_from(["ping", "pong"])),
    st.builds(SetState, st.sampled_from("abcd"), st.sampled_from([None, "immediate", "next_bar"])),
    st.builds(
        SetParameters, st.fixed_dictionaries({}, optional={"p": st.sampled_from([0.0, 1.0]), "q": st.just(0.95)})
    ),
)


def kinds(given: Input) -> set[str]:
    """What of the order counts for an input: two that share a kind keep theirs."""
    match given:
        case SetParameters():
            return {"parameters"}
        case SetState():
            return {"state"}
        case PostTrigger():
            return {"stinger"}
        case PostEvent("named" | "c"):
            return {"state"}
        case PostEvent("hurt"):
            return {"parameters", "stinger"}
        case PostEvent("ping"):
            return {"stinger"}
    return set()


@st.composite
def two_orders(draw: Any) -> tuple[list[Input], list[int]]:
    """Inputs, and another order of them that keeps that of each kind."""
    inputs = draw(st.lists(one, min_size=2, max_size=6))
    left, order = list(range(len(inputs))), []
    while left:
        free = [i for i in left if not any(j < i and kinds(inputs[j]) & kinds(inputs[i]) for j in left)]
        order.append(draw(st.sampled_from(free)))
        left.remove(order[-1])
    return inputs, order


@settings(deadline=None, max_examples=300)
@given(two_orders(), st.sampled_from("abcd"), st.integers(0, 30), st.lists(one, max_size=2))
def test_a_moment_does_not_depend_on_how_it_is_listed(
    moments: Machine, listed: tuple[list[Input], list[int]], state: str, frame: int, before: list[Input]
) -> None:
    inputs, order = listed
    begun = to(moments, do(moments, moments.start(state=state), *before).state, frame)
    first = do(moments, begun, *inputs)
    other = do(moments, begun, *(inputs[i] for i in order))
    assert other.state == first.state
    for at, i in enumerate(order):
        # Two events of one transition, or two words for one stinger: either may have been the first.
        assert replace(other.results[at], begins_at=None) == replace(first.results[i], begins_at=None)
    assert sum(isinstance(effect, StateChanged) for effect in first.effects) <= 2, "by the control, and by itself"


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(["low", "high", "placed", "guarded"]), min_size=1, max_size=4), st.floats(0, 1))
def test_the_highest_transition_wins(moments: Machine, events: list[str], p: float) -> None:
    begun = to(moments, do(moments, moments.start(), SetParameters({"p": p})).state, 5)
    results = do(moments, begun, *map(PostEvent, events)).results
    priority = {"low": 0, "high": 5, "placed": 3, "guarded": 7 if p > 0.5 else -1}
    target = {"low": "b", "high": "c", "placed": "d", "guarded": "d"}
    best = max(events, key=priority.__getitem__)
    assert {result.state for result in results} == {"a" if priority[best] < 0 else target[best]}
    for event, result in zip(events, results, strict=True):
        if priority[event] < 0:
            assert result.reason is Reason.GUARD
        elif event == best:
            assert result.outcome in (Outcome.STARTED, Outcome.SCHEDULED)
        else:
            assert (result.outcome, result.reason) == (Outcome.UNCHANGED, Reason.OUTRANKED)


def test_guards_see_what_is_set_in_the_same_moment(moments: Machine) -> None:
    for inputs in (
        (PostEvent("guarded"), SetParameters({"p": 1.0})),
        (SetParameters({"p": 0.0}), SetParameters({"p": 0.9}), PostEvent("guarded")),
        (PostEvent("guarded"), PostEvent("hurt")),
    ):
        assert do(moments, moments.start(), *inputs).state.state == "d"


def test_a_state_by_name_decides_and_stingers_play_whatever_happens(moments: Machine) -> None:
    step = do(
        moments, moments.start(), PostEvent("high"), SetState("b"), SetState("d", "immediate"), PostTrigger("ping")
    )
    assert step.state.state == "d"
    assert [s.name for s in step.state.stingers] == ["ping"]
    reasons = [result.reason for result in step.results]
    assert reasons == [Reason.OUTRANKED, Reason.OUTRANKED, Reason.NONE, Reason.NONE]
    assert [effect for effect in step.effects if isinstance(effect, StateChanged)] == [StateChanged(0, "d", "a")]


def test_what_is_due_comes_first(moments: Machine) -> None:
    """A change whose bar begins in this frame has happened when the frame's events are looked at."""
    waiting = to(moments, do(moments, to(moments, moments.start(), 3), PostEvent("placed")).state, 47)
    assert waiting.state == "a"
    step = moments.apply(waiting, [PostEvent("low")], moments.nominal_clock(48))
    assert [(e.state, e.previous) for e in step.effects if isinstance(e, StateChanged)] == [("d", "a"), ("b", "d")]


def test_controls_one_after_the_other_are_taken_so_even_in_one_frame(moments: Machine) -> None:
    first = do(moments, moments.start(), PostEvent("high")).state
    assert do(moments, first, PostEvent("guarded"), SetParameters({"p": 1.0})).state.state == "d"
    second = do(moments, first, PostEvent("low"))
    assert second.state.state == "b", "the last word is the last"
    third = do(moments, second.state, PostEvent("low"))
    assert third.results[0].reason is Reason.MIN_DWELL, "what has just been entered is protected"


def test_events_name_their_place(moments: Machine) -> None:
    begun = to(moments, moments.start(), 5)
    for place, at in (("immediate", 5), ("next_beat", 12), ("next_bar", 48), ("exit_cue", 192)):
        for event in ("low", "placed", "named", "c", "ping", "hurt"):
            result = do(moments, begun, PostEvent(event, place)).results[0]  # type: ignore[arg-type]
            assert result.begins_at == at, (event, place)
    triggered = do(moments, begun, PostTrigger("ping", "next_bar"), PostTrigger("pong", "immediate"))
    assert [result.begins_at for result in triggered.results] == [48, 5]


def test_asking_again_for_another_place_moves_what_waits(moments: Machine) -> None:
    waiting = do(moments, to(moments, moments.start(), 5), PostEvent("placed"), PostTrigger("pong"))
    again = do(moments, to(moments, waiting.state, 10), PostEvent("placed"), PostTrigger("pong"))
    assert [result.begins_at for result in again.results] == [48, 48]
    sooner = do(moments, again.state, PostEvent("placed", "next_beat"), PostTrigger("pong", "next_beat"))
    assert [result.begins_at for result in sooner.results] == [12, 12]
    assert not [effect for effect in sooner.effects if isinstance(effect, TransitionCancelled)]
    now = do(moments, sooner.state, PostEvent("also_placed", "immediate"), PostTrigger("pong", "immediate"))
    assert (now.state.state, now.state.pending, now.state.cues) == ("d", None, ())


def test_a_place_is_kept_through_min_dwell_and_after(moments: Machine) -> None:
    entered = do(moments, to(moments, moments.start(), 3), PostEvent("low")).state
    result = do(moments, to(moments, entered, 10), PostEvent("high", "next_bar")).results[0]
    assert (result.outcome, result.reason, result.begins_at) == (Outcome.QUEUED, Reason.MIN_DWELL, 48)
    queued = do(moments, to(moments, entered, 10), PostEvent("high", "next_bar")).state
    queued = moments.state_from_json(state_to_json(queued))
    assert to(moments, queued, 47).state == "b"
    assert to(moments, queued, 48).state == "c"
    later = do(moments, to(moments, moments.start(), 3), PostEvent("later", "next_bar"))
    assert (later.results[0].reason, later.results[0].begins_at) == (Reason.AFTER, 48)
    assert do(moments, later.state, PostEvent("later", "exit_cue")).results[0].begins_at == 192
