# SPDX-License-Identifier: Apache-2.0
"""Audio as the bytes of a file, the same every time: an OGG stream's number, which libsndfile draws, is fixed."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import SAMPLE_RATE

Format = Literal["ogg", "wav"]
_KINDS: Final = {"ogg": ("OGG", "VORBIS"), "wav": ("WAV", "PCM_16")}
COMPRESSIONS: Final = (0.6, 0.2, 0.0)
"""How hard a lossy file is pressed: as usual (about 110 kbit/s), and softer where its noise would make a click."""
AROUND: Final = 4096
"""Samples of itself that a lossy loop has on either side: two of the codec's longest windows."""
_HEADER: Final = 27
_SERIAL: Final = 0x5E60E


def encoded(audio: NDArray[np.float32], kind: Format, compression: float = COMPRESSIONS[0]) -> bytes:
    """f32[n, 2] at 48 kHz as a Vorbis or 16-bit WAV file."""
    import soundfile

    container, subtype = _KINDS[kind]
    out = io.BytesIO()
    level = {"compression_level": compression} if kind == "ogg" else {}
    with soundfile.SoundFile(out, "w", SAMPLE_RATE, audio.shape[1], subtype, format=container, **level) as file:
        for begin in range(0, len(audio), 1 << 16):  # libvorbis overflows its stack on one very long write
            file.write(audio[begin : begin + (1 << 16)])
    return with_serial(out.getvalue(), _SERIAL) if kind == "ogg" else out.getvalue()


def encoded_loop(body: NDArray[np.float32], kind: Format, compression: float = COMPRESSIONS[0]) -> tuple[bytes, int]:
    """A loop f32[n, 2] as a file, and the sample at which it begins in there.

    A lossy codec is least exact where a stream begins and ends: without the loop's own end before it and its own
    beginning after it, a smooth loop would click at its seam.
    """
    around = AROUND if kind == "ogg" else 0
    before, after = np.resize(body[::-1], (around, body.shape[1]))[::-1], np.resize(body, (around, body.shape[1]))
    return encoded(np.concatenate([before, body, after]), kind, compression), around


def is_in(data: bytes, kind: Format) -> bool:
    """Whether a file is in stereo at 48 kHz in this format already, so that it needn't be written anew."""
    import soundfile

    with soundfile.SoundFile(io.BytesIO(data)) as file:
        return (file.format, file.subtype, file.samplerate, file.channels) == (*_KINDS[kind], SAMPLE_RATE, 2)


def decoded(data: bytes) -> NDArray[np.float32]:
    """What a player gets out of a file's bytes, f32[n, channels]."""
    import soundfile

    audio, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return np.asarray(audio, np.float32)


def with_serial(data: bytes, serial: int) -> bytes:
    """An OGG file of one stream under another serial number (RFC 3533, section 6). Raises ValueError if it is none."""
    out, at = bytearray(data), 0
    while at < len(out):
        if out[at : at + 4] != b"OggS" or at + _HEADER > len(out):
            raise ValueError(f"ogg: expected a page at byte {at}")
        segments = out[at + 26]
        end = at + _HEADER + segments + sum(out[at + _HEADER : at + _HEADER + segments])
        struct.pack_into("<I", out, at + 14, serial)
        struct.pack_into("<I", out, at + 22, 0)
        struct.pack_into("<I", out, at + 22, _checksum(out[at:end]))
        at = end
    return bytes(out)


@cache
def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C1_1DB7) & 0xFFFF_FFFF if value & 0x8000_0000 else value << 1
        table.append(value)
    return tuple(table)


def _checksum(page: bytearray) -> int:
    """CRC-32 of polynomial 0x04C11DB7 without reflection, from 0."""
    table, value = _table(), 0
    for byte in page:
        value = (value << 8 & 0xFFFF_FFFF) ^ table[value >> 24 ^ byte]
    return value
