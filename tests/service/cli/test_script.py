# SPDX-License-Identifier: Apache-2.0
"""Scripts: what a game says when, and what is said about mistakes in one."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue_service.cli.script import load_script
from segue_service.soundtrack import SoundtrackError

GOOD = """
length: 10 s
seed: 3
at:
  - { at: 4 s, post: enemy_spotted }
  - { at: 500 ms, set: { danger: 0.6, hull: 3 }, trigger: hit }
  - { at: 4 s, state: boss }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "game.script.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_happenings_come_by_time_and_those_of_one_time_as_written(tmp_path: Path) -> None:
    script = load_script(write(tmp_path, GOOD))
    assert (script.length, script.seed) == (10.0, 3)
    assert [h.label for h in script.in_order()] == ["danger → 0.6, hull → 3, ♪ hit", "enemy_spotted", "state boss"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at:\n  - { at: 20 bars, post: a }\n", ":2:11  at[0].at: expected a time in seconds"),
        ("at:\n  - { at: 2 s }\n", "expected at least one of post, set, trigger, state"),
        ("at:\n  - { at: 2 s, pst: a }\n", "at[0].pst"),
        ("length: 3\n", ":1:9  length: expected a length"),
        ("seed: -1\n", "seed: "),
        ("at: [\n", "this is not YAML"),
    ],
)
def test_a_mistake_names_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SoundtrackError) as failure:
        load_script(write(tmp_path, text))
    assert said in str(failure.value)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=120) | st.text(alphabet="{}[]:,- \n#at0s1post", max_size=120))
def test_no_text_gives_anything_but_a_script_or_a_soundtrack_error(tmp_path: Path, text: str) -> None:
    with contextlib.suppress(SoundtrackError):
        assert load_script(write(tmp_path, text.encode("utf-8", "replace").decode())).length >= 0
