# SPDX-License-Identifier: Apache-2.0
"""Engines of one slot over the law models, mastering on; compiled once for all that is tried on them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jax
import pytest

from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.engine import SlotEngine
from segue_engine.mastering import Mastering

sys.path.insert(0, str(Path(__file__).parents[2] / "engine" / "laws"))

from law_models import LAW_MODELS


@pytest.fixture(scope="module", autouse=True)
def quick_programs() -> Iterator[None]:
    """Compiling is nearly all here."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@cache
def engine_over(name: str) -> Any:
    config = SlotEngineConfig(slots=1, bank_rows=1, sizes=(1,), rewind_frames=50, guidance=True)
    made = SlotEngine(LAW_MODELS[name]().model, Mastering(), config)
    made.warm_up()
    made.close = lambda: None  # type: ignore[method-assign]  # several servers use it, one after the other
    return made


@pytest.fixture(params=["starter", "magenta_rt_2", "magenta_rt_1"])
def engine(request: pytest.FixtureRequest) -> Any:
    """One slot, so that every run is in the same row of the same program."""
    return engine_over(request.param)
