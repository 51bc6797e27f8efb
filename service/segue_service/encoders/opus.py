# SPDX-License-Identifier: Apache-2.0
"""Samples → Opus packets of one codec frame each, by libopus through PyAV (the extra `opus`)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE

LOOKAHEAD: Final = 312
"""Samples by which a decoder's output is behind the encoder's input; `OpusEncoder` checks it."""
CONVERGENCE_FRAMES: Final = 6
"""Packets after which a decoder that begins in the middle gives the same samples within 3 of 32,768 steps. RFC 7845,
4.6 asks for 80 ms at least; after those the error is still as large as that of the encoding."""


def is_installed() -> bool:
    """Whether the extra `opus` is there; imports nothing."""
    return find_spec("av") is not None


class OpusEncoder:
    """One run of packets: each continues the one before. Any thread, one call at a time."""

    def __init__(self, bit_rate: int) -> None:
        """bit_rate: bits a second, both channels together."""
        import av

        context = av.CodecContext.create("libopus", "w")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate = SAMPLE_RATE
        context.layout = "stereo"
        context.format = "s16"
        context.bit_rate = bit_rate
        context.options = {"application": "audio", "frame_duration": str(1000 // FRAME_RATE)}
        context.open()
        # OpusHead, RFC 7845, 5.1: bytes 10 and 11 are the pre-skip.
        lookahead = int.from_bytes((context.extradata or b"")[10:12], "little")
        if context.frame_size != FRAME_SAMPLES or lookahead != LOOKAHEAD:
            raise RuntimeError(
                f"libopus: expected packets of {FRAME_SAMPLES} samples and a lookahead of {LOOKAHEAD}, "
                f"got {context.frame_size} and {lookahead}"
            )
        self._context, self._frame_class = context, av.AudioFrame
        self._position = 0

    def encode(self, pcm: NDArray[np.int16]) -> list[bytes]:
        """int16[k · 1920, 2] → k packets. Sample n of the input is sample n + 312 of what a decoder gives."""
        packets: list[bytes] = []
        for part in pcm.reshape(-1, 1, FRAME_SAMPLES * CHANNELS):
            frame = self._frame_class.from_ndarray(np.ascontiguousarray(part), format="s16", layout="stereo")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = self._position
            self._position += FRAME_SAMPLES
            packets += [bytes(packet) for packet in self._context.encode(frame)]
        return packets
