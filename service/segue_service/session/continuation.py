# SPDX-License-Identifier: Apache-2.0
"""Continuation bytes: the codes of a chunk, for a client to keep and to return, so that any server can go on from them.

A piece is a header and codes of 10 bits each, 15 bytes a frame at 12 levels. They are not signed: whoever changes them
changes what their own session sounds like. What is malformed is refused, and ids are in range by construction.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import INTEGRATED, KNOWN, RIDER, EngineInfo

FORMAT: Final = 1
MOST_FRAMES: Final = 750
"""30 s: what a client returns beyond that is dropped, oldest first."""
_HEADER: Final = struct.Struct("<BIIHBhhH")
_BITS: Final = 10
_SHIFTS: Final = np.arange(_BITS - 1, -1, -1)


class ContinuationError(ValueError):
    """Pieces that can't be gone on from; the message names the piece."""


@dataclass(frozen=True, slots=True)
class Played:
    """What was played up to frame `end`: codes int32[n, levels] of the frames before it, in which take, and RIDER,
    INTEGRATED and KNOWN of the last in dB, LUFS and seconds."""

    end: int
    codes: NDArray[np.int32]
    take: int
    loudness: tuple[float, float, float]

    @property
    def begin(self) -> int:
        """Frame of the first codes."""
        return self.end - len(self.codes)


def fingerprint(info: EngineInfo) -> int:
    """What tells the codes of one model and version from another's."""
    return zlib.crc32(f"{info.model}\0{info.version}\0{info.levels}".encode())


def pack(mark: int, first_frame: int, take: int, codes: NDArray[np.integer], vitals: NDArray[np.int16]) -> bytes:
    """One piece: codes int[n, levels] of `first_frame` and those after it, and vitals int16[VITALS] of the last."""
    rider, integrated, known = (int(vitals[column]) for column in (RIDER, INTEGRATED, KNOWN))
    header = _HEADER.pack(
        *(FORMAT, mark, first_frame, take & 0xFFFF, len(codes), rider, integrated, max(0, known)),
    )
    bits = (codes.astype(np.int32)[..., None] >> _SHIFTS) & 1
    return header + np.packbits(bits.astype(np.uint8).ravel()).tobytes()


def join(pieces: Sequence[bytes], info: EngineInfo, until: int) -> Played | None:
    """What the pieces hold of the frames before `until`, without a gap; None if that is nothing.

    A later piece replaces what earlier ones held from its first frame on. Raises ContinuationError.
    """
    mark = fingerprint(info)
    codes: NDArray[np.int32] = np.zeros((0, info.levels), np.int32)
    begin, take, loudness = 0, 0, (0.0, 0.0, 0.0)
    for place, piece in enumerate(pieces):
        first, its_take, its_codes, its_loudness = _unpack(f"continuation[{place}]", piece, mark, info)
        if first >= until:
            continue
        if not begin <= first <= begin + len(codes):  # a gap: what is before it can't be gone on from
            begin, codes = first, codes[:0]
        codes = np.concatenate([codes[: first - begin], its_codes])
        take, loudness = max(take, its_take), its_loudness
    codes = codes[: max(0, until - begin)]
    if not len(codes):
        return None
    return Played(begin + len(codes), codes[-MOST_FRAMES:], take, loudness)


def _unpack(
    field: str, piece: bytes, mark: int, info: EngineInfo
) -> tuple[int, int, NDArray[np.int32], tuple[float, float, float]]:
    if len(piece) < _HEADER.size or piece[0] != FORMAT:
        raise ContinuationError(f"{field}: expected AudioChunk.continuation bytes as they came")
    _, its_mark, first, take, count, rider, integrated, known = _HEADER.unpack_from(piece)
    if its_mark != mark:
        raise ContinuationError(f"{field}: expected codes of {info.version}, which is what plays here")
    body = np.frombuffer(piece, np.uint8, offset=_HEADER.size)
    words = count * info.levels
    if count == 0 or body.size != -(-words * _BITS // 8):
        raise ContinuationError(
            f"{field}: expected {_HEADER.size + -(-words * _BITS // 8)} bytes for {count} frames, got {len(piece)}"
        )
    bits = np.unpackbits(body, count=words * _BITS).reshape(count, info.levels, _BITS)
    codes = (bits.astype(np.int32) << _SHIFTS.astype(np.int32)).sum(axis=-1, dtype=np.int32)
    return first, take, codes, (rider / 100, integrated / 100, known / 10)
