# SPDX-License-Identifier: Apache-2.0
"""The machine's rules one by one, on a clock of 12 frames a beat, 48 a bar, phrases of 4 bars."""

from __future__ import annotations

import json

import numpy as np
import pytest

from segue_service.soundtrack import (
    InvalidValue,
    Machine,
    MachineState,
    MusicClock,
    Outcome,
    OutOfRange,
    ParameterChanged,
    PostEvent,
    PostTrigger,
    Reason,
    SetParameters,
    SetState,
    StateChanged,
    Step,
    StingerFinished,
    StingerStarted,
    TransitionCancelled,
    TransitionFinished,
    TransitionStarted,
    UnknownName,
    parse_fade,
    parse_soundtrack,
    state_to_json,
)
from segue_service.soundtrack.messages import Input


class Player:
    """Drives a machine the way a session does."""

    def __init__(self, machine: Machine, state: str | None = None) -> None:
        self.machine = machine
        self.state: MachineState = machine.start(state=state)
        self.effects: list[object] = []

    def to(self, frame: int, clock: MusicClock | None = None) -> Player:
        self._took(self.machine.advance(self.state, clock or self.machine.nominal_clock(frame)))
        return self

    def do(self, *inputs: Input, clock: MusicClock | None = None) -> Step:
        at = clock or self.machine.nominal_clock(self.state.head)
        step = self.machine.apply(self.state, inputs, at)
        self._took(step)
        return step

    def share(self, style: str, frame: int) -> float:
        row = self.machine.weights_at(self.state, np.asarray([frame]))[0]
        return float(row[self.machine.styles.index(style)])

    def _took(self, step: Step) -> None:
        self.state = step.state
        self.effects += step.effects


@pytest.fixture
def player(machine: Machine) -> Player:
    return Player(machine)


def test_immediate_transition(player: Player) -> None:
    (result,) = player.to(10).do(PostEvent("enemy")).results
    assert (result.outcome, result.state, result.begins_at, result.transition) == (Outcome.STARTED, "fight", 10, 0)
    assert player.effects == [
        StateChanged(10, "fight", "calm"),
        TransitionStarted(10, 1, "calm", "fight", 0, "enemy", 35, None),
    ]
    assert player.share("fight", 9) == 0
    assert player.share("fight", 10) == pytest.approx(1 / 26)
    assert player.share("fight", 22) == pytest.approx(0.5)
    assert player.share("fight", 35) == 1
    player.to(60)
    assert player.effects[2:] == [TransitionFinished(35, 1, "calm", "fight", False)]
    assert player.state.fade is None


def test_waits_for_the_beat_and_is_told_when(player: Player) -> None:
    player.to(1).do(SetState("boss", exit_source_at="immediate", fade=parse_fade("step")))
    (result,) = player.to(30).do(PostEvent("boss_died")).results
    assert (result.outcome, result.begins_at, result.state) == (Outcome.SCHEDULED, 36, "won")
    assert player.state.pending is not None
    assert player.state.pending.due == 36
    assert player.machine.next_wake(player.state) == 31
    player.to(35)
    assert player.state.state == "boss"
    player.to(36)
    assert player.state.state == "won"
    assert player.share("calm", 36) == 1


def test_follows_the_clock_when_the_tempo_changes(player: Player) -> None:
    player.to(1).do(SetState("boss", exit_source_at="immediate"))
    player.to(30).do(PostEvent("boss_died"))
    slower = MusicClock(31, bpm=62.5, frames_to_beat=20, frames_to_bar=40, phrase_bars=8)
    player.to(31, slower)
    assert player.state.pending is not None
    assert player.state.pending.due == 51
    player.to(50, slower.at(50))
    assert player.state.state == "boss"
    player.to(51, slower.at(51))
    assert (player.state.state, player.state.entered) == ("won", 51)


def test_exit_cue_is_the_end_of_the_soundtracks_phrase(player: Player) -> None:
    (result,) = player.to(50).do(PostEvent("door")).results
    assert result.begins_at == 4 * 48
    clock = MusicClock(50, bpm=125, frames_to_beat=10, frames_to_bar=46, bar=5, phrase_bars=8)
    (result,) = Player(player.machine).to(50, clock).do(PostEvent("door"), clock=clock).results
    assert result.begins_at == 50 + 46 + 2 * 48


def test_without_a_clock_nothing_waits() -> None:
    machine = Machine(
        parse_soundtrack(
            "soundtrack: s\ninitial: a\nstyles: { a: { prompts: x } }\nstates: { a: { style: a }, b: { style: a } }\n"
            "transitions: [{ from: a, to: b, on: go, exit_source_at: next_bar, fade: 1 bar }]"
        )
    )
    (result,) = Player(machine).to(7).do(PostEvent("go")).results
    assert (result.outcome, result.begins_at) == (Outcome.STARTED, 7)


