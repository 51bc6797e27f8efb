# SPDX-License-Identifier: Apache-2.0
"""Engines are put together by name, and what can't be is refused by name."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from segue_engine.assemble import AssembleError, assemble, models
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.contract import Engine, StyleEncoder


def test_the_fake_needs_no_jax() -> None:
    code = "import sys; from segue_engine.assemble import assemble; assemble('fake'); sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fake() -> None:
    assembly = assemble("fake", slots=3, rewind_frames=20)
    assert isinstance(assembly.engine, Engine)
    assert isinstance(assembly.style_encoder, StyleEncoder)
    assert (assembly.info.slots, assembly.info.rewind_frames) == (3, 20)


@pytest.mark.parametrize(
    ("argument", "value"), [("model", "startr"), ("device", "abacus"), ("slots", 0), ("rewind_frames", -1)]
)
def test_bad_arguments_are_named(argument: str, value: Any) -> None:
    with pytest.raises(AssembleError, match=argument):
        assemble(**{"model": "fake", argument: value})
    assert "starter" in models()


@pytest.mark.parametrize(
    ("field", "value"), [("slots", 0), ("bank_rows", 0), ("snapshot_interval", 0), ("side_cost", -1), ("sizes", ())]
)
def test_bad_sizes_are_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        SlotEngineConfig(**{"slots": 4, field: value})
