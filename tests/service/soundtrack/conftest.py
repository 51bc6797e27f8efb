# SPDX-License-Identifier: Apache-2.0
"""Soundtracks that the tests of the language and the state machine share."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue_service.soundtrack import Machine, Soundtrack, load_soundtrack, parse_soundtrack

EXAMPLES = Path(__file__).parents[3] / "examples"

SMALL = """
soundtrack: small
initial: calm
music: { tempo: 125, meter: 4/4, phrase_bars: 4 }     # 12 frames a beat, 48 a bar
styles:
  calm:   { prompts: { calm: 1 }, guidance: 1, gain_db: -6, drums: off, temperature: 0.9 }
  tense:  { prompts: { stealth: 1 } }
  fight:  { prompts: { combat: 1 }, guidance: 3, drums: on, temperature: 1.2, top_k: 40 }
  bridge: { prompts: { sad: 1 } }
  shine:  { prompts: { bells: 1 } }
parameters:
  danger: { range: [0, 1], default: 0, seek_speed: 0.5 }
  health: { range: [0, 100], default: 100 }
states:
  calm:  { style: calm, blend_by: { danger: { to: tense, curve: [[0, 0], [0.5, 0.25], [1, 1]] } } }
  fight: { style: fight, min_dwell: 2 s }
  boss:  { style: fight }
  won:   { style: calm }
transitions:
  - { from: any,   to: fight, on: enemy, fade: 1 s, cooldown: 10 s }
  - { from: fight, to: calm,  when: danger < 0.2, after: 1 s, exit_source_at: next_bar, via: bridge, fade: 2 s }
  - { from: any,   to: boss,  on: door, exit_source_at: exit_cue, fade: 1 bar, priority: 10 }
  - { from: boss,  to: won,   on: boss_died, exit_source_at: next_beat, fade: step }
  - { from: won,   to: calm,  after: 3 s, fade: 1 s }
  - { from: calm,  to: won,   on: quest, when: health > 50, fade: 1 s }
  - { from: boss,  to: calm,  on: flee, after: 2 s, fade: 1 s }
stingers:
  chest: { style: shine, length: 1 bar, exit_source_at: next_beat, fade: 0.2 s }
  hit:   { clip: clips/hit.flac, exit_source_at: next_bar, gain_db: -3, cooldown: 1 s }
events:
  opened: { trigger: chest }
  hurt:   { set: { health: 40 } }
  reset:  { state: calm, fade: 0.4 s }
"""


@pytest.fixture(scope="session")
def small() -> Soundtrack:
    return parse_soundtrack(SMALL, "small.yaml")


@pytest.fixture(scope="session")
def machine(small: Soundtrack) -> Machine:
    return Machine(small)


@pytest.fixture(scope="session")
def small_text() -> str:
    return SMALL


@pytest.fixture(scope="session", params=["dungeon", "starfield", "village_life"])
def example(request: pytest.FixtureRequest) -> Soundtrack:
    return load_soundtrack(EXAMPLES / request.param / f"{request.param}.soundtrack.yaml")


@pytest.fixture(scope="session")
def examples() -> Path:
    return EXAMPLES
