# SPDX-License-Identifier: Apache-2.0
"""Authored recordings, mixed in at the samples of the timeline that the server names. No I/O, no clock.

The server sends no audio for a stinger that is a clip: it tells where its beat or bar will be heard. Samples are mixed
when they are played, not when they arrive, since a stinger may be told when its place has arrived long ago.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue.v1 import stream_pb2

_FULL: Final = 32768.0


@dataclass(frozen=True, slots=True)
class _Cue:
    begins: int
    samples: NDArray[np.float32]


class Clips:
    """Recordings by their path in the soundtrack: float (±1) or int16, [n] or [n, 2], at 48 kHz. Any threads.

    clips = segue.Clips({"clips/hit.flac": hit})
    session.on_event(clips.on_event)
    …
    at = buffer.playhead
    sound = clips.mix(at, buffer.read(count))     # in the audio callback
    """

    def __init__(self, recordings: Mapping[str, NDArray[Any]]) -> None:
        self._recordings = {path: _stereo(path, samples) for path, samples in recordings.items()}
        self._lock = threading.Lock()
        self._cues: dict[tuple[int, str], _Cue] = {}
        self._played = 0
        self.unknown: set[str] = set()
        """Paths that were asked for and are not there; nothing is mixed in for them."""

    def on_event(self, event: stream_pb2.Event) -> None:
        """Take note of an event of the stream; all but stingers and rewinds are passed over.

        A rewind voids every clip of the stretch that it replaces which has not begun to be played: what still holds is
        told again. One that has begun goes on.
        """
        with self._lock:
            match event.WhichOneof("detail"):
                case "rewound":
                    self._cues = {
                        key: cue for key, cue in self._cues.items() if cue.begins < max(event.sample, self._played)
                    }
                case "stinger_started" if event.stinger_started.clip:
                    self._add(event.sample, event.stinger_started.clip, event.stinger_started.gain_db)

    def mix(self, first_sample: int, pcm: NDArray[Any]) -> NDArray[Any]:
        """Samples of the timeline, int16[n, 2] or float32[n, 2], from first_sample on, with what sounds there mixed in.

        The result is new where something sounds, full scale is its limit for int16. Clips that are over are forgotten.
        """
        end = first_sample + len(pcm)
        with self._lock:
            self._played = max(self._played, end)
            cues = [cue for cue in self._cues.values() if cue.begins < end]
            self._cues = {key: cue for key, cue in self._cues.items() if cue.begins + len(cue.samples) > first_sample}
        added = np.zeros((len(pcm), 2), np.float32)
        sounds = False
        for cue in cues:
            begin, stop = max(first_sample, cue.begins), min(end, cue.begins + len(cue.samples))
            if begin < stop:
                added[begin - first_sample : stop - first_sample] += cue.samples[begin - cue.begins : stop - cue.begins]
                sounds = True
        if not sounds:
            return pcm
        mixed: NDArray[Any] = pcm + added
        if pcm.dtype == np.int16:
            mixed = np.clip(np.rint(pcm + added * _FULL), -32768, 32767)
        return mixed.astype(pcm.dtype)

    def _add(self, begins: int, path: str, gain_db: float) -> None:
        samples = self._recordings.get(path)
        if samples is None:
            self.unknown.add(path)
        elif (begins, path) not in self._cues:
            self._cues[begins, path] = _Cue(begins, samples * np.float32(10.0 ** (gain_db / 20.0)))


def _stereo(path: str, samples: NDArray[Any]) -> NDArray[np.float32]:
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[1] not in (1, 2)):
        raise ValueError(f"{path}: expected samples [n], [n, 1] or [n, 2], got {list(samples.shape)}")
    scale = _FULL if samples.dtype == np.int16 else 1.0
    pairs = samples.reshape(len(samples), -1).astype(np.float32) / np.float32(scale)
    return np.ascontiguousarray(np.broadcast_to(pairs, (len(pairs), 2)))
