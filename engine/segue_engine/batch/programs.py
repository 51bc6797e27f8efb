# SPDX-License-Identifier: Apache-2.0
"""A bank's compiled programs: every one is lowered and compiled ahead of time, for fixed shapes on one device.

The state is always the first, donated argument, so a step updates it in place. Callers hold `Compiled` objects, which
raise on any other shape instead of compiling again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec

from segue_engine.batch.frame import Carried, Frame, Live
from segue_engine.batch.pass_recipes import Recipe, pass_recipes
from segue_engine.batch.rows import WIDTH
from segue_engine.batch.shared_cache import shared_between_devices

Compiled = Any


@dataclass(frozen=True)
class BankShape:
    """Fixed sizes that programs are compiled for.

    rows of a bank; `sizes` of windows, ascending, the last of them all rows; `kept` copies of carried state per row;
    `levels` codes a frame; `guided`: whether there are programs for guidance; `singles`: whether single rows are
    stepped alone; `passes`: whether the model has an encoder; `keep_width`: how many rows' carried state one call
    copies; `absorbed`: how many frames of a row's history one call takes in.
    """

    rows: int
    sizes: tuple[int, ...]
    kept: int
    levels: int
    guided: bool
    singles: bool
    passes: bool
    keep_width: int
    absorbed: int

    def variants(self, size: int) -> tuple[bool, ...]:
        """Which programs, guided or not, make codes for so many rows."""
        if size not in self.sizes and not self.singles:
            return ()
        return (False, True) if self.guided else (False,)

    @property
    def all_sizes(self) -> tuple[int, ...]:
        """With 1, which replays and prefills need."""
        return tuple(sorted({1, *self.sizes}))


def _cut(tree: Any, row: jax.Array, rows: int = 1) -> Any:
    return jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, row, rows), tree)


def _paste(tree: Any, part: Any, row: jax.Array) -> Any:
    return jax.tree.map(lambda leaf, new: lax.dynamic_update_slice_in_dim(leaf, new, row, 0), tree, part)


class Recipes:
    """The programs as functions with the shapes of their arguments.

    "make n", "sound n" and "keep n" work on a state of n rows: all of a bank's, or a window that "cut n" has taken out
    and that "paste n" puts back. Were the window cut inside them, XLA would copy the bank's whole state every time.
    """

    def __init__(self, frame: Frame, shape: BankShape) -> None:
        self._frame = frame
        self._shape = shape
        self.live = live = jax.eval_shape(lambda: frame.fresh(shape.rows))
        self.kept = kept = jax.eval_shape(self._fresh_kept)
        params = jax.eval_shape(lambda tree: tree, frame.model.params)
        index, several = _shape(np.int32), _shape(np.int32, shape.keep_width)
        taken = jax.eval_shape(self._take, live, kept, index)
        self.all: dict[str, Recipe] = {
            "fresh": (lambda: (frame.fresh(shape.rows), self._fresh_kept()), (), ()),
            "reset": (self._reset, (live, index), (0,)),
            "recall": (self._recall, (live, index, _shape(np.float32, 3)), (0,)),
            "reset_carried": (self._reset_carried, (live, index), (0,)),
            "load": (self._load, (live, kept, index, index), (0,)),
            "take": (self._take, (live, kept, index), ()),
            "put": (self._put, (live, kept, taken, index), (0, 1)),
        }
        states = {size: jax.eval_shape(partial(frame.fresh, size)) for size in shape.all_sizes}
        if frame.model.encoder is not None:
            self.all |= pass_recipes(frame.model.encoder, params, {size: state.rings for size, state in states.items()})
        for size, state in states.items():
            codes, packed = _shape(np.int32, size, shape.levels), _shape(np.int32, size, WIDTH)
            for guided in shape.variants(size):
                make = partial(frame.make, guided=guided)
                self.all[make_name(size, guided)] = (make, (state.rings, params, packed), (0,))
            self.all[f"sound {size}"] = (frame.sound, (state.carried, params, codes, packed), (0,))
            self.all[f"keep {size}"] = (self._keep, (kept, state.carried, several, several, several), (0,))
            if size == 1:
                history = _shape(np.int32, 1, shape.absorbed, shape.levels)
                self.all["absorb"] = (frame.absorb, (state.rings, params, history, packed, _shape(np.int32, 1)), (0,))
            if size < shape.rows:
                self.all[f"cut {size}"] = (partial(_cut, rows=size), (live, index), ())
                self.all[f"paste {size}"] = (_paste, (live, state, index), (0,))

    def _fresh_kept(self) -> Carried:
        def stack(leaf: jax.Array) -> jax.Array:
            return jnp.zeros((self._shape.rows, self._shape.kept, *leaf.shape[1:]), leaf.dtype)

        return jax.tree.map(stack, self._frame.fresh_carried(1))  # type: ignore[no-any-return]

    def _recall(self, live: Live, row: jax.Array, loudness: jax.Array) -> Live:
        mastering = self._frame.mastering.recall(_cut(live.carried.mastering, row), loudness[None])
        return Live(live.rings, Carried(live.carried.codec, _paste(live.carried.mastering, mastering, row)))

    def _reset(self, live: Live, row: jax.Array) -> Live:
        return _paste(live, self._frame.fresh(1), row)  # type: ignore[no-any-return]

    def _reset_carried(self, live: Live, row: jax.Array) -> Live:
        return Live(live.rings, _paste(live.carried, self._frame.fresh_carried(1), row))

    def _keep(self, kept: Carried, carried: Carried, sources: jax.Array, rows: jax.Array, places: jax.Array) -> Carried:
        """Rows `sources` of the window are rows `rows` of the bank. One may be named twice: it is written twice."""

        def write(store: jax.Array, leaf: jax.Array) -> jax.Array:
            at = store.at[rows, places]
            return at.set(leaf.at[sources].get(mode="promise_in_bounds"), mode="promise_in_bounds")

        return jax.tree.map(write, kept, carried)  # type: ignore[no-any-return]

    def _load(self, live: Live, kept: Carried, row: jax.Array, place: jax.Array) -> Live:
        def read(store: jax.Array) -> jax.Array:
            start: tuple[Any, ...] = (row, place, *([0] * (store.ndim - 2)))
            return lax.dynamic_slice(store, start, (1, 1, *store.shape[2:]))[:, 0]

        return Live(live.rings, _paste(live.carried, jax.tree.map(read, kept), row))

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


def compile_for(recipes: Recipes, devices: Sequence[jax.Device]) -> list[Programs]:
    """The programs for each device of one kind.

    Traced once, one after the other; compiled meanwhile on all cores, since XLA compiles outside Python's lock. With
    a compile cache the second device's are found in it.
    """

    def compile_one(lowered: Any) -> list[Compiled]:
        return [lowered.compile(device_assignment=(device,)) for device in devices]

    platform = _platform(devices[0])
    with shared_between_devices(), ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = {name: pool.submit(compile_one, _lower(recipe, platform)) for name, recipe in recipes.all.items()}
        compiled = {name: future.result() for name, future in waiting.items()}
    return [Programs(device, {name: made[i] for name, made in compiled.items()}) for i, device in enumerate(devices)]


def _platform(device: jax.Device) -> str:
    """The device's platform by the name that lowering knows."""
    if device.platform != "gpu":
        return str(device.platform)
    return "rocm" if "rocm" in str(device.client.platform_version).lower() else "cuda"


def _lower(recipe: Recipe, platform: str) -> Any:
    """Lower for some one device, which `compile` names."""
    function, arguments, donated = recipe
    anywhere = NamedSharding(AbstractMesh((1,), ("device",)), PartitionSpec())  # type: ignore[no-untyped-call]
    shapes = jax.tree.map(lambda x: _shape(x.dtype, *x.shape, place=anywhere), arguments)
    traced = jax.jit(function, donate_argnums=donated, out_shardings=anywhere).trace(*shapes)
    return traced.lower(lowering_platforms=(platform,))


def _shape(kind: Any, *shape: int, place: NamedSharding | None = None) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, kind, sharding=place)  # type: ignore[no-untyped-call]
