# SPDX-License-Identifier: Apache-2.0
"""Where training music comes from: a process of its own that composes chunks of pieces, and a pool of the latest ones.

Chunk i depends on (seed, i) alone and enters the pool at a step that is known beforehand, so the batch of a step is a
function of (seed, step), however often training was interrupted.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import queue
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from segue_engine.models.starter.composer import compose_batch
from segue_engine.models.starter.training.batch import Batch, BatchConfig, Piece, make_batch


@dataclass(frozen=True)
class SourceConfig:
    """Pieces a chunk, frames a piece, chunks in the pool, and after how many steps the oldest chunk is replaced."""

    pieces: int = 16
    frames: int = 1536
    chunks: int = 12
    steps: int = 24


def compose_pieces(seed: int, count: int, frames: int, augment: bool = True) -> list[Piece]:
    """`count` pieces as training wants them."""
    made = compose_batch(seed, count, frames, augment=augment)
    return [
        Piece(made.tokens[i], made.style[i], made.drums_flag[i], made.lead[i], made.trusted[i]) for i in range(count)
    ]


def _chunk(seed: int, index: int, config: SourceConfig) -> list[Piece]:
    return compose_pieces(seed * 1_000_003 + index, config.pieces, config.frames)


def _work(seed: int, first: int, config: SourceConfig, out: Any, parent: int) -> None:
    """Compose chunks for ever into a bounded queue; ends when the trainer is gone."""
    with contextlib.suppress(AttributeError, OSError):
        os.nice(5)
    index = first
    while os.getppid() == parent:
        chunk = _chunk(seed, index, config)
        while os.getppid() == parent:
            try:
                out.put((index, chunk), timeout=5.0)
                break
            except queue.Full:
                continue
        index += 1


class Source:
    """Batches of training music by step. Use as a context manager: leaving it ends the composing process."""

    def __init__(self, seed: int, batch: BatchConfig, config: SourceConfig, step: int = 0) -> None:
        self._seed, self._batch, self._config = seed, batch, config
        self._oldest = step // config.steps
        self._pool: deque[list[Piece]] = deque()
        context = mp.get_context("spawn")
        self._queue = context.Queue(2)
        self._worker = context.Process(
            target=_work, args=(seed, self._oldest, config, self._queue, os.getpid()), daemon=True
        )

    def __enter__(self) -> Source:
        self._worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.terminate()
        self._worker.join(10)
        self._queue.close()

    def batch(self, step: int) -> Batch:
        """The batch of a step; steps must not go backwards."""
        oldest = step // self._config.steps
        while self._oldest + len(self._pool) < oldest + self._config.chunks:
            self._pool.append(self._next_chunk())
        while self._oldest < oldest:
            self._pool.popleft()
            self._oldest += 1
        rng = np.random.default_rng([self._seed, step])
        pieces = [
            self._pool[int(rng.integers(len(self._pool)))][int(rng.integers(self._config.pieces))]
            for _ in range(self._batch.sequences)
        ]
        return make_batch(pieces, self._batch, rng)

    def _next_chunk(self) -> list[Piece]:
        while True:
            try:
                _, chunk = self._queue.get(timeout=5.0)
            except queue.Empty:
                if not self._worker.is_alive():
                    raise RuntimeError("the composing process ended unexpectedly; see its message above") from None
                continue
            pieces: list[Piece] = chunk
            return pieces
