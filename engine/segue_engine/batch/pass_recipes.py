# SPDX-License-Identifier: Apache-2.0
"""The programs of an encoder's passes, as functions with the shapes of their arguments (see `programs.Recipes`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from segue_engine.contract import STYLE_LEVELS
from segue_engine.frame_model import ChunkEncoder, PyTree

Recipe = tuple[Callable[..., Any], tuple[Any, ...], tuple[int, ...]]

GO_ON = "pass go on"
FINISH = "pass finish"


def begin_name(size: int) -> str:
    return f"pass begin {size}"


def land_name(size: int) -> str:
    return f"pass land {size}"


def pass_recipes(encoder: ChunkEncoder, params: PyTree, rings: Mapping[int, PyTree]) -> dict[str, Recipe]:
    """params and rings as shapes, rings by rows of the state that they are of: a bank's, or a window's."""
    number = jax.ShapeDtypeStruct((), np.int32)  # type: ignore[no-untyped-call]
    codes = jax.ShapeDtypeStruct((STYLE_LEVELS,), np.int32)  # type: ignore[no-untyped-call]

    def begin(rings: PyTree, params: PyTree, row: Any, frame: Any, style_codes: Any, number: Any) -> PyTree:
        return encoder.begin(params, rings, row, frame, style_codes, number)

    def go_on(work: PyTree, params: PyTree, piece: Any) -> PyTree:
        return encoder.go_on(params, work, piece)

    def finish(work: PyTree, params: PyTree) -> PyTree:
        return encoder.finish(params, work)

    some = next(iter(rings.values()))
    work = jax.eval_shape(begin, some, params, number, number, codes, number)
    result = jax.eval_shape(finish, work, params)
    recipes: dict[str, Recipe] = {GO_ON: (go_on, (work, params, number), (0,)), FINISH: (finish, (work, params), ())}
    for size, shapes in rings.items():
        recipes[begin_name(size)] = begin, (shapes, params, number, number, codes, number), ()
        recipes[land_name(size)] = encoder.land, (shapes, number, result, number), (0,)
    return recipes
