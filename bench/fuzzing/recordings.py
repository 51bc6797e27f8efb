# SPDX-License-Identifier: Apache-2.0
"""Audio files whose headers lie: about sizes, rates, channels, codecs and lengths; and ones that are only damaged."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import Final

import numpy as np
import soundfile

from fuzzing.chance import Chance

_TAGS: Final = (1, 1, 1, 3, 2, 6, 7, 17, 20, 49, 80, 85, 0xFFFE)
_RATES: Final = (8_000, 11_025, 48_000, 192_000, 0, 1, 7_999, 192_001, 2**31, 2**32 - 1)
_CHUNKS: Final = (b"fact", b"LIST", b"cue ", b"smpl", b"bext", b"PEAK", b"id3 ", b"ds64", b"acid", b"fmt ", b"data")
_GUID: Final = bytes.fromhex("000000001000800000aa00389b71")
KINDS: Final = ("WAV", "FLAC", "OGG", "MP3")
SILENCES: Final = (
    ("FLAC", 8_000, 8, 140.0, True),
    ("FLAC", 8_000, 1, 500.0, True),
    ("FLAC", 96_000, 2, 30.0, True),
    ("WAV", 8_000, 2, 20.0, True),
)
"""Files of which a little is a lot of audio."""


@cache
def whole(kind: str, rate: int = 48_000, channels: int = 2, seconds: float = 0.2, silent: bool = False) -> bytes:
    """A file as it should be."""
    time = np.arange(round(seconds * rate), dtype=np.float32) / rate
    tone = 0.0 * time if silent else 0.3 * np.sin(2 * np.pi * 440 * time)
    out = io.BytesIO()
    soundfile.write(out, np.stack([tone] * channels, axis=1), rate, format=kind)
    return out.getvalue()


def recording(chance: Chance) -> bytes:
    """Something that an audio file may be taken for."""
    match chance.randrange(10):
        case 0 | 1 | 2:
            return _wav(chance)
        case 3 | 4:
            return _flac(chance)
        case 5 | 6:
            return _ogg(chance)
        case 7:
            return whole(*chance.choice(SILENCES))
        case 8:
            kinds = (
                "AIFF",
                "AU",
                "CAF",
                "W64",
                "RF64",
                "VOC",
                "AVR",
                "IRCAM",
                "NIST",
                "SVX",
                "HTK",
                "MAT4",
                "MAT5",
                "PVF",
            )
            found = whole(chance.choice(kinds), chance.of(8_000, 44_100), 1)
            return chance.mangled(found, 8)
    found = whole(chance.choice(KINDS), chance.of(8_000, 22_050, 48_000), chance.of(1, 2))
    return found + whole(chance.choice(KINDS)) if chance.once_in(5) else chance.mangled(found, 12)


def _lie(chance: Chance, truth: int, bits: int = 32) -> int:
    """Mostly the truth."""
    if not chance.once_in(4):
        return truth & ((1 << bits) - 1)
    lie: int = chance.of(truth + chance.of(-1, 1), chance.whole(0, (1 << bits) - 1))
    return lie & ((1 << bits) - 1)


def _wav(chance: Chance) -> bytes:
    order = "<" if not chance.once_in(10) else ">"
    tag, channels = chance.choice(_TAGS), _lie(chance, chance.of(1, 2, 6, 8), 16)
    rate, bits = chance.choice(_RATES), _lie(chance, chance.of(8, 16, 24, 32, 64, 4), 16)
    align = _lie(chance, channels * bits // 8, 16)
    form = struct.pack(f"{order}HHIIHH", tag, channels, rate, _lie(chance, rate * align), align, bits)
    if tag == 0xFFFE:
        inner = struct.pack(f"{order}HHI", 22, bits, _lie(chance, 3)) + struct.pack(f"{order}H", chance.of(1, 3, 6, 85))
        form += inner + _GUID
    elif tag != 1:
        extra = chance.noise(40)
        form += struct.pack(f"{order}H", _lie(chance, len(extra), 16)) + extra
    audio = chance.of(chance.noise(200_000), bytes(chance.size(2_000_000)), chance.randbytes(chance.size(20_000)))
    parts = [(b"fmt ", form), (b"data", audio)]
    for _ in range(chance.size(4)):
        parts.insert(chance.randrange(len(parts) + 1), (chance.choice(_CHUNKS), chance.noise(600)))
    body = b"WAVE"
    for name, data in parts:
        body += name + struct.pack(f"{order}I", _lie(chance, len(data))) + data + bytes(len(data) % 2)
    head = chance.of(b"RF64", b"RIFF") if order == "<" and chance.once_in(6) else b"RIFF" if order == "<" else b"RIFX"
    return head + struct.pack(f"{order}I", _lie(chance, len(body))) + body


def _flac(chance: Chance) -> bytes:
    """STREAMINFO has no checksum: block sizes, rate, channels, bits and length are free to lie."""
    found = bytearray(whole("FLAC", chance.of(8_000, 48_000, 96_000), chance.of(1, 2, 8)))
    info = int.from_bytes(found[18:26], "big")
    rate, channels, bits, total = info >> 44, info >> 41 & 7, info >> 36 & 31, info & (2**36 - 1)
    rate, channels, bits = _lie(chance, rate, 20), _lie(chance, channels, 3), _lie(chance, bits, 5)
    info = rate << 44 | channels << 41 | bits << 36 | _lie(chance, total, 36)
    found[18:26] = info.to_bytes(8, "big")
    if chance.once_in(3):
        found[8:12] = chance.randbytes(4)
    if chance.once_in(3):  # metadata blocks that announce more than there is
        block = (
            bytes([chance.of(1, 2, 3, 4, 5, 6, 126, 127)]) + _lie(chance, 40, 24).to_bytes(3, "big") + chance.noise(40)
        )
        found[42:42] = block
    return chance.mangled(bytes(found)) if chance.once_in(3) else bytes(found)


def _ogg(chance: Chance) -> bytes:
    """Pages whose checksums are right though their content is not, so that the damage gets past the container."""
    pages = _pages(whole("OGG", chance.of(8_000, 44_100, 48_000), chance.of(1, 2)))
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(pages))
        page = bytearray(pages[at])
        match chance.randrange(5):
            case 0:
                del pages[at : at + 1]
                pages = pages or [bytes(page)]
                continue
            case 1:
                pages.insert(chance.randrange(len(pages) + 1), bytes(page))
                continue
            case 2:
                page[6:14] = chance.whole(0, 2**64 - 1).to_bytes(8, "little")  # granule position
            case 3 if len(page) > 60:
                place = chance.randrange(28, len(page) - 4)
                page[place : place + 4] = chance.of(bytes(4), b"\xff" * 4, chance.randbytes(4))
            case _:
                page[27:] = chance.mangled(bytes(page[27:]), 2)
        pages[at] = _checked(page)
    return b"".join(pages)


def _pages(data: bytes) -> list[bytes]:
    starts = [at for at in range(len(data)) if data.startswith(b"OggS", at)]
    return [data[at:end] for at, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def _checked(page: bytearray) -> bytes:
    """The page with the checksum that its bytes have: CRC-32 of Ogg, which is zlib's with all bits the other way."""
    page[22:26] = bytes(4)
    turned = bytes(_TURNED[byte] for byte in page)
    # zlib begins and ends with all ones; Ogg with zeros.
    value = zlib.crc32(turned, 0xFFFFFFFF) ^ 0xFFFFFFFF
    page[22:26] = int(f"{value:032b}"[::-1], 2).to_bytes(4, "little")
    return bytes(page)


_TURNED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
