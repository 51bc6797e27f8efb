# SPDX-License-Identifier: Apache-2.0
"""How long the encoder's passes of one slot take, in the engine's own programs, and what that is of a frame's time.

Passes are per slot, whatever the size of a batch, and so are their times; a frame's share of them grows with the slots.
A friend of the slot engine: it reads its private parts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import jax
import numpy as np

from segue_engine.batch.bank import Bank
from segue_engine.batch.engine import SlotEngine
from segue_engine.contract import STYLE_CODES, STYLE_LEVELS, Conditioning
from segue_engine.frame_model import ChunkEncoder

FEWEST_CHUNKS: Final = 3
MOST_CHUNKS: Final = 50
_LATE: Final = 10_000  # any frame whose context is full


@dataclass(frozen=True, slots=True)
class Spread:
    """Wall milliseconds over so many runs, from dispatch until the result is ready on the device."""

    runs: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class EncoderShare:
    """Mean milliseconds of a frame in which all of so many slots get one: their passes, spread over a chunk's frames.

    Of the device that has most of the slots, since devices work at the same time.
    """

    slots: int
    ms: float


@dataclass(frozen=True, slots=True)
class EncoderTimes:
    """The passes of one slot, nothing else running. frames: of a chunk; passes: of a chunk; pieces: of a pass, its
    finish not counted.

    piece: one of them. finish: with landing. chunk: all passes before a chunk, one dispatch after the other.
    """

    frames: int
    passes: int
    pieces: int
    piece: Spread
    finish: Spread
    chunk: Spread
    shares: tuple[EncoderShare, ...]


class PassProfile:
    """Times the passes of a warmed-up engine whose model has an encoder; it may be closed once this is made.

    The device thread's. Allocates a bank of its own while it measures.
    """

    def __init__(self, engine: SlotEngine, encoder: ChunkEncoder) -> None:
        if not engine._banks:
            raise ValueError("engine: expected one that is warmed up")
        self._encoder = encoder
        self._shape = engine._shape
        self._sampling = engine._model.default_sampling
        self._programs, self._params = engine._banks[0]._programs, engine._banks[0]._params
        self._config = engine.config
        self._devices = [bank.device for bank in engine._banks]

    def measure(self, sizes: Sequence[int], seconds: float = 10.0) -> EncoderTimes:
        """Time whole chunks for about so many seconds, never fewer than `FEWEST_CHUNKS`, then as many piece by piece.

        sizes: numbers of slots to give shares for.
        """
        bank = Bank(self._programs, self._params, self._shape, self._sampling)
        self._chunk(bank, 0)
        chunks: list[float] = []
        began = time.perf_counter()
        while len(chunks) < FEWEST_CHUNKS or (len(chunks) < MOST_CHUNKS and time.perf_counter() - began < seconds):
            chunks.append(self._chunk(bank, len(chunks)))
        pieces: list[float] = []
        finishes: list[float] = []
        for at in range(len(chunks)):
            self._piece_by_piece(bank, at, pieces, finishes)
        frames, whole = self._encoder.frames, _spread(chunks)
        shares = (EncoderShare(size, round(whole.p50_ms * self.busiest(size) / frames, 3)) for size in sizes)
        return EncoderTimes(
            frames=frames,
            passes=len(self._encoder.passes),
            pieces=self._encoder.pieces,
            piece=_spread(pieces),
            finish=_spread(finishes),
            chunk=whole,
            shares=tuple(shares),
        )

    def busiest(self, slots: int) -> int:
        """Slots on the device that has most of them."""
        found: Counter[jax.Device] = Counter()
        for device, held in zip(self._devices, self._config.occupied(slots), strict=True):
            found[device] += held
        return max(found.values())

    def _chunk(self, bank: Bank, at: int) -> float:
        """Milliseconds of all passes."""
        _wait(bank.state)
        started = time.perf_counter()
        for number in range(len(self._encoder.passes)):
            work = bank.begin_pass(0, self._frame(at), _style(at), number)
            for piece in range(self._encoder.pieces):
                work = bank.go_on_pass(work, piece)
            bank.land_pass(0, work, number)
        _wait(bank.state)
        return (time.perf_counter() - started) * 1000

    def _piece_by_piece(self, bank: Bank, at: int, pieces: list[float], finishes: list[float]) -> None:
        for number in range(len(self._encoder.passes)):
            work = bank.begin_pass(0, self._frame(at), _style(at), number)
            _wait(work)
            for piece in range(self._encoder.pieces):
                started = time.perf_counter()
                work = bank.go_on_pass(work, piece)
                _wait(work)
                pieces.append((time.perf_counter() - started) * 1000)
            started = time.perf_counter()
            bank.land_pass(0, work, number)
            _wait(bank.state)
            finishes.append((time.perf_counter() - started) * 1000)

    def _frame(self, at: int) -> int:
        return _LATE + at * self._encoder.frames


def _style(seed: int) -> Conditioning:
    codes = np.random.default_rng(seed).integers(0, STYLE_CODES, STYLE_LEVELS)
    return Conditioning(style_codes=tuple(codes.tolist()))


def _spread(times: list[float]) -> Spread:
    p50, p95 = (round(float(x), 3) for x in np.percentile(times, (50, 95)))
    return Spread(len(times), p50, p95)


def _wait(tree: Any) -> None:
    jax.block_until_ready(tree)  # type: ignore[no-untyped-call]
