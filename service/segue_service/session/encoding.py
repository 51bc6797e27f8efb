# SPDX-License-Identifier: Apache-2.0
"""int16 samples → payload bytes, for the encodings that take no encoder; names of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.v1.audio_pb2 import AUDIO_ENCODING_F32, AUDIO_ENCODING_S16, AUDIO_ENCODING_UNSPECIFIED, AudioEncoding

Encoder = Callable[[NDArray[np.int16]], bytes]


def s16(pcm: NDArray[np.int16]) -> bytes:
    """Little-endian 16-bit, interleaved."""
    return pcm.astype("<i2", copy=False).tobytes()


def f32(pcm: NDArray[np.int16]) -> bytes:
    """Little-endian 32-bit float in -1..1, interleaved."""
    return (pcm.astype(np.float32) / np.float32(32768.0)).astype("<f4", copy=False).tobytes()


ENCODERS: Final[Mapping[int, Encoder]] = {AUDIO_ENCODING_S16: s16, AUDIO_ENCODING_F32: f32}


def resolve(encoding: int) -> AudioEncoding.ValueType:
    """The encoding that a listener gets; the contract's default is S16."""
    return AUDIO_ENCODING_S16 if encoding == AUDIO_ENCODING_UNSPECIFIED else AudioEncoding.ValueType(encoding)


def name_of(encoding: int) -> str:
    """Such as "S16"."""
    return AudioEncoding.Name(AudioEncoding.ValueType(encoding)).removeprefix("AUDIO_ENCODING_")