def test_higher_priority_replaces_what_is_pending(player: Player) -> None:
    player.to(30).do(SetState("fight", exit_source_at="immediate"))
    player.to(90)
    assert player.state.state == "fight"
    assert player.state.pending is not None, "danger is 0, so it wants to leave at the next bar"
    (result,) = player.do(PostEvent("door")).results
    assert result.outcome is Outcome.SCHEDULED
    assert isinstance(player.effects[-1], TransitionCancelled)
    assert player.effects[-1].reason == "outranked"
    player.to(191)
    assert player.state.state == "fight"
    player.to(192)
    assert player.state.state == "boss"


def test_lower_priority_is_outranked(player: Player) -> None:
    player.to(1).do(PostEvent("door"))
    (result,) = player.to(2).do(PostEvent("enemy")).results
    assert (result.outcome, result.reason, result.state) == (Outcome.UNCHANGED, Reason.OUTRANKED, "boss")
    (again,) = player.to(3).do(PostEvent("door")).results
    assert (again.outcome, again.begins_at) == (Outcome.SCHEDULED, 192)


def test_explicit_from_beats_any_then_file_order() -> None:
    text = """
soundtrack: s
initial: a
styles: { a: { prompts: x } }
states: { a: { style: a }, b: { style: a }, c: { style: a }, d: { style: a } }
transitions:
  - { from: any, to: b, on: [go, jump] }
  - { from: a, to: c, on: go }
  - { from: a, to: d, on: go }
  - { from: any, to: d, on: jump }
"""
    machine = Machine(parse_soundtrack(text))
    assert Player(machine).do(PostEvent("go")).results[0].state == "c"
    assert Player(machine).do(PostEvent("jump")).results[0].state == "b"
    assert Player(machine, "b").do(PostEvent("jump")).results[0].state == "d", "any excludes the target itself"


def test_guards_on_events(player: Player) -> None:
    player.to(5).do(SetParameters({"health": 50}))
    assert player.do(PostEvent("quest")).results[0].reason is Reason.GUARD
    step = player.do(SetParameters({"health": 51}), PostEvent("quest"))
    assert [r.outcome for r in step.results] == [Outcome.APPLIED, Outcome.STARTED]


def test_guard_must_hold_without_a_break(player: Player) -> None:
    player.to(1).do(SetParameters({"danger": 0.5}, ignore_seek_speed=True), SetState("fight"))
    player.to(100)
    assert player.state.pending is None
    player.do(SetParameters({"danger": 0.1}, ignore_seek_speed=True))
    player.to(110).do(SetParameters({"danger": 0.3}, ignore_seek_speed=True))
    player.to(130).do(SetParameters({"danger": 0.1}, ignore_seek_speed=True))
    player.to(154)
    assert player.state.pending is None
    player.to(155)
    assert player.state.pending is not None, "0.1 since frame 130, for 25 frames"
    player.to(192)
    assert player.state.state == "calm"
    started = [e for e in player.effects if isinstance(e, TransitionStarted)][-1]
    assert (started.frame, started.cause, started.via, started.ends_at) == (192, "when", "bridge", 242)


def test_pending_is_dropped_when_its_guard_fails(player: Player) -> None:
    player.to(1).do(SetState("fight", exit_source_at="immediate"))
    player.to(60)
    assert player.state.pending is not None
    player.to(70).do(SetParameters({"danger": 0.9}, ignore_seek_speed=True))
    assert player.state.pending is None
    assert TransitionCancelled(70, 1, "calm", "guard") in player.effects
    player.to(200)
    assert player.state.state == "fight"


def test_a_moving_parameter_trips_a_guard_in_time(player: Player) -> None:
    player.to(1).do(SetParameters({"danger": 1.0}, ignore_seek_speed=True), SetState("fight"))
    player.to(100).do(SetParameters({"danger": 0.0}))
    assert player.machine.parameter(player.state, "danger", 100) == pytest.approx(0.98)
    player.to(139)
    assert player.machine.parameter(player.state, "danger", 139) == pytest.approx(0.2)
    assert player.state.holding == ()
    player.to(140)
    assert [h.since for h in player.state.holding] == [140]


def test_min_dwell_queues_an_event(player: Player) -> None:
    player.to(1).do(PostEvent("enemy"))
    (result,) = player.to(10).do(PostEvent("door")).results
    assert (result.outcome, result.reason, result.state) == (Outcome.QUEUED, Reason.MIN_DWELL, "fight")
    assert result.begins_at == 192
    player.to(50)
    assert player.state.pending is None
    player.to(51)
    assert player.state.pending is not None
    assert player.state.pending.target == "boss"
    player.to(192)
    assert player.state.state == "boss"


