# SPDX-License-Identifier: Apache-2.0
"""What must hold for any soundtrack and any log of inputs."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from segue_service.soundtrack import (
    Diagnostic,
    Effect,
    Machine,
    MachineState,
    MusicClock,
    PostEvent,
    PostTrigger,
    SetParameters,
    SetState,
    SoundtrackError,
    StateChanged,
    TransitionFinished,
    TransitionStarted,
    build,
    check,
    graph_svg,
    load_built,
    parse_fade,
    parse_soundtrack,
    state_to_json,
)
from segue_service.soundtrack.clock import grid_clock
from segue_service.soundtrack.compile import compile_document
from segue_service.soundtrack.document import Document
from segue_service.soundtrack.messages import Input

STYLES = ["s0", "s1", "s2", "s3"]
STATES = ["a", "b", "c"]
EVENTS = ["go", "run", "stop"]
PARAMETERS = ["danger", "speed"]
STINGERS = ["ping", "clip"]

style = st.sampled_from(STYLES)
state = st.sampled_from(STATES)
short = st.sampled_from(["0 s", "0.2 s", "1 s", "3 s", "1 beat", "2 bars"])
place = st.sampled_from(["immediate", "next_beat", "next_bar", "exit_cue"])
curve = st.sampled_from(["step", "linear", "equal_power", "ease_in", "ease_out", "ease_in_out"])
guard = st.sampled_from(["danger < 0.3", "danger >= 0.5 and speed < 8", "not speed == 0", "danger > 0.9 or speed > 9"])
fade = st.one_of(st.just("step"), st.builds(lambda length, how: {"length": length, "curve": how}, short, curve))
rising = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4).map(
    lambda c: [list(p) for p in sorted(c)]
)


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


cause = st.one_of(
    st.fixed_dictionaries(
        {"on": st.lists(st.sampled_from(EVENTS), min_size=1, max_size=2)}, optional={"when": guard, "after": short}
    ),
    st.fixed_dictionaries({"when": guard}, optional={"after": short}),
    st.fixed_dictionaries({"after": short}),
)
transition = st.builds(
    lambda ends, why, how: {**ends, **why, **how},
    st.fixed_dictionaries({"from": st.one_of(st.just("any"), st.lists(state, min_size=1, max_size=2)), "to": state}),
    cause,
    maybe(
        exit_source_at=place, fade=fade, via=style, cooldown=short, priority=st.integers(-1, 1), reenter=st.booleans()
    ),
)
document = st.fixed_dictionaries(
    {
        "soundtrack": st.just("any_one"),
        "initial": state,
        "styles": st.fixed_dictionaries({name: st.just({"prompts": {name: 1.0}}) for name in STYLES}),
        "parameters": st.just({"danger": {"range": [0, 1], "seek_speed": 0.7}, "speed": {"range": [0, 10]}}),
        "states": st.fixed_dictionaries(
            {
                name: st.builds(
                    lambda s, more: {"style": s, **more},
                    style,
                    maybe(
                        min_dwell=short,
                        blend_by=st.dictionaries(
                            st.sampled_from(PARAMETERS),
                            st.fixed_dictionaries({"to": style, "curve": rising}),
                            max_size=2,
                        ),
                    ),
                )
                for name in STATES
            }
        ),
        "transitions": st.lists(transition, max_size=6),
        "stingers": st.fixed_dictionaries(
            {
                "ping": st.fixed_dictionaries(
                    {"style": style, "length": st.sampled_from(["0.1 s", "1 s", "1 bar"])},
                    optional={"exit_source_at": place, "fade": short, "weight": st.sampled_from([0.3, 1.0])},
                ),
                "clip": st.just({"clip": "c.flac", "exit_source_at": "next_beat", "cooldown": "0.5 s"}),
            }
        ),
        "events": st.just({name: {"set": {"speed": 5}} for name in EVENTS}),
    },
    optional={
        "music": st.sampled_from([{"tempo": 125}, {"tempo": 93.75, "phrase_bars": 2}, {"tempo": 101.3, "meter": "3/4"}])
    },
)
machines = document.map(lambda data: Machine(compile_document(Document("x", data))))

one_input: st.SearchStrategy[Input] = st.one_of(
    st.builds(PostEvent, st.sampled_from(EVENTS)),
    st.builds(PostTrigger, st.sampled_from(STINGERS)),
    st.builds(
        SetState, state, st.none() | place, st.none() | st.sampled_from(["step", "1 s", "1 bar"]).map(parse_fade)
    ),
    st.builds(
        SetParameters,
        st.fixed_dictionaries({}, optional={"danger": st.floats(0, 1), "speed": st.floats(0, 10)}),
        st.booleans(),
    ),
)
Log = list[tuple[int, list[Input]]]
logs = st.lists(st.tuples(st.integers(0, 60), st.lists(one_input, min_size=1, max_size=3)), max_size=8)
tempi = st.sampled_from([125.0, 93.75, 62.5])


class Run:
    """A log played through, and all that came of it. step: frames between calls of advance, None: only wakes."""

    def __init__(
        self, machine: Machine, log: Log, bpm: float, step: int | None = 1, reload: bool = False, rows: bool = False
    ) -> None:
        self.machine = machine
        self.clock = lambda frame: grid_clock(frame, bpm)
        self.effects: list[Effect] = []
        self.rows: list[np.ndarray[Any, Any]] = []
        self.states: list[MachineState] = []
        self.reload = reload
        self.wanted = rows
        self.state = machine.start()
        for gap, inputs in log:
            self.advance_to(self.state.head + gap, step)
            done = machine.apply(self.state, inputs, self.clock(self.state.head))
            self.took(done.state, done.effects)
        self.advance_to(self.state.head + 200, step)

    def advance_to(self, frame: int, step: int | None) -> None:
        while self.state.head < frame:
            if step is None:
                wake = self.machine.next_wake(self.state)
                head = frame if wake is None else min(wake, frame)
            else:
                head = min(self.state.head + step, frame)
            done = self.machine.advance(self.state, self.clock(head))
            self.took(done.state, done.effects)

    def took(self, after: MachineState, effects: tuple[Effect, ...]) -> None:
        self.state = self.machine.state_from_json(state_to_json(after)) if self.reload else after
        self.effects += effects
        self.states.append(after)
        if self.wanted:
            self.rows.append(self.machine.weights_at(after, np.arange(after.head, after.head + 3)))


@settings(deadline=None, max_examples=30)
@given(machines, logs, tempi)
def test_one_state_at_a_time_and_every_fade_ends(machine: Machine, log: Log, bpm: float) -> None:
    run = Run(machine, log, bpm)
    state, active = machine.soundtrack.initial, None
    for effect in run.effects:
        match effect:
            case StateChanged(_, now, previous):
                assert previous == state
                assert active is None or active.target == previous
                state = now
            case TransitionStarted():
                assert active is None, "the one before must have ended, or been interrupted"
                assert effect.target == state
                active = effect
            case TransitionFinished(frame, number, _, _, interrupted):
                assert active is not None
                assert number == active.id
                assert frame <= active.ends_at if interrupted else frame == active.ends_at
                active = None
    assert state == run.state.state
    assert active is None or active.ends_at > run.state.head
    assert (run.state.fade is None) == (active is None)
    frames = [effect.frame for effect in run.effects]
    assert frames == sorted(frames)


@settings(deadline=None, max_examples=30)
@given(machines, logs, tempi)
def test_weights_always_sum_to_1(machine: Machine, log: Log, bpm: float) -> None:
    run = Run(machine, log, bpm, rows=True)
    rows = np.concatenate(run.rows)
    assert rows.dtype == np.float32
    assert (rows >= 0).all()
    assert np.abs(rows.astype(np.float64).sum(axis=1) - 1).max() <= 1e-6
    plan = machine.plan(run.state, run.state.head, run.state.head + 100)
    for point in plan.points:
        assert abs(float(point.weights.astype(np.float64).sum()) - 1) <= 1e-6


@settings(deadline=None, max_examples=30)
@given(machines, logs, tempi)
def test_a_finished_fade_leaves_only_the_target(machine: Machine, log: Log, bpm: float) -> None:
    run = Run(machine, log, bpm)
    fading = {after.fade.id: after for after in run.states if after.fade is not None}
    for after in fading.values():
        if after.fade is not None:
            ended = np.arange(after.fade.ends, after.fade.ends + 2)
            through = machine.weights_at(after, ended)
            target = machine.weights_at(
                MachineState(after.head, after.state, 0, 0, after.parameters, stingers=after.stingers), ended
            )
            np.testing.assert_array_equal(through, target)


@settings(deadline=None, max_examples=30)
@given(machines, logs, tempi, st.sampled_from([None, 2, 7]))
def test_the_same_log_gives_the_same_trajectory(machine: Machine, log: Log, bpm: float, step: int | None) -> None:
    once = Run(machine, log, bpm, rows=True)
    again = Run(machine, log, bpm, reload=True, rows=True)
    assert once.effects == again.effects
    assert once.states == again.states
    np.testing.assert_array_equal(np.concatenate(once.rows), np.concatenate(again.rows))
    # Nor does it matter how often time is told, as long as each wake frame is seen or can be worked out.
    other = Run(machine, log, bpm, step=step)
    assert other.effects == once.effects
    assert other.state == once.state


@settings(deadline=None, max_examples=30)
@given(machines, logs, tempi, st.integers(1, 9))
def test_plans_do_not_depend_on_how_they_are_cut(machine: Machine, log: Log, bpm: float, cut: int) -> None:
    run = Run(machine, log, bpm)
    for after in run.states[-1:] + run.states[: len(log)]:
        head = after.head
        whole = machine.plan(after, head, head + 40).points
        values = {f: [p for p in whole if p.frame <= f][-1].weights for f in range(head, head + 41)}
        for first in range(head, head + 40, cut):
            last = min(first + cut - 1, head + 40)
            points = machine.plan(after, first, last).points
            assert points[0].frame == first
            for frame in range(first, last + 1):
                held = [p for p in points if p.frame <= frame][-1].weights
                np.testing.assert_array_equal(held, values[frame])


@settings(deadline=None, max_examples=30)
@given(machines)
def test_any_soundtrack_builds_checks_and_draws(machine: Machine) -> None:
    soundtrack = machine.soundtrack
    assert load_built(build(soundtrack)) == soundtrack
    assert all(diagnostic.render() for diagnostic in check(soundtrack))
    assert graph_svg(soundtrack).startswith("<svg")


@settings(deadline=None, max_examples=30)
@given(machines, logs, st.integers(0, 10), st.sampled_from([40.0, 187.5]), st.floats(0, 1))
def test_a_clock_that_changes_breaks_nothing(machine: Machine, log: Log, turn: int, bpm: float, trust: float) -> None:
    """The tempo may jump and trust may go; time still passes and no change is lost for ever."""
    now = machine.start()
    for index, (gap, inputs) in enumerate(log):
        head = now.head + gap
        clock = grid_clock(head, bpm if index % 2 else 93.75)
        if index == turn:
            clock = MusicClock(head, confidence=trust)
        now = machine.apply(now, inputs, clock).state
    while now.pending is not None or now.cues:
        assert now.head < 5000
        now = machine.advance(now, grid_clock(now.head + 1, 93.75)).state
        if any(rule.automatic for rule in machine._rules.rules):
            break


mangle = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.text("{}[]:,-#&*!|>'\"%@`\n\t abz019.\x00é\ufeff", max_size=6)),
    max_size=5,
)


@settings(deadline=None, max_examples=150)
@given(mangle)
def test_mangled_files_are_read_or_explained(small_text: str, changes: list[tuple[float, int, str]]) -> None:
    text = small_text
    for where, cut, put in changes:
        at = int(where * len(text))
        text = text[:at] + put + text[at + cut :]
    with contextlib.suppress(SoundtrackError):
        parse_soundtrack(text)


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=80) | st.text("{}[]:,-#&*!|>'\"%@`?\n ab0", max_size=60))
def test_any_text_is_read_or_explained(text: str) -> None:
    findings: tuple[Diagnostic, ...] = ()
    try:
        parse_soundtrack(text, "f")
    except SoundtrackError as error:
        findings = error.diagnostics
    assert findings, "nothing that short is a soundtrack"
    assert all(d.message and d.line >= 1 and d.column >= 1 for d in findings)
