# SPDX-License-Identifier: Apache-2.0
"""Whether several listeners of one session got the same, however long they listen: compared frame by frame of 1,920
samples, once no take can replace it any more."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

FRAME: Final = 1_920
_BYTES: Final = 4
"""Of a sample of both channels, int16."""
_KEPT: Final = 1_500
"""Frames that are kept for those who come later: a minute."""


class Transcript:
    """One listener's timeline. `settled(frame, bytes)` is called for whole frames, `keep` seconds behind its end."""

    def __init__(self, keep: float, settled: Callable[[int, bytes], None]) -> None:
        self.gaps = 0
        """Places where samples were left out."""
        self.rewritten = 0
        """Blocks that replaced what was settled already."""
        self._keep = int(keep * 48_000) + FRAME
        self._settled = settled
        self._pcm = bytearray()
        self._first: int | None = None

    @property
    def end(self) -> int:
        """The sample after the last."""
        return (self._first or 0) + len(self._pcm) // _BYTES

    def put(self, block: Any) -> None:
        """Take in a `segue.Block` of int16."""
        first = block.first_sample
        if self._first is None or first > self.end:
            self.gaps += self._first is not None and first > self.end
            self._pcm.clear()
            self._first = -(-first // FRAME) * FRAME
        at, data = (first - self._first) * _BYTES, block.pcm.tobytes()
        if at < 0:
            self.rewritten += bool(self._pcm)
            at, data = 0, data[-at:]
        del self._pcm[at:]
        self._pcm += data
        while len(self._pcm) >= (self._keep + FRAME) * _BYTES:
            self._settled(self._first // FRAME, bytes(self._pcm[: FRAME * _BYTES]))
            del self._pcm[: FRAME * _BYTES]
            self._first += FRAME


class Agreement:
    """Settled frames of all listeners of one encoding, against those of whoever had them first."""

    def __init__(self) -> None:
        self.compared = 0
        self.different = 0
        """Frames that were not bit for bit what somebody else got."""
        self.first_different: int | None = None
        """Sample of the first of them."""
        self._frames: dict[int, bytes] = {}
        self._digests: dict[str, dict[int, bytes]] = {}
        self._signal = self._error = 0.0

    def listener(self, name: str) -> Callable[[int, bytes], None]:
        """What to hand a listener's Transcript."""
        digests = self._digests.setdefault(name, {})

        def settled(frame: int, pcm: bytes) -> None:
            digests[frame] = hashlib.blake2b(pcm, digest_size=8).digest()
            known = self._frames.setdefault(frame, pcm)
            if known is pcm:
                self._frames.pop(frame - _KEPT, None)
                return
            self.compared += 1
            if known != pcm:
                self.different += 1
                self.first_different = min(frame * FRAME, self.first_different or frame * FRAME)
                one, other = (np.frombuffer(data, np.int16).astype(np.float64) for data in (known, pcm))
                self._signal += float(np.square(one).sum())
                self._error += float(np.square(one - other).sum())

        return settled

    @property
    def distance_db(self) -> float | None:
        """By how much the music is louder than the difference, where there is one."""
        if self._error == 0.0:
            return None
        return round(10 * math.log10(max(self._signal, 1.0) / self._error), 1)

    def common(self) -> tuple[int, int]:
        """Frames [first, end) that every listener has; (0, 0) if there are none."""
        listeners = [digests for digests in self._digests.values() if digests]
        if not listeners or len(listeners) < len(self._digests):
            return 0, 0
        first, end = max(map(min, listeners)), min(map(max, listeners)) + 1
        return (first, end) if end > first else (0, 0)

    def hashes(self) -> dict[str, str]:
        """A hash per listener over the common stretch, equal for equal samples."""
        first, end = self.common()
        made = {}
        for name, digests in self._digests.items():
            whole = hashlib.sha256(b"".join(digests.get(frame, b"-") for frame in range(first, end)))
            made[name] = whole.hexdigest()[:16]
        return made
