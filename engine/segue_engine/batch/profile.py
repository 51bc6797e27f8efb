# SPDX-License-Identifier: Apache-2.0
"""How long the parts of a step take: each is compiled alone for the shapes of the serving programs and timed alone.

XLA fuses and overlaps across what is cut apart here, so parts need not add up to the programs that they are parts of,
nor those to a step, which also has the host's work. A friend of the slot engine: it reads its private parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import jax
import numpy as np
from numpy.typing import NDArray

from segue_engine.batch.engine import SlotEngine
from segue_engine.batch.frame import Frame, unpack
from segue_engine.batch.programs import BankShape, Programs, Recipes, compile_for, make_name
from segue_engine.batch.rows import WIDTH, HostRows
from segue_engine.contract import STYLE_CODES, STYLE_LEVELS, Conditioning
from segue_engine.frame_model import PyTree, StepRows

CODES: Final = "codes"
SOUND: Final = "sound"
WARM_RUNS: Final = 2
FEWEST_RUNS: Final = 10
MOST_RUNS: Final = 200
_LATE: Final = 10_000  # any frame whose windows are full
_APART: Final = 7  # frames between the places at which neighbouring rows are in their chunks


class StepParts(Protocol):
    """A model's `step` in two functions, and what its rings come to. Models that can be taken apart have one."""

    @property
    def names(self) -> tuple[str, str]:
        """What `begin` and `finish` are called in a table."""
        ...

    def begin(self, params: PyTree, rings: PyTree, rows: StepRows) -> tuple[PyTree, PyTree]:
        """Rings, and what `finish` is handed."""
        ...

    def finish(self, params: PyTree, rows: StepRows, handed: PyTree) -> jax.Array:
        """Codes int32[B, levels], those of `step` without guidance."""
        ...

    def ring_bytes(self, rewind: int) -> Mapping[str, int]:
        """Bytes of a session's rings by formula: the formula as text → its result."""
        ...

    def settings(self) -> Mapping[str, str]:
        """What language model ("dtype") and codec ("codec") compute in."""
        ...


@dataclass(frozen=True, slots=True)
class PartTimes:
    """Wall milliseconds of a part for so many slots, all due, from dispatch until the result is ready on the device.

    within: the program of which it is a part, empty for a program that is served as it is. rows: of each dispatch; they
    run at the same time where they are on different devices.
    """

    slots: int
    name: str
    within: str
    rows: tuple[int, ...]
    runs: int
    p50_ms: float
    p95_ms: float


_Program = Callable[[PyTree, PyTree, PyTree, Any], tuple[PyTree, PyTree]]
"""State (donated), params, what it is given, packed inputs → state, result."""


@dataclass(frozen=True)
class _Part:
    """source: the part whose result this one is given. function: None where the engine's own program is run."""

    name: str
    within: str
    source: str
    fresh: Callable[[int], PyTree]
    function: _Program | None = None


@dataclass(frozen=True)
class _Place:
    """A bank as far as a part needs one: compiled programs and weights on its device."""

    programs: Programs
    params: PyTree


class _PartRecipes(Recipes):
    """Recipes of programs that a bank does not have."""

    def __init__(self, recipes: dict[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[int, ...]]]) -> None:
        self.all = recipes