def test_a_queued_event_is_dropped_with_its_state(player: Player) -> None:
    player.to(1).do(PostEvent("enemy"))
    player.to(10).do(PostEvent("door"))
    player.to(20).do(SetState("won", exit_source_at="immediate"))
    assert player.state.queue == ()
    player.to(60)
    assert player.state.state == "won"


def test_an_event_with_after_waits(player: Player) -> None:
    player.to(1).do(SetState("boss", exit_source_at="immediate"))
    (result,) = player.to(10).do(PostEvent("flee")).results
    assert (result.outcome, result.reason, result.begins_at) == (Outcome.QUEUED, Reason.AFTER, 60)
    player.to(59)
    assert player.state.state == "boss"
    player.to(60)
    assert player.state.state == "calm"


def test_after_alone_is_time_in_the_state(player: Player) -> None:
    player.to(5).do(SetState("won", exit_source_at="immediate"))
    assert player.machine.next_wake(player.state) == 6
    player.to(6)
    assert player.machine.next_wake(player.state) == 30, "the fade's end"
    player.to(79)
    assert player.state.state == "won"
    player.to(80)
    assert player.state.state == "calm"
    assert [e for e in player.effects if isinstance(e, TransitionStarted)][-1].cause == "after"


def test_cooldown(player: Player) -> None:
    player.to(1).do(PostEvent("enemy"))
    player.to(60).do(SetState("calm", exit_source_at="immediate"))
    assert player.do(PostEvent("enemy")).results[0].reason is Reason.COOLDOWN
    assert player.to(250).do(PostEvent("enemy")).results[0].reason is Reason.COOLDOWN
    assert player.to(251).do(PostEvent("enemy")).results[0].outcome is Outcome.STARTED


def test_no_transition_from_here(player: Player) -> None:
    (result,) = player.to(3).do(PostEvent("boss_died")).results
    assert (result.outcome, result.reason, result.begins_at) == (Outcome.UNCHANGED, Reason.NO_TRANSITION, None)
    assert player.effects == []


def test_set_state_borrows_the_rule_and_passes_min_dwell(player: Player) -> None:
    player.to(1).do(PostEvent("enemy"))
    (result,) = player.to(5).do(SetState("calm")).results
    assert (result.outcome, result.begins_at, result.transition) == (Outcome.SCHEDULED, 48, 1)
    assert player.do(PostEvent("door")).results[0].reason is Reason.MIN_DWELL
    assert player.do(SetState("fight")).results[0].reason is Reason.ALREADY_THERE
    assert player.state.pending is None, "asking for the present state withdraws the change"
    (result,) = player.do(SetState("won", fade=parse_fade("2 bars"))).results
    assert (result.outcome, result.transition) == (Outcome.STARTED, None)
    assert player.state.fade is not None
    assert player.state.fade.ends == 5 + 96


def test_fade_in_mid_fade_begins_at_what_is_heard(player: Player) -> None:
    player.to(10).do(PostEvent("enemy"))
    player.to(20)
    before = {style: player.share(style, 19) for style in player.machine.styles}
    player.do(SetState("calm", exit_source_at="immediate", fade=parse_fade("4 s")))
    after = {style: player.share(style, 20) for style in player.machine.styles}
    assert all(abs(after[s] - before[s]) <= 2 / 101 + 1e-6 for s in before), (
        "twice as fast: it goes by way of the bridge"
    )
    assert TransitionFinished(20, 1, "calm", "fight", True) in player.effects
    assert player.share("calm", 120) == 1


def test_bridge_is_heard_half_way(player: Player) -> None:
    player.to(1).do(SetState("fight", exit_source_at="immediate", fade=parse_fade("step")))
    player.to(48).do(SetState("calm"))
    shares = [player.share("bridge", f) for f in range(48, 100)]
    assert max(shares) > 0.95
    assert int(np.argmax(shares)) == pytest.approx(25, abs=1)
    assert player.share("calm", 98) == 1
    assert player.share("fight", 80) == 0


