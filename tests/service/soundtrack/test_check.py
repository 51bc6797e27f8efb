# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from segue_service.soundtrack import Soundtrack, check, parse_soundtrack, reachable
from segue_service.soundtrack.document import read_yaml

HEAD = """soundtrack: s
initial: a
styles: { x: { prompts: x }, y: { prompts: y } }
parameters: { danger: { range: [0, 1] } }
states: { a: { style: x }, b: { style: y }, c: { style: y } }
transitions:
"""


def said(transitions: str, more: str = "") -> list[str]:
    text = HEAD + transitions + more
    return [d.render().removeprefix("f:") for d in check(parse_soundtrack(text), read_yaml(text, "f"))]


def test_examples_have_no_warnings(example: Soundtrack) -> None:
    assert [d.render() for d in check(example) if d.severity == "warning"] == []
    assert reachable(example) == frozenset(example.states)


def test_unreachable_and_dead_ends() -> None:
    found = said("  - { from: a, to: b, on: go }\n  - { from: c, to: a, on: back }\n")
    assert "5:28  states.b: note: no transition leaves this state" in found
    assert (
        "5:45  states.c: warning: unreachable: no transition or event leads here from the initial state "
        "(a game can still name it)"
    ) in found
    assert "8:5  transitions[1]: warning: can never happen: c can't be reached" in found
    assert '8:27  transitions[1].on: warning: no reachable state reacts to event "back"' in found


def test_events_reach_states() -> None:
    found = said("  - { from: any, to: a, on: home }\n", "events: { death: { state: c } }\n")
    assert not any("states.c" in line for line in found)


def test_shadowed() -> None:
    found = said("  - { from: any, to: b, on: go, priority: 1 }\n  - { from: a, to: c, on: go }\n")
    assert "8:5  transitions[1]: warning: can never happen: transitions[0] always comes first" in found
    guarded = said(
        "  - { from: any, to: b, on: go, priority: 1, when: danger > 0.5 }\n  - { from: a, to: c, on: go }\n"
    )
    assert not any("can never happen" in line for line in guarded)
    partly = said("  - { from: b, to: a, on: go, priority: 1 }\n  - { from: [a, b], to: c, on: go }\n")
    assert not any("transitions[1]: warning: can never" in line and "first" in line for line in partly)


def test_overlap() -> None:
    found = said("  - { from: a, to: b, on: [go, run] }\n  - { from: a, to: c, on: [run, fly] }\n")
    assert any("overlaps transitions[0] at the same priority" in line for line in found)


def test_to_and_fro_on_one_number() -> None:
    def pair(there: str, back: str, more: str = "") -> list[str]:
        lines = f"  - {{ from: a, to: b, when: {there} }}\n  - {{ from: [b, c], to: a, when: {back}{more} }}\n"
        return [line for line in said(lines) if "to and fro" in line]

    expected = (
        '8:34  transitions[1].when: warning: goes to and fro with transitions[0] where "danger" wavers around 0.6: '
        'put the two numbers apart, or use "hysteresis", "min_dwell" or "after"'
    )
    for there, back in (
        ("danger > 0.6", "danger < 0.6"),
        ("0.5 <= danger", "danger < 0.6"),
        ("danger < .9", "danger > .6"),
    ):
        assert pair(there, back), (there, back)
    assert pair("danger > 0.6", "danger <= 0.6") == [expected]
    assert not pair("danger > 0.6", "danger < 0.5")
    assert not pair("danger > 0.6", "danger > 0.7")
    assert not pair("danger > 0.6", "danger < 0.6", ", after: 1 s")
    assert not pair("danger > 0.6", "danger < 0.6 and danger < 0.4"), "not looked into"
    assert not pair("danger > 0.6", "danger < 0.6", ", on: calm_down")
    for safe in (
        ("range: [0, 1]", "range: [0, 1], hysteresis: 0.1"),
        ("b: { style: y }", "b: { style: y, min_dwell: 1 s }"),
    ):
        text = HEAD.replace(*safe) + (
            "  - { from: a, to: b, when: danger > 0.6 }\n  - { from: b, to: a, when: danger < 0.6 }\n"
        )
        assert not any("to and fro" in d.message for d in check(parse_soundtrack(text)))


def test_impossible_guards() -> None:
    never = ["danger > 1", "danger > 0.6 and 0.5 < danger < 0.2 and danger < 0", "not danger >= 0", "danger == 2"]
    for guard in never:
        assert any("is never true" in line for line in said(f"  - {{ from: a, to: b, when: {guard} }}\n")), guard
    for guard in ("danger >= 1", "danger != 0", "not danger < 0.5 or danger > 3", "danger == 0.5"):
        assert not any("is never true" in line for line in said(f"  - {{ from: a, to: b, when: {guard} }}\n")), guard


def test_parts_without_effect() -> None:
    found = said("  - { from: a, to: b, on: go, via: y, fade: step }\n")
    assert any("transitions[0].via: warning: has no effect" in line for line in found)
    assert "4:15  parameters.danger: note: changes nothing: no blend_by or when reads it" in found
    found = said("  - { from: a, to: b, when: danger > 0.5 }\n", "stingers: { s: { style: y, length: 1 bar } }\n")
    assert not any("is not used" in line or "changes nothing" in line for line in found)


def test_slips_of_the_pen() -> None:
    found = said("  - { from: a, to: b, on: enemy_spotted }\n  - { from: a, to: c, on: enemy_spoted }\n")
    assert any('"enemy_spotted" and "enemy_spoted" are almost alike' in line for line in found)
    assert not any(
        "alike" in line for line in said("  - { from: a, to: b, on: wave1 }\n  - { from: a, to: c, on: wave2 }\n")
    )


def test_curve_outside_the_range() -> None:
    text = HEAD.replace("a: { style: x }", "a: { style: x, blend_by: { danger: { to: y, curve: [[0, 0], [2, 1]] } } }")
    found = [d.message for d in check(parse_soundtrack(text + "  - { from: any, to: a, on: go }\n"))]
    assert "lies outside the range of danger, 0 to 1" in found
