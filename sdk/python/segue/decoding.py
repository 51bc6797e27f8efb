# SPDX-License-Identifier: Apache-2.0
"""Chunks → samples, per encoding. A decoder belongs to one stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from segue import qoa
from segue.v1 import audio_pb2

Encoding = Literal["s16", "f32", "opus", "qoa"]
_CHANNELS: Final = 2
_SAMPLE_RATE: Final = 48_000


class Decoder(Protocol):
    """Chunks of one stream, in order."""

    encoding: audio_pb2.AudioEncoding.ValueType

    def decode(self, chunk: audio_pb2.AudioChunk) -> NDArray[Any]:
        """[sample_count, 2]: float32 for F32, else int16. Raises ValueError if the payload holds less."""


class PlainDecoder:
    """Samples as they are."""

    def __init__(self, encoding: audio_pb2.AudioEncoding.ValueType, dtype: str) -> None:
        self.encoding, self._dtype = encoding, dtype

    def decode(self, chunk: audio_pb2.AudioChunk) -> NDArray[Any]:
        """See Decoder."""
        return _wanted(np.frombuffer(chunk.payload, self._dtype).reshape(-1, _CHANNELS), chunk)


class QoaDecoder:
    """QOA frames, each of which stands alone."""

    encoding = audio_pb2.AUDIO_ENCODING_QOA

    def decode(self, chunk: audio_pb2.AudioChunk) -> NDArray[Any]:
        """See Decoder."""
        return _wanted(qoa.decode(chunk.payload), chunk)


class OpusDecoder:
    """Opus packets, by libopus through PyAV. Raises ImportError without the extra `opus`."""

    encoding = audio_pb2.AUDIO_ENCODING_OPUS

    def __init__(self) -> None:
        try:
            import av
        except ImportError as error:
            raise ImportError(f"encoding opus needs PyAV ({error}): pip install 'segue[opus]'") from None
        self._create, self._packet = av.CodecContext.create, av.Packet
        self._context: Any = self._fresh()

    def decode(self, chunk: audio_pb2.AudioChunk) -> NDArray[Any]:
        """See Decoder."""
        if chunk.skip_samples > 0:
            self._context = self._fresh()
        parts = [
            frame.to_ndarray().reshape(-1, _CHANNELS)
            for packet in _packets(chunk.payload)
            for frame in self._context.decode(self._packet(packet))
        ]
        return _wanted(np.concatenate(parts) if parts else np.zeros((0, _CHANNELS), np.int16), chunk)

    def _fresh(self) -> Any:
        context: Any = self._create("libopus", "r")
        context.sample_rate = _SAMPLE_RATE
        context.layout = "stereo"
        return context


_DECODERS: Final[Mapping[str, Callable[[], Decoder]]] = {
    "s16": lambda: PlainDecoder(audio_pb2.AUDIO_ENCODING_S16, "<i2"),
    "f32": lambda: PlainDecoder(audio_pb2.AUDIO_ENCODING_F32, "<f4"),
    "opus": OpusDecoder,
    "qoa": QoaDecoder,
}


def decoder_of(encoding: str) -> Decoder:
    """A decoder for a new stream. Raises ValueError for an unknown encoding, ImportError if a package is missing."""
    if encoding not in _DECODERS:
        raise ValueError(f"encoding: expected one of {', '.join(_DECODERS)}, got {encoding!r}")
    return _DECODERS[encoding]()


def _packets(payload: bytes) -> Iterator[bytes]:
    """Packets that are each preceded by their length."""
    at = 0
    while at < len(payload):
        end = at + 2 + int.from_bytes(payload[at : at + 2], "little")
        if end > len(payload):
            raise ValueError(f"Opus: expected a packet of {end - at - 2} bytes, got {max(0, len(payload) - at - 2)}")
        yield payload[at + 2 : end]
        at = end


def _wanted(pcm: NDArray[Any], chunk: audio_pb2.AudioChunk) -> NDArray[Any]:
    end = chunk.skip_samples + chunk.sample_count
    if len(pcm) < end or not 0 <= chunk.skip_samples <= end:
        raise ValueError(f"audio: expected {end} samples in the chunk at {chunk.first_sample}, got {len(pcm)}")
    return pcm[chunk.skip_samples : end]