def test_parameters(player: Player) -> None:
    (result,) = player.to(10).do(SetParameters({"danger": 0.5})).results
    assert (result.outcome, result.begins_at, result.state) == (Outcome.APPLIED, 10, "calm")
    assert player.effects == [ParameterChanged(10, "danger", 0.5, 34)]
    values = [player.machine.parameter(player.state, "danger", f) for f in (9, 10, 20, 33, 34, 99)]
    assert values == pytest.approx([0, 0.02, 0.22, 0.48, 0.5, 0.5])
    assert player.share("tense", 34) == pytest.approx(0.25)
    assert player.do(SetParameters({"health": 10})).results[0].begins_at is None, "no blend follows health"
    assert player.do(SetParameters({"danger": 0.5})).results[0].begins_at is None, "it is on its way there"


def test_events_table(player: Player) -> None:
    (result,) = player.to(1).do(PostEvent("hurt")).results
    assert (result.outcome, player.machine.parameter(player.state, "health", 1)) == (Outcome.APPLIED, 40)
    (result,) = player.do(PostEvent("opened")).results
    assert (result.outcome, result.stinger, result.begins_at) == (Outcome.SCHEDULED, "chest", 12)
    (result,) = player.do(PostEvent("hit")).results
    assert (result.outcome, result.stinger, result.begins_at) == (Outcome.SCHEDULED, "hit", 48)
    (result,) = player.do(PostEvent("won")).results
    assert (result.outcome, result.state) == (Outcome.STARTED, "won")
    (result,) = player.do(PostEvent("reset")).results
    assert (result.outcome, result.state) == (Outcome.STARTED, "calm")
    assert player.state.fade is not None
    assert player.state.fade.ends - player.state.fade.begins == 10


def test_style_stinger(player: Player) -> None:
    player.to(1).do(PostTrigger("chest"))
    player.to(12)
    assert player.effects[-1] == StingerStarted(12, 1, "chest", "shine", None, 0.0, 60)
    assert player.share("shine", 11) == 0
    assert 0 < player.share("shine", 12) < 1
    assert player.share("shine", 30) == 1
    assert player.share("shine", 60) == 0
    player.do(SetState("fight", exit_source_at="immediate", fade=parse_fade("1 s")))
    player.to(60)
    assert player.effects[-1] == StingerFinished(60, 1, "chest")
    assert player.share("fight", 60) == 1, "it returns to whatever the state is by then"


def test_clip_stinger_and_cooldown(player: Player) -> None:
    player.to(1).do(PostTrigger("hit"))
    assert player.do(PostTrigger("hit")).results[0].begins_at == 48
    player.to(48)
    assert player.effects == [StingerStarted(48, 1, "hit", None, "clips/hit.flac", -3.0, None)]
    assert player.do(PostTrigger("hit")).results[0].reason is Reason.COOLDOWN
    player.to(73)
    assert player.do(PostTrigger("hit")).results[0].outcome is Outcome.SCHEDULED


def test_only_so_many_stingers(player: Player) -> None:
    outcomes = [player.to(12 * i).do(PostTrigger("chest")).results[0] for i in range(1, 5)]
    assert all(r.outcome is Outcome.STARTED for r in outcomes)
    for _ in range(8):
        last = player.do(PostTrigger("chest")).results[0]
    assert last.reason is Reason.BUSY


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (PostEvent("enmey"), 'no event "enmey". Did you mean "enemy"?'),
        (SetState("figth"), 'no state "figth". Did you mean "fight"?'),
        (SetParameters({"dangre": 0.1}), 'no parameter "dangre". Did you mean "danger"?'),
        (PostTrigger("chets"), 'no stinger "chets". Did you mean "chest"?'),
        (SetParameters({"danger": 1.5}), "parameters.danger: expected 0 to 1, got 1.5"),
        (SetParameters({"danger": float("nan")}), "parameters.danger: expected 0 to 1, got nan"),
    ],
)
def test_all_or_nothing(player: Player, wrong: Input, said: str) -> None:
    player.to(5)
    before = player.state
    with pytest.raises((UnknownName, OutOfRange)) as caught:
        player.do(PostEvent("enemy"), wrong)
    assert said in str(caught.value)
    assert player.state == before
    assert player.effects == []


def test_errors_carry_their_parts(machine: Machine) -> None:
    with pytest.raises(UnknownName) as unknown:
        machine.apply(machine.start(), [SetState("clam")], machine.nominal_clock(0))
    assert (unknown.value.kind, unknown.value.name, unknown.value.near) == ("state", "clam", ("calm",))
    assert unknown.value.known == ("calm", "fight", "boss", "won")
    with pytest.raises(OutOfRange) as out:
        machine.start(parameters={"health": 101})
    assert (out.value.field, out.value.low, out.value.high) == ("parameters.health", 0, 100)
    with pytest.raises(InvalidValue, match=r'fade: expected a length .* no unit "brs"'):
        parse_fade("2 brs")
    with pytest.raises(UnknownName):
        machine.parameter(machine.start(), "mana", 0)


