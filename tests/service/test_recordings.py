# SPDX-License-Identifier: Apache-2.0
"""Audio from outside: read as stereo at 48 kHz within bounds, or refused in a sentence, whatever the bytes are."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from segue_service.recordings import RecordingError, read_recording


def encoded(
    kind: str = "WAV", seconds: float = 0.5, rate: int = 48_000, channels: int = 2, subtype: str | None = None
) -> bytes:
    time = np.arange(round(seconds * rate)) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)
    out = io.BytesIO()
    soundfile.write(out, np.stack([tone] * channels, axis=1), rate, format=kind, subtype=subtype)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 1), (22_050, 2)])
def test_formats_rates_and_channels_become_48_khz_stereo(kind: str, rate: int, channels: int) -> None:
    wave = read_recording(encoded(kind, rate=rate, channels=channels))
    assert wave.dtype == np.float32
    assert wave.shape[1] == 2
    assert len(wave) == pytest.approx(24_000, abs=3_000), "an MP3 has padding at both ends"
    middle = wave[8_000:16_000, 0]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * 48_000 / len(middle) == pytest.approx(440, abs=8)


def test_a_file_is_read_up_to_its_bound_and_more_channels_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "surround.wav"
    path.write_bytes(encoded(seconds=3.0, channels=6, rate=24_000))
    assert read_recording(path, seconds=1).shape == (48_000, 2)


def test_what_is_not_audio_is_refused_by_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="not an audio file"):
        read_recording(tmp_path / "none.wav")
    with pytest.raises(RecordingError, match="not an audio file"):
        read_recording(b"RIFF....WAVE")
    for kind in ("AIFF", "AU", "CAF"):
        with pytest.raises(RecordingError, match="expected WAV, FLAC, Ogg or MP3"):
            read_recording(encoded(kind))
    with pytest.raises(RecordingError, match="expected some audio"):
        read_recording(encoded(seconds=0.0))
    bad = io.BytesIO()
    soundfile.write(bad, np.full((100, 2), np.nan, np.float32), 48_000, format="WAV", subtype="FLOAT")
    with pytest.raises(RecordingError, match="finite"):
        read_recording(bad.getvalue())
    loud = io.BytesIO()
    soundfile.write(loud, np.full((100, 2), 3e38, np.float32), 44_100, format="WAV", subtype="FLOAT")
    with pytest.raises(RecordingError, match="finite samples of at most ±8"):
        read_recording(loud.getvalue())
    with pytest.raises(RecordingError, match="channels at"):
        read_recording(encoded(rate=4_000))


def test_a_small_file_of_much_silence_takes_no_more_than_what_it_becomes() -> None:
    silence = np.zeros((192_000, 8), np.int16)
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", 192_000, 8, format="FLAC") as file:
        for _ in range(20):
            file.write(silence)
    assert len(out.getvalue()) < 200_000
    tracemalloc.start()
    wave = read_recording(out.getvalue())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(wave) == 20 * 48_000
    assert most < 4 * wave.nbytes


@given(st.binary(max_size=200), st.integers(0, 400), st.sampled_from(["WAV", "FLAC", "OGG"]))
def test_any_bytes_are_read_or_refused(noise: bytes, at: int, kind: str) -> None:
    whole = encoded(kind, seconds=0.05)
    for data in (noise, whole[:at], whole[:at] + noise + whole[at + len(noise) :]):
        try:
            wave = read_recording(data)
        except RecordingError:
            continue
        assert wave.ndim == 2
        assert wave.shape[1] == 2
        assert np.isfinite(wave).all()
