# SPDX-License-Identifier: Apache-2.0
"""What an audio prompt becomes before it reaches the music encoder, and the mean after it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from musiccoca_probes import music_probe, preprocessor_probe

from segue_engine.contract import Prompt, PromptError
from segue_engine.styles.musiccoca import MusicCoCa, MusicCoCaError
from segue_engine.styles.musiccoca.audio import CLIP, RATE, clips

LIMIT = 300.0


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(3).uniform(-0.5, 0.5, 2 * CLIP + 1_000).astype(np.float32)


def test_clips_reach_the_files_and_their_embeddings_are_averaged(altered, noise):
    probes = {"audio_preprocessor.tflite": preprocessor_probe(), "music_encoder.tflite": music_probe(0)}
    row = MusicCoCa(altered(probes)).embed([Prompt(audio=noise, sample_rate=RATE)]).embeddings[0]
    padded = np.zeros((3, CLIP), np.float32)
    padded.reshape(-1)[: noise.size] = noise
    np.testing.assert_allclose(row, padded[:, :768].mean(axis=0), atol=1e-6)
    assert np.linalg.norm(row) > 1.5


def test_the_last_clip_ends_in_zeros(noise):
    out = clips(noise, RATE, LIMIT)
    assert out.shape == (3, CLIP)
    np.testing.assert_array_equal(out.reshape(-1)[: noise.size], noise)
    assert not out.reshape(-1)[noise.size :].any()
    assert clips(noise[:CLIP], RATE, LIMIT).shape == (1, CLIP)


def test_stereo_is_the_mean_of_its_channels(noise):
    other = noise[::-1]
    stereo = np.stack([noise, other], axis=1)
    np.testing.assert_allclose(clips(stereo, RATE, LIMIT), clips((noise + other) / 2, RATE, LIMIT), atol=1e-7)
    np.testing.assert_array_equal(clips(noise[:, None], RATE, LIMIT), clips(noise, RATE, LIMIT))


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([8_000, 22_050, 44_100, 48_000, 96_000]), st.floats(0.1, 21.0), st.floats(100.0, 3_000.0))
def test_resampling_keeps_pitch_length_and_level(rate, seconds, hertz):
    count = round(rate * seconds)
    tone = (0.5 * np.sin(2 * np.pi * hertz * np.arange(count) / rate)).astype(np.float32)
    out = clips(tone, rate, LIMIT).reshape(-1)
    expected = 0.5 * np.sin(2 * np.pi * hertz * np.arange(out.size) / RATE)
    end = int(count / rate * RATE)
    assert out.size == -(-end // CLIP) * CLIP
    inner = slice(400, end - 400)  # the filter rings where the tone is cut off
    np.testing.assert_allclose(out[inner], expected[inner], atol=2e-3)
    assert not out[end + 1 :].any()


@pytest.mark.parametrize(
    ("audio", "rate", "message"),
    [
        (np.zeros((0,), np.float32), 48_000, "0.1..300 s of audio, got 0 s"),
        (np.zeros(100, np.float32), 48_000, "got 0.00208 s"),
        (np.zeros(8_000 * 301, np.float32), 8_000, "got 301 s"),
        (np.full(48_000, np.nan, np.float32), 48_000, "expected finite samples, got 48000"),
        (np.full(48_000, np.inf, np.float32), 48_000, "finite"),
        (np.full(48_000, 1e4, np.float32), 48_000, "magnitude above 1000"),
        (np.zeros(48_000, np.int16), 48_000, r"float samples .* got int16\[48000\]"),
        (np.zeros((2, 48_000), np.float32), 48_000, r"got float32\[2, 48000\]"),
        (np.zeros((10, 2, 2), np.float32), 48_000, "float samples"),
        (np.float32(0.0), 48_000, "float samples"),
        (np.zeros(48_000, np.float32), 100, "sample rate of 8000..192000 Hz, got 100"),
        (np.zeros(48_000, np.float32), 0, "sample rate"),
    ],
)
def test_audio_that_cannot_be_embedded_is_refused(encoder, audio, rate, message):
    with pytest.raises(PromptError, match=message):
        encoder.embed([Prompt(audio=audio, sample_rate=rate)])


@pytest.mark.parametrize("prompt", [Prompt(), Prompt(text="dark", audio=np.zeros(48_000, np.float32))])
def test_a_prompt_is_either_text_or_audio(encoder, prompt):
    with pytest.raises(PromptError, match="either text or audio"):
        encoder.embed([prompt])


def test_different_audio_embeds_differently_and_equal_audio_equally(encoder):
    t = np.arange(48_000) / 48_000
    prompts = [Prompt(audio=(0.3 * np.sin(2 * np.pi * f * t)).astype(np.float32)) for f in (220, 220, 880)]
    embedded = encoder.embed(prompts)
    assert embedded.notes == ("", "", "")
    assert embedded.embeddings.dtype == np.float32
    np.testing.assert_array_equal(embedded.embeddings[0], embedded.embeddings[1])
    codes = encoder.quantise(embedded.embeddings)
    assert codes[0].tolist() != codes[2].tolist()


def test_text_alone_works_without_the_files_for_audio(altered):
    encoder = MusicCoCa(altered({"music_encoder.tflite": None}))
    encoder.load(audio=False)
    assert encoder.embed([Prompt(text="dark")]).embeddings.shape == (1, 768)
    with pytest.raises(PromptError, match=r"only text .* no music_encoder.tflite; `segue models download mrt2_small`"):
        encoder.embed([Prompt(audio=np.zeros(48_000, np.float32))])
    with pytest.raises(MusicCoCaError, match=r"no music_encoder\.tflite"):
        encoder.load()


def test_files_that_do_not_fit_together_are_refused(altered):
    folder = altered({"audio_preprocessor.tflite": preprocessor_probe()})
    with pytest.raises(MusicCoCaError, match=r"music_encoder\.tflite: expected an input of 160000 .* found 126976"):
        MusicCoCa(folder).embed([Prompt(audio=np.zeros(48_000, np.float32))])
