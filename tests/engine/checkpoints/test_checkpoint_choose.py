# SPDX-License-Identifier: Apache-2.0
"""`--model auto`: what is chosen for a device, and what is said about what was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue_engine.checkpoints.choose import best_model, choose
from segue_engine.checkpoints.survey import Found, State

HUGE = 80_000_000_000


def found(small: State, base: State) -> list[Found]:
    return [
        Found("starter", "ready", Path(), ""),
        Found("mrt2_small", small, Path(), "", "segue models download mrt2_small" if small == "missing" else ""),
        Found("mrt2_base", base, Path(), "", "segue models download mrt2_base" if base == "missing" else ""),
        Found("mrt2_tiny_noise", "synthetic noise", Path(), ""),
    ]


@pytest.mark.parametrize(
    ("device", "memory", "small", "base", "name", "said"),
    [
        ("cpu", None, "ready", "ready", "starter", "slower than real time"),
        ("gpu", HUGE, "ready", "ready", "mrt2_base", "best model here for this GPU"),
        ("tpu", None, "ready", "ready", "mrt2_base", "TPU"),
        ("gpu", HUGE, "ready", "missing", "mrt2_small", "`segue models download mrt2_base`"),
        ("gpu", 8_000_000_000, "ready", "ready", "mrt2_small", "mrt2_base: wants 16 GB of memory, the device has 8 GB"),
        ("gpu", 2_000_000_000, "ready", "ready", "starter", "mrt2_small: wants 4 GB"),
        ("gpu", HUGE, "missing", "missing", "starter", "`segue models download mrt2_small`"),
        ("gpu", HUGE, "damaged", "ready", "mrt2_base", "best"),
        ("gpu", HUGE, "ready", "damaged", "mrt2_small", "mrt2_base: damaged (`segue models check mrt2_base`)"),
        ("gpu", HUGE, "synthetic noise", "synthetic noise", "starter", "synthetic noise"),
    ],
)
def test_the_best_model_and_why(
    device: str, memory: int | None, small: State, base: State, name: str, said: str
) -> None:
    choice = choose(found(small, base), device, memory, styles=True)
    assert choice.name == name
    assert said in choice.reason


def test_without_the_style_encoders_runtime_the_starter_plays() -> None:
    choice = choose(found("ready", "ready"), "gpu", HUGE, styles=False)
    assert choice.name == "starter"
    assert "segue[musiccoca]" in choice.reason


def test_on_a_disk_without_models_the_starter_plays(tmp_path: Path) -> None:
    name, reason = best_model("gpu", HUGE, tmp_path)
    assert name == "starter"
    assert f"segue models download mrt2_base --models-dir {tmp_path}" in reason
