# SPDX-License-Identifier: Apache-2.0
"""Which edges a soundtrack has, and how each is brought about on the machine alone."""

from __future__ import annotations

import pytest

from segue_service.rehearsal.edges import Edge, choose, edges_of
from segue_service.rehearsal.staging import CannotHappen, stage
from segue_service.soundtrack import Machine, Soundtrack, parse_soundtrack

HEAD = """
soundtrack: t
initial: a
styles: { calm: { prompts: calm }, hot: { prompts: combat }, sad: { prompts: sad } }
parameters: { danger: { range: [0, 1], seek_speed: 0.1 }, hull: { range: [0, 100], default: 100 } }
states: { a: { style: calm }, b: { style: hot, min_dwell: 20 s }, c: { style: sad } }
"""


def soundtrack(rest: str) -> Soundtrack:
    return parse_soundtrack(HEAD + rest)


def names(made: Soundtrack) -> list[str]:
    return [edge.name for edge in edges_of(made)]


def staged(made: Soundtrack, name: str, cue: int = 150) -> object:
    edge = next(edge for edge in edges_of(made) if edge.name == name)
    return stage(Machine(made), edge, cue)


def test_any_is_every_state_that_it_means_and_two_events_are_one_edge() -> None:
    made = soundtrack("transitions: [{ from: any, to: b, on: [x, y] }, { from: [a, b], to: c, on: z }]")
    assert names(made) == ["a → b · x / y", "c → b · x / y", "a → c · z", "b → c · z"]


def test_states_that_nothing_leads_to_have_no_edges() -> None:
    assert names(soundtrack("transitions: [{ from: a, to: b, on: x }, { from: c, to: b, on: x }]")) == ["a → b · x"]


def test_events_that_set_a_state_and_style_stingers_are_edges_clips_are_not() -> None:
    made = soundtrack(
        "stingers: { bell: { style: sad, length: 1 bar }, hit: { clip: hit.wav } }\n"
        "events: { menu: { state: a }, fight: { state: b } }\n"
        "transitions: [{ from: a, to: b, on: fight }, { from: b, to: c, on: x }]"
    )
    assert names(made) == [
        "a → b · fight", "b → c · x", "b → a · menu", "c → a · menu", "c → b · fight", "♪ bell in a",
    ]  # fmt: skip


def test_a_cap_leaves_every_transition_its_share() -> None:
    made = soundtrack("transitions: [{ from: any, to: b, on: x }, { from: any, to: a, on: y }]")
    assert [edge.name for edge in choose(edges_of(made), 2)] == ["a → b · x", "b → a · y"]
    assert choose(edges_of(made), 99) == edges_of(made)


@pytest.mark.parametrize(
    ("transition", "name"),
    [
        ("{ from: a, to: b, on: x }", "a → b · x"),
        ("{ from: a, to: b, on: x, after: 9 s }", "a → b · x after 9 s"),
        ("{ from: a, to: b, on: x, when: danger > 0.5 and hull < 20 }", "a → b · x [danger > 0.5 and hull < 20]"),
        ("{ from: a, to: b, when: danger >= 0.75, after: 2 s, exit_source_at: next_bar }",
         "a → b · danger >= 0.75 after 2 s"),
        ("{ from: a, to: b, when: hull == 0, exit_source_at: exit_cue }", "a → b · hull == 0"),
        ("{ from: a, to: b, after: 300 s }", "a → b · after 300 s"),
        ("{ from: a, to: b, after: 2 s }", "a → b · after 2 s"),
    ],
)  # fmt: skip
def test_every_kind_of_cause_is_brought_about_by_the_cue(transition: str, name: str) -> None:
    made = soundtrack(f"transitions: [{transition}]")
    found = staged(made, name)
    assert all(0 <= frame <= 150 for frame, _ in found.said)
    assert found.source.tolist() == [1.0, 0.0, 0.0]
    assert found.target.tolist() == [0.0, 1.0, 0.0]
    assert found.state.head == 0
    assert found.state.state == "a"


def test_min_dwell_is_over_by_the_cue() -> None:
    made = soundtrack("transitions: [{ from: a, to: b, on: x }, { from: b, to: c, on: y }]")
    found = staged(made, "b → c · y")
    assert found.state.entered == 150 - 20 * 25
    assert [frame for frame, _ in found.said] == [150]


def test_parameters_keep_other_transitions_from_coming_first() -> None:
    made = soundtrack("transitions: [{ from: a, to: c, when: danger < 0.5, after: 1 s }, { from: a, to: b, on: x }]")
    assert staged(made, "a → b · x").parameters["danger"] == 0.5
    made = soundtrack("transitions: [{ from: a, to: c, on: x, when: danger < 0.5 }, { from: a, to: b, on: x }]")
    assert staged(made, "a → b · x").parameters["danger"] >= 0.5


@pytest.mark.parametrize(
    "transitions",
    [
        "{ from: a, to: c, on: x }, { from: a, to: b, on: x }",
        "{ from: a, to: b, when: danger > 0.4 and danger < 0.3 }",
    ],
)
def test_what_can_not_happen_is_said_before_anything_is_played(transitions: str) -> None:
    made = soundtrack(f"transitions: [{transitions}]")
    edge = next(edge for edge in edges_of(made) if edge.target == "b")
    with pytest.raises(CannotHappen, match="never wins"):
        stage(Machine(made), edge, 150)


def test_a_stinger_gives_way_to_the_state_that_was_there() -> None:
    made = soundtrack("stingers: { bell: { style: sad, length: 2 s } }\ntransitions: [{ from: a, to: b, on: x }]")
    found = staged(made, "♪ bell in a")
    assert found.source.tolist() == found.target.tolist()


def test_names_are_unique() -> None:
    made = soundtrack("transitions: [{ from: any, to: b, on: x }, { from: a, to: b, on: x, priority: 2 }]")
    assert len(set(edges_of(made))) == len(edges_of(made))
    assert isinstance(edges_of(made)[0], Edge)
