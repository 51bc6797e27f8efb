# SPDX-License-Identifier: Apache-2.0
"""Guidance as a second program: compiled when asked for, refused by name otherwise, and no matter to other slots."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from law_models import LawModel, pick, run, style
from tiny_model import CODES, TinyModel

from segue_engine.contract import ConditioningError, Guidance

GUIDED = replace(style(1), guidance=Guidance(style=3.0))


@pytest.fixture(scope="module")
def two_pass() -> LawModel:
    return LawModel("tiny, two passes", TinyModel(two_pass=True), CODES, exact=True)


def test_refused_where_it_is_off(engine_of: Any, two_pass: LawModel) -> None:
    engine = engine_of(two_pass)
    assert not engine.info.capabilities.guidance
    with pytest.raises(ConditioningError, match="guidance"):
        engine.insert(1, GUIDED)
    slot = engine.insert(1, style(1))
    with pytest.raises(ConditioningError, match="guidance"):
        engine.steer(slot, [(1, style(2)), (3, GUIDED)])
    assert len(engine.handles()) == 1


def test_heard_from_its_frame_on(engine_of: Any, two_pass: LawModel) -> None:
    engine = engine_of(two_pass, guidance=True)
    assert engine.info.capabilities.guidance
    plain, guided = engine.insert(1, style(1)), engine.insert(1, style(1))
    engine.steer(guided, [(4, GUIDED)])
    blocks = run(engine, 6)
    a, b = pick(blocks, plain).codes, pick(blocks, guided).codes
    assert np.array_equal(a[:4], b[:4])
    assert (a[4] != b[4]).any()
