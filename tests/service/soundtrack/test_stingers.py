# SPDX-License-Identifier: Apache-2.0
"""What a stinger does while it sounds, and that it leaves nothing behind."""

from __future__ import annotations

import numpy as np
import pytest

from segue_service.soundtrack import (
    Machine,
    MachineState,
    PostTrigger,
    SetParameters,
    SetState,
    StingerStarted,
    StylePoint,
    parse_fade,
    parse_soundtrack,
    state_to_json,
)

TEXT = """
soundtrack: s
initial: calm
music: { tempo: 125 }     # 12 frames a beat, 48 a bar
styles:
  calm:  { prompts: calm, drums: off, gain_db: -6, guidance: 2, temperature: 0.8 }
  dense: { prompts: dense combat, drums: on }
  fight: { prompts: combat, drums: on }
parameters: { danger: { range: [0, 1] } }
states:
  calm:  { style: calm, blend_by: { danger: { to: fight, curve: [[0, 0], [1, 1]] } } }
  fight: { style: fight }
stingers:
  swell: { style: dense, length: 2 beats }
  cut:   { drums: off, length: 1 bar, exit_source_at: next_bar }
  beat:  { drums: on, length: 1 beat }
  both:  { style: dense, drums: off, length: 1 beat, fade: 0 s }
"""


@pytest.fixture(scope="module")
def accents() -> Machine:
    return Machine(parse_soundtrack(TEXT))


def at(machine: Machine, state: MachineState, frame: int) -> StylePoint:
    """What holds at a frame."""
    return [point for point in machine.plan(state, 0, 400).points if point.frame <= frame][-1]


def same(one: StylePoint, other: StylePoint) -> bool:
    return np.array_equal(one.weights, other.weights) and all(
        getattr(one, name) == getattr(other, name)
        for name in ("guidance", "gain_db", "drums", "temperature", "top_k", "min_p", "shape")
    )


@pytest.mark.parametrize("name", ["swell", "cut", "beat", "both"])
@pytest.mark.parametrize("danger", [0.0, 0.3, 1.0])
def test_when_it_is_over_all_is_as_if_it_had_never_been(accents: Machine, name: str, danger: float) -> None:
    begun = accents.apply(accents.start(), [SetParameters({"danger": danger})], accents.nominal_clock(0)).state
    played = accents.apply(begun, [PostTrigger(name, "immediate")], accents.nominal_clock(0)).state
    ends = played.stingers[0].ends
    inside = [at(accents, played, frame) for frame in range(ends)]
    plain = [at(accents, begun, frame) for frame in range(ends + 60)]
    is_heard = any(not same(one, other) for one, other in zip(inside, plain, strict=False))
    assert is_heard == ((name, danger) not in {("cut", 0.0), ("cut", 0.3), ("beat", 1.0)}), "it is so already"
    for frame in range(ends, ends + 60):
        assert same(at(accents, played, frame), plain[frame])
    after = accents.advance(played, accents.nominal_clock(ends)).state
    assert after.stingers == ()


def test_drums_drop_out_for_a_bar(accents: Machine) -> None:
    fight = accents.apply(
        accents.start(), [SetState("fight", fade=parse_fade("step")), PostTrigger("cut")], accents.nominal_clock(10)
    ).state
    step = accents.advance(fight, accents.nominal_clock(48))
    (started,) = [effect for effect in step.effects if isinstance(effect, StingerStarted)]
    assert started == StingerStarted(48, 2, "cut", None, None, 0.0, 96)
    drums = [(point.frame, point.drums) for point in accents.plan(step.state, 48, 200).points]
    assert drums == [(48, "off"), (96, "on")]
    weights = {tuple(point.weights) for point in accents.plan(step.state, 48, 200).points}
    assert len(weights) == 1, "the style is held"
    assert accents.state_from_json(state_to_json(step.state)) == step.state


def test_the_one_that_began_last_counts(accents: Machine) -> None:
    state = accents.apply(
        accents.start(state="fight"), [PostTrigger("cut", "immediate")], accents.nominal_clock(0)
    ).state
    state = accents.apply(state, [PostTrigger("beat")], accents.nominal_clock(20)).state
    drums = [(point.frame, point.drums) for point in accents.plan(state, 20, 200).points]
    assert drums == [(20, "on"), (32, "off"), (48, "on")]


def test_drums_of_a_style_stinger_hold_for_its_whole_length(accents: Machine) -> None:
    state = accents.apply(accents.start(state="fight"), [PostTrigger("both")], accents.nominal_clock(0)).state
    points = accents.plan(state, 0, 40).points
    assert [(point.frame, point.drums, float(point.weights[1])) for point in points] == [(0, "off", 1), (12, "on", 0)]
