# SPDX-License-Identifier: Apache-2.0
"""Audio files from outside, decoded within bounds: stereo at 48 kHz, or a sentence on what was wrong."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import SAMPLE_RATE

MAX_SECONDS: Final = 120
_RATES: Final = range(8_000, 192_001)
_CHANNELS: Final = 8
_LOUDEST: Final = 8
_BEGINNINGS: Final = re.compile(rb"(RIFF|RIFX|RF64)....WAVE|fLaC|OggS|ID3|\xff[\xe0-\xff]", re.DOTALL)
_FORMATS: Final = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3")
"""libsndfile reads two dozen more; nobody needs its parsers for them where strangers send files."""


class RecordingError(ValueError):
    """A recording that can't be used; the message says why."""


def read_recording(source: bytes | Path, seconds: int = MAX_SECONDS) -> NDArray[np.float32]:
    """The first `seconds` of a WAV, FLAC, Ogg or MP3 file as float32[n, 2] at 48 kHz; mono is doubled, of more channels
    the first two are taken. Raises RecordingError."""
    import soundfile
    import soxr

    if not _BEGINNINGS.match(_beginning(source)):
        raise RecordingError("not an audio file that can be read: expected WAV, FLAC, Ogg or MP3")
    try:
        with soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            if file.format not in _FORMATS:
                raise RecordingError(f"expected WAV, FLAC, Ogg or MP3, got {file.format}")
            if file.samplerate not in _RATES or not 1 <= file.channels <= _CHANNELS:
                raise RecordingError(
                    f"expected 1 to {_CHANNELS} channels at {_RATES.start} to {_RATES.stop - 1} Hz, "
                    f"got {file.channels} at {file.samplerate} Hz"
                )
            # By the second: a small file of silence in eight channels at 192 kHz would be 740 MB at once.
            left, rate, parts = seconds * file.samplerate, file.samplerate, list[NDArray[np.float32]]()
            resampled = soxr.ResampleStream(rate, SAMPLE_RATE, 2, dtype="float32")
            while left > 0 and len(part := file.read(min(left, rate), dtype="float32", always_2d=True)):
                left -= len(part)
                stereo = np.repeat(part, 2, axis=1) if part.shape[1] == 1 else part[:, :2].copy()
                parts.append(stereo if rate == SAMPLE_RATE else resampled.resample_chunk(stereo))
            if parts and rate != SAMPLE_RATE:
                parts.append(resampled.resample_chunk(np.zeros((0, 2), np.float32), last=True))
    except (OSError, RuntimeError, TypeError) as error:  # LibsndfileError is a RuntimeError
        raise RecordingError(f"not an audio file that can be read: {error}") from None
    if not parts:
        raise RecordingError("expected some audio, got none")
    samples = np.ascontiguousarray(np.concatenate(parts), np.float32)
    if not (np.abs(samples) <= _LOUDEST).all():  # nor is NaN
        raise RecordingError(f"expected finite samples of at most ±{_LOUDEST}")
    return samples


def _beginning(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source[:16]
    try:
        with source.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise RecordingError(f"not an audio file that can be read: {error}") from None
