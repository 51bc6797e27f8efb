# SPDX-License-Identifier: Apache-2.0
"""A bank's compiled programs: every one is lowered and compiled ahead of time, for fixed shapes on one device.

The state is always the first, donated argument, so a step updates it in place. Callers hold `Compiled` objects, which
raise on any other shape instead of compiling again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import SingleDeviceSharding

from segue_engine.batch.frame import Carried, Frame, Live
from segue_engine.batch.rows import WIDTH

Compiled = Any


@dataclass(frozen=True)
class BankShape:
    """Fixed sizes that programs are compiled for.

    rows of a bank; step programs for the first `sizes` rows, the last of them all rows; `kept` copies of carried state
    per row; `levels` codes a frame; `guided`: whether there are programs for guidance.
    """

    rows: int
    sizes: tuple[int, ...]
    kept: int
    levels: int
    guided: bool


def _cut(tree: Any, row: jax.Array) -> Any:
    return jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, row, 1), tree)


def _paste(tree: Any, part: Any, row: jax.Array | int) -> Any:
    return jax.tree.map(lambda leaf, new: lax.dynamic_update_slice_in_dim(leaf, new, row, 0), tree, part)


class Recipes:
    """The programs as functions with the shapes of their arguments.

    "make n" and "sound n" are for the first n rows; with n = 1, for any one row, whose index is their last argument.
    """

    def __init__(self, frame: Frame, shape: BankShape) -> None:
        self._frame = frame
        self._shape = shape
        self.live = live = jax.eval_shape(lambda: frame.fresh(shape.rows))
        self.kept = kept = jax.eval_shape(self._fresh_kept)
        params = jax.eval_shape(lambda tree: tree, frame.model.params)
        index, one = _shape(np.int32), jax.eval_shape(self._take, live, kept, _shape(np.int32))
        self.all: dict[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[int, ...]]] = {
            "fresh": (lambda: (frame.fresh(shape.rows), self._fresh_kept()), (), ()),
            "reset": (self._reset, (live, index), (0,)),
            "reset_carried": (self._reset_carried, (live.carried, index), (0,)),
            "keep": (self._keep, (kept, live.carried, index, index), (0,)),
            "load": (self._load, (live.carried, kept, index, index), (0,)),
            "take": (self._take, (live, kept, index), ()),
            "put": (self._put, (live, kept, one, index), (0, 1)),
        }
        for size in sorted({1, *shape.sizes}):
            codes, packed = _shape(np.int32, size, shape.levels), _shape(np.int32, size, WIDTH)
            row = (index,) if size == 1 else ()
            for guided in (False, True) if shape.guided else (False,):
                make = self._rows(partial(frame.make, guided=guided), size)
                self.all[make_name(size, guided)] = (make, (live.rings, params, packed, *row), (0,))
            sound = self._rows(frame.sound, size)
            self.all[f"sound {size}"] = (sound, (live.carried, params, codes, packed, *row), (0,))
            if size == 1:
                self.all["force"] = (self._force, (live.rings, params, codes, packed, index), (0,))

    def _fresh_kept(self) -> Carried:
        def stack(leaf: jax.Array) -> jax.Array:
            return jnp.zeros((self._shape.rows, self._shape.kept, *leaf.shape[1:]), leaf.dtype)

        return jax.tree.map(stack, self._frame.fresh_carried(1))  # type: ignore[no-any-return]

    def _rows(self, function: Callable[..., tuple[Any, jax.Array]], size: int) -> Callable[..., tuple[Any, jax.Array]]:
        """function(params, state, …) → state, out made to work in place on some rows of a bank's state."""

        def whole(state: Any, params: Any, *inputs: jax.Array) -> tuple[Any, jax.Array]:
            return function(params, state, *inputs)

        def first(state: Any, params: Any, *inputs: jax.Array) -> tuple[Any, jax.Array]:
            cut = lax.optimization_barrier(jax.tree.map(lambda leaf: leaf[:size], state))
            part, out = function(params, cut, *inputs)
            return _paste(state, part, 0), out

        def single(state: Any, params: Any, *inputs: jax.Array) -> tuple[Any, jax.Array]:
            *given, row = inputs
            # The barrier keeps the cut from being fused into readers that run after the paste: with them, XLA copies
            # the whole state instead of updating it in place.
            part, out = function(params, lax.optimization_barrier(_cut(state, row)), *given)
            return _paste(state, part, row), out

        def only(state: Any, params: Any, *inputs: jax.Array) -> tuple[Any, jax.Array]:
            return function(params, state, *inputs[:-1])

        if size == self._shape.rows:
            return only if size == 1 else whole
        return single if size == 1 else first

    def _force(self, rings: Any, params: Any, codes: jax.Array, packed: jax.Array, row: jax.Array) -> Any:
        return _paste(rings, self._frame.force(params, _cut(rings, row), codes, packed), row)

    def _reset(self, live: Live, row: jax.Array) -> Live:
        return _paste(live, self._frame.fresh(1), row)  # type: ignore[no-any-return]

    def _reset_carried(self, carried: Carried, row: jax.Array) -> Carried:
        return _paste(carried, self._frame.fresh_carried(1), row)  # type: ignore[no-any-return]

    def _keep(self, kept: Carried, carried: Carried, row: jax.Array, place: jax.Array) -> Carried:
        def write(store: jax.Array, leaf: jax.Array) -> jax.Array:
            entry = lax.dynamic_slice_in_dim(leaf, row, 1)[:, None]
            return lax.dynamic_update_slice(store, entry, (row, place, *([0] * (leaf.ndim - 1))))

        return jax.tree.map(write, kept, carried)  # type: ignore[no-any-return]

    def _load(self, carried: Carried, kept: Carried, row: jax.Array, place: jax.Array) -> Carried:
        def read(store: jax.Array) -> jax.Array:
            start: tuple[Any, ...] = (row, place, *([0] * (store.ndim - 2)))
            return lax.dynamic_slice(store, start, (1, 1, *store.shape[2:]))[:, 0]

        return _paste(carried, jax.tree.map(read, kept), row)  # type: ignore[no-any-return]

    def _take(self, live: Live, kept: Carried, row: jax.Array) -> tuple[Live, Carried]:
        return _cut(live, row), _cut(kept, row)

    def _put(self, live: Live, kept: Carried, taken: tuple[Live, Carried], row: jax.Array) -> tuple[Live, Carried]:
        return _paste(live, taken[0], row), _paste(kept, taken[1], row)


