# SPDX-License-Identifier: Apache-2.0
"""The picture's figures, and that it draws whatever was recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyloudnorm
import pytest

from segue_service.report.picture import draw, short_term_level, spectrogram, state_colours
from segue_service.report.recording import Control, Fade, Recording, StateSpan

RATE = 48_000


def tone(seconds: float, hertz: float, level: float = 0.2) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    return np.repeat(level * np.sin(2 * np.pi * hertz * t)[:, None], 2, axis=1).astype(np.float32)


@pytest.mark.parametrize("hertz", [110.0, 1000.0, 6000.0])
def test_the_spectrogram_peaks_at_the_tone(hertz: float) -> None:
    level, edges = spectrogram(tone(1.0, hertz)[:, 0], RATE)
    band = int(np.argmax(level.mean(1)))
    assert edges[band] * 0.93 <= hertz <= edges[band + 1] * 1.07


def test_short_term_level_is_bs1770_on_a_steady_tone() -> None:
    audio = tone(6.0, 997.0)
    momentary, short = short_term_level(audio, RATE)
    reference = pyloudnorm.Meter(RATE).integrated_loudness(audio)
    assert short[-1] == pytest.approx(reference, abs=0.1)
    assert momentary[-1] == pytest.approx(reference, abs=0.1)


def test_latency_is_counted_from_what_was_heard_when_it_was_said() -> None:
    assert Control("x", 48_000, 60_000).latency == 0.25


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_full_and_an_empty_recording_are_drawn(tmp_path: Path, suffix: str) -> None:
    pcm = (tone(3.0, 440.0) * 32767).astype(np.int16)
    full = Recording(
        "full",
        pcm,
        states=[StateSpan(0, "a"), StateSpan(RATE, "b")],
        fades=[Fade(RATE, 2 * RATE, "b")],
        controls=[Control("go", RATE // 2, RATE)],
        parameters={"danger": [(0, 0.5)]},
        lead=[(0.0, 0.3), (1.0, 0.2)],
        underruns=[100],
    )
    for name, recording in (("full", full), ("empty", Recording("empty", pcm[:5000]))):
        path = tmp_path / f"{name}.{suffix}"
        draw(recording, path)
        assert path.stat().st_size > 5_000
    assert len(set(state_colours(full).values())) == 2