def test_start(machine: Machine) -> None:
    state = machine.start(100, "fight", {"danger": 0.7})
    assert (state.state, state.head, machine.parameter(state, "danger", 100)) == ("fight", 100, 0.7)
    assert set(machine.events) == {
        "opened", "hurt", "reset", "enemy", "door", "boss_died", "quest", "flee",
        "chest", "hit", "calm", "fight", "boss", "won",
    }  # fmt: skip


def test_time_does_not_go_back(machine: Machine) -> None:
    state = machine.advance(machine.start(), machine.nominal_clock(10)).state
    with pytest.raises(ValueError, match=r"clock.frame: expected at least 10, got 9"):
        machine.advance(state, machine.nominal_clock(9))


def test_idle_machine_sleeps(machine: Machine) -> None:
    state = machine.advance(machine.start(), machine.nominal_clock(1)).state
    assert machine.next_wake(state) is None
    assert machine.advance(state, machine.nominal_clock(90_000)).effects == ()


def test_json_refuses_what_does_not_fit(machine: Machine) -> None:
    text = state_to_json(machine.start())
    assert machine.state_from_json(text) == machine.start()
    with pytest.raises(ValueError, match='no state "clam"'):
        machine.state_from_json(text.replace('"calm"', '"clam"'))
    with pytest.raises(ValueError, match="its parameters are not those"):
        machine.state_from_json(text.replace('"danger"', '"dread"'))
    with pytest.raises(ValueError, match="machine state: JSON"):
        machine.state_from_json("{")
    with pytest.raises(ValueError, match="machine state: head"):
        machine.state_from_json(text.replace('"head":0', '"head":"x"'))
    with pytest.raises(ValueError, match="extra"):
        machine.state_from_json(text.replace('"head":0', '"head":0,"extra":1'))


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("head", -(2**60), "a frame that no session reaches"),
        ("look_at", 2**70, "a frame that no session reaches"),
        ("fade.begins", -(10**15), "a frame that no session reaches"),
        ("fade.source", [["calm", 3.0], ["fight", -2.0]], "fade does not fit together"),
        ("parameters.danger.anchor", 2**64, "a frame that no session reaches"),
        ("parameters.danger.origin", 1.5, "parameters.danger is out of its range"),
        ("parameters.danger.target", float("nan"), "parameters.danger is out of its range"),
        ("parameters.danger.per_frame", float("inf"), "parameters.danger is out of its range"),
        ("stingers.0.fade", -1, "the stinger chest does not fit together"),
        ("stingers.0.weight", float("nan"), "the stinger chest does not fit together"),
    ],
)
def test_json_refuses_what_no_machine_can_go_on_from(machine: Machine, part: str, value: object, said: str) -> None:
    begun = machine.apply(machine.start(), [SetState("fight"), PostTrigger("chest")], machine.nominal_clock(0)).state
    state = json.loads(state_to_json(machine.advance(begun, machine.nominal_clock(12)).state))
    assert machine.state_from_json(json.dumps(state))
    *around, last = part.split(".")
    place = state
    for step in around:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    with pytest.raises(ValueError, match=said):
        machine.state_from_json(json.dumps(state))


def test_a_parameter_may_be_slower_than_a_number_tells() -> None:
    text = "soundtrack: s\ninitial: a\nstyles: {x: {prompts: x}}\nstates: {a: {style: x}}\n"
    machine = Machine(parse_soundtrack(text + "parameters: {p: {range: [0, 1], seek_speed: 1.0e-307}}\n"))
    state = machine.apply(machine.start(), [SetParameters({"p": 1})], machine.nominal_clock(5)).state
    assert machine.parameter(state, "p", 10**9) == 0.0


def test_one_change_by_itself_a_frame() -> None:
    text = """
soundtrack: s
initial: a
styles: { a: { prompts: x } }
parameters: { p: { range: [0, 1] } }
states: { a: { style: a }, b: { style: a }, c: { style: a }, d: { style: a } }
transitions:
  - { from: a, to: b, on: go }
  - { from: b, to: c, when: p == 0 }
  - { from: c, to: d, after: 0 s }
  - { from: d, to: c, after: 0 s }
"""
    player = Player(Machine(parse_soundtrack(text)))
    player.to(5).do(PostEvent("go"))
    assert player.state.state == "b", "heard for a frame at least"
    player.to(9)
    changes = [(e.frame, e.state) for e in player.effects if isinstance(e, StateChanged)]
    assert changes == [(5, "b"), (6, "c"), (7, "d"), (8, "c"), (9, "d")], (
        "a circle without delay turns, it does not hang"
    )
