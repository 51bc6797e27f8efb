# SPDX-License-Identifier: Apache-2.0
"""A server's compressed encodings as sessions use them: off the event loop, in order, many at once where it pays."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from segue.v1.audio_pb2 import AUDIO_ENCODING_OPUS, AUDIO_ENCODING_QOA, AudioEncoding
from segue_engine.contract import FRAME_SAMPLES
from segue_service.encoders import opus, qoa
from segue_service.session.encoding import ENCODERS

# So many codec frames in one call: more would keep the first of them waiting and save little.
_QOA_FRAMES: Final = 64


class FrameCodec(Protocol):
    """How codec frames become payload. Event loop only; the work itself is done elsewhere."""

    @property
    def delay(self) -> int:
        """Samples by which what the payload decodes to is behind what was encoded."""

    @property
    def lead_in(self) -> int:
        """Frames before the first one wanted that a decoder must be given to be exact."""

    @property
    def context(self) -> int:
        """Samples before the first frame that `encode` wants to see."""

    def begin(self) -> Any:
        """The state of a new run of frames, which `encode` carries on."""

    async def encode(self, state: Any, pcm: NDArray[np.int16]) -> list[bytes]:
        """int16[context + k · 1920, 2] → payload of k frames. One call at a time per state."""


class QoaCodec:
    """QOA, without state: what all sessions ask for at about the same time is encoded in one call."""

    delay, lead_in, context = 0, 0, qoa.CONTEXT

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._waiting: list[tuple[NDArray[np.int16], asyncio.Future[list[bytes]]]] = []
        self._work: asyncio.Task[None] | None = None
        self.calls = 0

    def begin(self) -> None:
        """There is no state."""

    async def encode(self, state: Any, pcm: NDArray[np.int16]) -> list[bytes]:
        """See FrameCodec."""
        done: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        count = (len(pcm) - self.context) // FRAME_SAMPLES
        frames = [pcm[FRAME_SAMPLES * n : FRAME_SAMPLES * (n + 1) + self.context] for n in range(count)]
        self._waiting.append((np.stack(frames), done))
        if self._work is None:
            self._work = asyncio.create_task(self._encode_waiting())
        return await done

    async def _encode_waiting(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(0)  # all that a step has woken ask before the first call
                batch = self._take()
                try:
                    loop, pcm = asyncio.get_running_loop(), np.concatenate([frames for frames, _ in batch])
                    encoded = await loop.run_in_executor(self._executor, qoa.encode, pcm)
                except Exception as error:
                    for _, done in batch:
                        if not done.done():
                            done.set_exception(error)
                    continue
                self.calls += 1
                for frames, done in batch:
                    mine, encoded = encoded[: len(frames)], encoded[len(frames) :]
                    if not done.done():
                        done.set_result(mine)
        finally:
            self._work = None

    def _take(self) -> list[tuple[NDArray[np.int16], asyncio.Future[list[bytes]]]]:
        """The longest waiting, at least one of them."""
        count = frames = 0
        for waiting, _ in self._waiting:
            frames += len(waiting)
            if count and frames > _QOA_FRAMES:
                break
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken


class OpusCodec:
    """Opus packets of one frame, each after its length as uint16 little-endian; a run has an encoder of its own."""

    delay, lead_in, context = opus.LOOKAHEAD, opus.CONVERGENCE_FRAMES, 0

    def __init__(self, executor: Executor, bit_rate: int) -> None:
        self._executor, self._bit_rate = executor, bit_rate

    def begin(self) -> list[opus.OpusEncoder]:
        """Room for an encoder, which is made off the event loop too."""
        return []

    async def encode(self, state: Any, pcm: NDArray[np.int16]) -> list[bytes]:
        """See FrameCodec."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._encode, state, pcm)

    def _encode(self, state: list[opus.OpusEncoder], pcm: NDArray[np.int16]) -> list[bytes]:
        if not state:
            state.append(opus.OpusEncoder(self._bit_rate))
        return [len(packet).to_bytes(2, "little") + packet for packet in state[0].encode(pcm)]


class Codecs:
    """Which encodings this server has, and why it lacks the others."""

    def __init__(self, executor: Executor, opus_bit_rate: int) -> None:
        self.framed: dict[int, FrameCodec] = {AUDIO_ENCODING_QOA: QoaCodec(executor)}
        self.missing: dict[int, str] = {}
        if opus.is_installed():
            self.framed[AUDIO_ENCODING_OPUS] = OpusCodec(executor, opus_bit_rate)
        else:
            self.missing[AUDIO_ENCODING_OPUS] = "this server has no Opus encoder: pip install 'segue[opus]' there"

    @property
    def encodings(self) -> Sequence[AudioEncoding.ValueType]:
        """What listeners may ask for."""
        known: Mapping[int, object] = {**ENCODERS, **self.framed}
        return [AudioEncoding.ValueType(encoding) for encoding in sorted(known)]
