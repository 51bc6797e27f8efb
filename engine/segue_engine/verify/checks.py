# SPDX-License-Identifier: Apache-2.0
"""What a check is: a file pattern, and a way from the file's inputs to arrays that are held against its golden ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from segue_engine.verify.vector_set import VectorSet

Array = NDArray[Any]
Tick = Callable[[], None]
"""Says that one more step of a plan is done."""


@dataclass(frozen=True, slots=True)
class Produced:
    """Our version of one golden array. `part` picks what of the golden array it stands for, all of it by default."""

    array: str
    value: Array
    way: str = ""
    """How it came about, where an array is checked in several ways: "streamed", "among strangers"."""
    part: Callable[[Array], Array] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A file whose inputs are read and found in order: `run` does the work, in `steps` ticks."""

    steps: int
    run: Callable[[Tick], Iterator[Produced]]
    golden: Mapping[str, Array] | None = None
    """The golden arrays, where the file is not an .npz of them."""


class Planner(Protocol):
    def __call__(self, vectors: VectorSet, file: str) -> Plan:
        """Read and validate what the file needs. Raises VectorError naming the file at fault."""
        ...


@dataclass(frozen=True, slots=True)
class Check:
    """How files of one pattern are checked."""

    pattern: str
    plan: Planner
    settings: Callable[[], AbstractContextManager[None]]
    """Holds jax's settings that parity needs, for as long as the plan runs."""
    large: bool = False
    """Takes minutes or a gigabyte."""
