# SPDX-License-Identifier: Apache-2.0
"""One LiteRT file: loaded when it is first needed, its signature checked, run by one thread at a time."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.styles.musiccoca.errors import MusicCoCaError
from segue_engine.styles.musiccoca.files import REPAIR, require

_IDENTIFIER: Final = b"TFL3"
_FAULTS: Final = (ValueError, RuntimeError, OSError, MemoryError)


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output that a file must have: its role, dtypes that are right and how many values it holds."""

    role: str
    dtypes: tuple[str, ...]
    size: int | None = None
    """None: any number."""
    more: bool = False
    """Whether it may hold more than `size`."""

    def __str__(self) -> str:
        values = "values" if self.size is None else f"{'at least ' * self.more}{self.size} values"
        return f"{' or '.join(self.dtypes)} of {values} ({self.role})"

    def takes(self, size: int) -> bool:
        """Whether so many values fit."""
        return self.size is None or size == self.size or (self.more and size > self.size)


@dataclass(frozen=True, slots=True)
class _Loaded:
    interpreter: Any
    inputs: tuple[tuple[int, tuple[int, ...], np.dtype[Any]], ...]
    """Tensor index, shape and dtype, in the order of the ports."""
    output: int
    output_size: int | None


class Graph:
    """A LiteRT file with one output. Any thread may call it.

    An interpreter serves one call at a time, so each file has one lock. An interpreter per thread would multiply its
    working memory, which holds a repacked copy of hundreds of megabytes of weights; with a lock per file, a long
    embedding still doesn't hold up quantising, and the interpreter spreads one call over cores itself.
    """

    def __init__(self, path: Path, what: str, inputs: Sequence[Port], output: Port, threads: int) -> None:
        self.path = path
        self._what, self._inputs, self._output, self._threads = what, tuple(inputs), output, threads
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def load(self) -> None:
        """Load and check the file if that hasn't been done. Raises MusicCoCaError naming it and what was found."""
        with self._lock:
            self._open()

    def input_size(self, place: int = 0) -> int:
        """Number of values of an input; loads the file."""
        with self._lock:
            return math.prod(self._open().inputs[place][1])

    def output_size(self) -> int | None:
        """Number of values of the output, None where it is not fixed; loads the file."""
        with self._lock:
            return self._open().output_size

    def run(self, *values: NDArray[Any]) -> NDArray[Any]:
        """One pass: values in the order of the ports, reshaped to the file's shapes → the output, flattened.

        Raises MusicCoCaError if the file can't be loaded or run.
        """
        with self._lock:
            loaded = self._open()
            interpreter = loaded.interpreter
            try:
                for (index, shape, dtype), value in zip(loaded.inputs, values, strict=True):
                    interpreter.set_tensor(index, np.ascontiguousarray(value, dtype).reshape(shape))
                interpreter.invoke()
                result: NDArray[Any] = interpreter.get_tensor(loaded.output).reshape(-1)
            except _FAULTS as error:
                raise MusicCoCaError(f"{self.path}: {self._what} failed to run: {_one_line(error)}") from error
        if not self._output.takes(result.size):
            raise MusicCoCaError(f"{self.path}: expected the output {self._output}, found {result.size} values")
        return result

    def _open(self) -> _Loaded:
        if self._loaded is None:
            self._loaded = self._read()
        return self._loaded

    def _read(self) -> _Loaded:
        from ai_edge_litert.interpreter import Interpreter

        require(self.path.parent, (self.path.name,))
        with self.path.open("rb") as file:
            head = file.read(8)
        if head[4:] != _IDENTIFIER:
            raise self._damaged("expected the identifier TFL3 at byte 4, found none")
        try:
            interpreter = Interpreter(model_path=str(self.path), num_threads=self._threads)
            interpreter.allocate_tensors()
            inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        except _FAULTS as error:
            raise self._damaged(_one_line(error)) from error
        return _Loaded(interpreter, self._match(inputs), *self._match_output(outputs))

    def _match(self, found: Sequence[dict[str, Any]]) -> tuple[tuple[int, tuple[int, ...], np.dtype[Any]], ...]:
        """The file's inputs in the order of the ports: by dtype, those of one dtype in the file's order."""
        left = list(found)
        matched = []
        for port in self._inputs:
            detail = next((d for d in left if np.dtype(d["dtype"]).name in port.dtypes), None)
            if detail is None or not port.takes(math.prod(_shape(detail))):
                break
            left.remove(detail)
            matched.append((int(detail["index"]), _shape(detail), np.dtype(detail["dtype"])))
        if left or len(matched) != len(self._inputs):
            raise self._differs("inputs", ", ".join(map(str, self._inputs)), found)
        return tuple(matched)

    def _match_output(self, found: Sequence[dict[str, Any]]) -> tuple[int, int | None]:
        port = self._output
        if len(found) != 1 or np.dtype(found[0]["dtype"]).name not in port.dtypes:
            raise self._differs("one output", str(port), found)
        detail = found[0]
        fixed = all(extent >= 0 for extent in detail["shape_signature"])
        size = math.prod(_shape(detail))
        if fixed and not port.takes(size):
            raise self._differs("one output", str(port), found)
        return int(detail["index"]), size if fixed else None

    def _differs(self, place: str, expected: str, found: Sequence[dict[str, Any]]) -> MusicCoCaError:
        listed = ", ".join(f"{np.dtype(d['dtype']).name}{list(_shape(d))}" for d in found) or "none"
        return MusicCoCaError(f"{self.path}: not MusicCoCa's {self._what}: expected {place} {expected}; found {listed}")

    def _damaged(self, why: str) -> MusicCoCaError:
        return MusicCoCaError(
            f"{self.path}: damaged, or not a LiteRT file ({self._what}): {why}; `{REPAIR}` fetches it again"
        )


def _shape(detail: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(extent) for extent in detail["shape"])


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