def make_name(size: int, guided: bool) -> str:
    return f"make {size}{' guided' if guided else ''}"


class Programs:
    """Compiled programs by name, on one device."""

    def __init__(self, device: jax.Device, compiled: dict[str, Compiled]) -> None:
        self.device = device
        self._compiled = compiled

    def __getitem__(self, name: str) -> Compiled:
        return self._compiled[name]

    @property
    def names(self) -> list[str]:
        return list(self._compiled)

    @classmethod
    def compile(cls, recipes: Recipes, device: jax.Device) -> Programs:
        """Trace one after the other, compile on all cores (XLA compiles outside Python's lock)."""
        lowered = {name: _lower(recipe, device) for name, recipe in recipes.all.items()}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compiled = pool.map(lambda program: program.compile(), lowered.values())
            return cls(device, dict(zip(lowered, compiled, strict=True)))


def _lower(recipe: tuple[Callable[..., Any], tuple[Any, ...], tuple[int, ...]], device: jax.Device) -> Any:
    function, arguments, donated = recipe
    place = SingleDeviceSharding(device)
    shapes = jax.tree.map(lambda x: _shape(x.dtype, *x.shape, place=place), arguments)
    return jax.jit(function, donate_argnums=donated, out_shardings=place).lower(*shapes)


def _shape(kind: Any, *shape: int, place: SingleDeviceSharding | None = None) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, kind, sharding=place)  # type: ignore[no-untyped-call]
