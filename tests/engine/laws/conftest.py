# SPDX-License-Identifier: Apache-2.0
"""The models that the laws hold for, and engines over them that are compiled once per test session."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from law_models import LAW_MODELS, SMALL, LawModel, build

from segue_engine.batch.engine import SlotEngine

EngineOf = Callable[..., SlotEngine]


@pytest.fixture(scope="session", params=list(LAW_MODELS))
def law_model(request: pytest.FixtureRequest) -> LawModel:
    """One model after the other that every law must hold for."""
    return LAW_MODELS[request.param]()


@pytest.fixture(scope="session")
def _engines() -> Iterator[dict[Any, SlotEngine]]:
    engines: dict[Any, SlotEngine] = {}
    yield engines
    for engine in engines.values():
        engine.close()


@pytest.fixture
def engine_of(_engines: dict[Any, SlotEngine]) -> EngineOf:
    """engine_of(law_model, slots=…, …): an empty engine, kept for the next test that asks for the same."""

    def make(law_model: LawModel, **config: Any) -> SlotEngine:
        key = (law_model.name, *sorted({**SMALL, **config}.items()))
        if key not in _engines:
            _engines[key] = build(law_model, **config)
        engine = _engines[key]
        engine.flush()
        for handle in engine.handles():
            engine.release(handle)
        return engine

    return make