class Profile:
    """Times parts with the programs and weights of a warmed-up engine, which may be closed once this is made.

    The device thread's. Allocates state of its own while it measures.
    """

    def __init__(self, engine: SlotEngine, step_parts: StepParts | None) -> None:
        if not engine._banks:
            raise ValueError("engine: expected one that is warmed up")
        self._frame: Frame = engine._frame
        self._shape: BankShape = engine._shape
        self._config = engine.config
        self._places = [_Place(bank._programs, bank._params) for bank in engine._banks]
        self._parts = _parts(self._frame, step_parts)
        self._compiled: dict[tuple[str, int], dict[jax.Device, Any]] = {}

    @property
    def names(self) -> list[tuple[str, str]]:
        """(name, the program that it is a part of) of every part, in the order in which they are measured."""
        return [(part.name, part.within) for part in self._parts]

    def dispatches(self, slots: int) -> list[tuple[int, int]]:
        """(bank, rows of the program) of what a step of so many slots dispatches: as `Bank.step` decides."""
        most, side_cost = len(self._places) * self._shape.rows, self._config.side_cost
        if not 1 <= slots <= most:
            raise ValueError(f"slots: expected 1..{most}, got {slots}")
        found = []
        sizes = self._shape.all_sizes if side_cost else self._shape.sizes
        for bank, due in enumerate(self._config.occupied(slots)):
            if due:
                size = next(size for size in sizes if due <= size)
                alone = side_cost and 1 < due <= size // side_cost
                found += [(bank, 1)] * due if alone else [(bank, size)]
        return found

    def compile(self, sizes: Sequence[int]) -> None:
        """Compile the parts for steps of so many slots each. `measure` does it for its own, if need be."""
        rows = {size for slots in sizes for _, size in self.dispatches(slots)}
        missing = [size for size in sorted(rows) if (self._parts[0].name, size) not in self._compiled]
        recipes = {f"{name} {size}": recipe for size in missing for name, recipe in self._recipes(size)}
        devices = list(dict.fromkeys(place.programs.device for place in self._places))
        made = compile_for(_PartRecipes(recipes), devices) if recipes else []
        for size in missing:
            for part in self._parts:
                own = {programs.device: programs[f"{part.name} {size}"] for programs in made if part.function}
                self._compiled[part.name, size] = own

    def measure(self, slots: int, seconds: float = 2.0) -> Iterator[PartTimes]:
        """Time one part after the other, for about so many seconds each but never less than `FEWEST_RUNS` runs."""
        self.compile([slots])
        places = self.dispatches(slots)
        results: dict[str, list[PyTree]] = {"": [()] * len(places)}
        for part in self._parts:
            times, results[part.name] = self._time(part, places, results[part.source], seconds)
            p50, p95 = (round(float(x), 3) for x in np.percentile(times, (50, 95)))
            rows = tuple(size for _, size in places)
            yield PartTimes(slots, part.name, part.within, rows, len(times), p50, p95)

    def _time(
        self, part: _Part, places: list[tuple[int, int]], given: list[PyTree], seconds: float
    ) -> tuple[list[float], list[PyTree]]:
        """Milliseconds of each run, and the last run's results."""
        runs = [self._program(part, bank, size) for bank, size in places]
        inputs = [self._inputs(size, at) for at, (_, size) in enumerate(places)]
        encoder = self._frame.model.encoder
        chunk = encoder.frames if encoder else 1
        states = [self._fresh(part, bank, size) for bank, size in places]
        results: list[PyTree] = [()] * len(places)
        times: list[float] = []
        began = time.perf_counter()
        for run in range(-WARM_RUNS, MOST_RUNS):
            if run == 0:
                began = time.perf_counter()
            if run >= FEWEST_RUNS and time.perf_counter() - began > seconds:
                break
            packed = [_at_frame(rows, _LATE + run, chunk) for rows in inputs]
            started = time.perf_counter()
            for at, (bank, _) in enumerate(places):
                params = self._places[bank].params
                states[at], results[at] = runs[at](states[at], params, given[at], packed[at])
            jax.block_until_ready(results)  # type: ignore[no-untyped-call]
            if run >= 0:
                times.append((time.perf_counter() - started) * 1000)
        return times, results

    def _program(self, part: _Part, bank: int, size: int) -> _Program:
        programs = self._places[bank].programs
        if part.function is not None:
            program: _Program = self._compiled[part.name, size][programs.device]
            return program
        served = programs[make_name(size, False) if part.name == CODES else f"sound {size}"]
        if part.name == CODES:
            return lambda state, params, _, packed: served(state, params, packed)
        return served  # type: ignore[no-any-return]

    def _fresh(self, part: _Part, bank: int, size: int) -> PyTree:
        device = self._places[bank].programs.device
        with jax.default_device(device):
            return jax.device_put(part.fresh(size), device)

    def _inputs(self, size: int, at: int) -> HostRows:
        rows = HostRows(size, self._frame.model.default_sampling)
        random = np.random.default_rng(at)
        for row in range(size):
            codes = tuple(random.integers(0, STYLE_CODES, STYLE_LEVELS).tolist())
            rows.start(row, int(random.integers(1 << 62)), Conditioning(style_codes=codes))
        rows.due[:] = 1
        return rows

    def _recipes(self, size: int) -> Iterator[tuple[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[int, ...]]]]:
        """Functions with the shapes of their arguments, of the parts that the engine has no program for."""
        frame = self._frame
        params = jax.eval_shape(lambda tree: tree, frame.model.params)
        packed = jax.ShapeDtypeStruct((size, WIDTH), np.int32)  # type: ignore[no-untyped-call]
        codes = jax.ShapeDtypeStruct((size, frame.model.levels), np.int32)  # type: ignore[no-untyped-call]
        results: dict[str, PyTree] = {"": (), CODES: codes}
        for part in self._parts:
            if part.function is not None:
                state = jax.eval_shape(partial(part.fresh, size))
                arguments = (state, params, results[part.source], packed)
                results[part.name] = jax.eval_shape(part.function, *arguments)[1]
                yield part.name, (part.function, arguments, (0,))


def _parts(frame: Frame, step_parts: StepParts | None) -> list[_Part]:
    """The programs as served, each followed by its parts."""
    model, mastering = frame.model, frame.mastering

    def codec(state: PyTree, params: PyTree, codes: Any, packed: Any) -> tuple[PyTree, PyTree]:
        return model.decode(params, state, codes, unpack(packed)[0].due)

    def master(state: PyTree, params: PyTree, audio: Any, packed: Any) -> tuple[PyTree, PyTree]:
        rows, levels = unpack(packed)
        return mastering.apply(state, audio, levels, rows.due)

    rings = partial(model.init_rings, rewind=frame.rewind)
    return [
        _Part(CODES, "", "", rings),
        *(_language_parts(rings, step_parts) if step_parts else ()),
        _Part(SOUND, "", CODES, frame.fresh_carried),
        _Part("codec", SOUND, CODES, model.init_codec, codec),
        _Part("mastering", SOUND, "codec", mastering.init, master),
    ]


def _language_parts(rings: Callable[[int], PyTree], step_parts: StepParts) -> Iterator[_Part]:
    first, second = step_parts.names

    def begin(state: PyTree, params: PyTree, given: Any, packed: Any) -> tuple[PyTree, PyTree]:
        return step_parts.begin(params, state, unpack(packed)[0])

    def finish(state: PyTree, params: PyTree, handed: Any, packed: Any) -> tuple[PyTree, PyTree]:
        return state, step_parts.finish(params, unpack(packed)[0], handed)

    yield _Part(first, CODES, "", rings, begin)
    yield _Part(second, CODES, first, lambda rows: (), finish)


def _at_frame(rows: HostRows, frame: int, chunk: int) -> NDArray[np.int32]:
    """Packed inputs of that frame, each row at a place of its own in a chunk of so many frames.

    A copy, since the CPU backend may read the array later than the call returns.
    """
    rows.frame[:] = frame
    rows.begun[:] = frame - (frame + _APART * np.arange(rows.frame.size)) % chunk
    return rows.packed.copy()
