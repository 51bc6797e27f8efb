# SPDX-License-Identifier: Apache-2.0
"""Offline measurements against values known by calculation."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from segue_engine.mastering.measure import find_clicks, integrated_lufs, level_report, roughness, true_peak_dbtp

RATE = 48_000
TIME = np.arange(3 * RATE) / RATE


def test_imports_without_jax() -> None:
    script = "import segue_engine.mastering.measure, sys; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


def test_a_full_scale_997_hz_tone_is_minus_3() -> None:
    # BS.1770-4, Annex 1: 0 dBFS at 997 Hz in one front channel reads −3.01 LKFS.
    tone = np.stack([np.sin(2 * np.pi * 997 * TIME), 0 * TIME], axis=1)
    assert integrated_lufs(tone) == pytest.approx(-3.01, abs=0.05)


def test_silence_has_no_level() -> None:
    report = level_report(np.zeros((RATE, 2), np.float32))
    assert report.integrated_lufs == report.true_peak_dbtp == float("-inf")
    assert report.clicks == 0
    assert report.seconds == 1.0


def test_true_peak_sees_between_samples() -> None:
    tone = np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4) * np.hanning(RATE)
    assert 20 * np.log10(np.max(np.abs(tone))) == pytest.approx(-3.01, abs=0.01)
    assert true_peak_dbtp(tone) == pytest.approx(0.0, abs=0.1)


def test_long_audio_is_measured_in_pieces() -> None:
    audio = np.zeros((25 * RATE, 2), np.float32)
    audio[10 * RATE - 1 : 10 * RATE + 1] = 0.5
    whole = true_peak_dbtp(audio[9 * RATE : 11 * RATE])
    assert true_peak_dbtp(audio) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("at", [5_000, 60_123, 100_000])
def test_clicks_are_found_where_they_are(at: int) -> None:
    rng = np.random.default_rng(0)
    audio = 0.3 * np.sin(2 * np.pi * 220 * TIME) + rng.normal(size=TIME.size) * 1e-3
    audio[at] += 0.2
    jump = 0.3 * np.sin(2 * np.pi * 220 * TIME)
    jump[at:] += 0.15
    for signal in (audio, jump):
        found = find_clicks(signal)
        assert len(found) == 1
        assert abs(found[0] - at) <= 3


def test_attacks_noise_and_tones_are_no_clicks() -> None:
    rng = np.random.default_rng(0)
    hits = rng.normal(size=TIME.size) * np.exp(-30 * (TIME % 0.5)) * 0.5
    chord = 0.2 * np.sum([np.sin(2 * np.pi * f * TIME) for f in (110, 440, 3520, 12_000)], axis=0)
    for signal in (hits, chord, rng.normal(size=TIME.size)):
        assert len(find_clicks(signal)) == 0


def test_roughness_is_a_multiple_of_what_is_around_it() -> None:
    tone = 0.3 * np.sin(2 * np.pi * 220 * TIME)
    stepped = tone + 0.1 * (np.arange(TIME.size) >= 30_000)
    rough = roughness(np.stack([tone, stepped], 1))
    assert len(rough) == TIME.size - 3
    assert 29_997 <= int(np.argmax(rough)) <= 29_999
    assert rough.max() > 1000 > 10 > np.delete(rough, np.arange(29_990, 30_010)).max()
    np.testing.assert_allclose(roughness(4 * tone, 1e-12), roughness(tone, 1e-12), rtol=1e-6)
    assert not len(roughness(np.zeros(3)))


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.zeros(100), "400 ms"),
        (np.full(RATE, np.nan), "finite"),
        (np.zeros(RATE, np.int16), "floats"),
        (np.zeros((2, 2, RATE)), "floats"),
    ],
)
def test_bad_audio_is_refused(audio: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        integrated_lufs(audio)
