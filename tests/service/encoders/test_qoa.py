# SPDX-License-Identifier: Apache-2.0
"""QOA as written and read here, against the format read literally and against an independent decoder."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from segue.qoa import RESIDUALS, decode
from segue_engine.contract import FRAME_SAMPLES as FRAME
from segue_service.encoders.qoa import CONTEXT, encode


def literal(data: bytes) -> NDArray[np.int16]:
    """Frames as the specification says, a sample at a time, in Python's own numbers."""
    parts, at = [], 0
    while at < len(data):
        channels, _, count, size = struct.unpack_from(">B3sHH", data, at)
        at += 8
        states = []
        for _ in range(channels):
            numbers = struct.unpack_from(">8h", data, at)
            states.append((list(numbers[:4]), list(numbers[4:])))
            at += 16
        out = np.zeros((-(-count // 20) * 20, channels), np.int16)
        for begin in range(0, count, 20):
            for channel, (history, weights) in enumerate(states):
                (word,) = struct.unpack_from(">Q", data, at)
                at += 8
                for n in range(20):
                    residual = int(RESIDUALS[word >> 60][(word >> (57 - 3 * n)) & 7])
                    predicted = sum(h * w for h, w in zip(history, weights, strict=True)) >> 13
                    sample = max(-32768, min(32767, predicted + residual))
                    for tap in range(4):
                        weights[tap] += -(residual >> 4) if history[tap] < 0 else residual >> 4
                    history[:] = [*history[1:], sample]
                    out[begin + n, channel] = sample
        parts.append(out[:count])
        assert size == 8 + channels * (16 + 8 * -(-count // 20))
    return np.concatenate(parts)


def stretches(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """pcm, cut into codec frames with the samples before them."""
    padded = np.concatenate([np.zeros((CONTEXT, 2), np.int16), pcm])
    return np.stack([padded[at : at + CONTEXT + FRAME] for at in range(0, len(pcm) - FRAME + 1, FRAME)])


def music(frames: int, seed: int = 0) -> NDArray[np.int16]:
    """Decaying tones over a little noise."""
    random, time = np.random.default_rng(seed), np.arange(frames * FRAME) / 48_000
    out = 0.02 * random.standard_normal((len(time), 2))
    for _ in range(12):
        tone = np.sin(2 * np.pi * random.uniform(60, 6_000) * time) * np.exp(-3 * ((2 * time + random.uniform()) % 1))
        out += tone[:, None] * random.uniform(0.02, 0.2, 2)
    return np.clip(out * 12_000, -32_768, 32_767).astype(np.int16)


def signal_to_noise(wanted: NDArray[np.int16], got: NDArray[np.int16]) -> float:
    """In dB."""
    missed = np.square(wanted.astype(np.float64) - got).mean()
    return float(10 * np.log10(np.square(wanted.astype(np.float64)).mean() / max(missed, 1e-9)))


def sine(hertz: float, frames: int = 10) -> NDArray[np.int16]:
    wave = 10_000 * np.sin(2 * np.pi * hertz * np.arange(frames * FRAME) / 48_000)
    return np.stack([wave, 0.5 * wave], axis=1).astype(np.int16)


@pytest.mark.parametrize(
    ("pcm", "decibels"),
    [
        (music(15), 24.0),
        (sine(60), 60.0),
        (sine(1_000), 60.0),
        (sine(9_000), 40.0),
        ((np.random.default_rng(1).standard_normal((10 * FRAME, 2)) * 3_000).astype(np.int16), 15.0),
    ],
    ids=["music", "60 Hz", "1 kHz", "9 kHz", "white noise"],
)
def test_what_comes_back_is_close(pcm: NDArray[np.int16], decibels: float) -> None:
    back = decode(b"".join(encode(stretches(pcm))))
    assert back.shape == pcm.shape
    assert signal_to_noise(pcm, back) > decibels


def test_silence_stays_silent() -> None:
    back = decode(b"".join(encode(np.zeros((2, CONTEXT + FRAME, 2), np.int16))))
    assert np.abs(back).max() <= 1


@given(st.integers(0, 2**32), st.sampled_from([0.01, 1.0, 100.0]))
@settings(max_examples=12, deadline=None)
def test_both_decoders_agree_on_whatever_is_encoded(seed: int, gain: float) -> None:
    noise = np.random.default_rng(seed).standard_normal((1, CONTEXT + FRAME, 2)) * 8_000 * gain
    (payload,) = encode(np.clip(noise, -32_768, 32_767).astype(np.int16))
    np.testing.assert_array_equal(decode(payload), literal(payload))


@given(st.integers(1, 3), st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_any_well_formed_frames_are_decoded(channels: int, counts: list[int], seed: int) -> None:
    random, data = np.random.default_rng(seed), b""
    for count in counts:
        slices = -(-count // 20)
        state = random.integers(-2_000, 2_000, (channels, 8)).astype(">i2").tobytes()
        body = random.bytes(8 * channels * slices)
        data += struct.pack(">B3sHH", channels, b"\0\xbb\x80", count, 8 + len(state) + len(body)) + state + body
    np.testing.assert_array_equal(decode(data), literal(data))


def test_every_code_is_the_nearest_and_the_scale_is_among_the_best() -> None:
    """A literal encoder with every scale is at most a little better than the one that tries six of them."""
    pcm = music(1, seed=5)
    (payload,) = encode(stretches(pcm))
    frame = payload[: len(payload) // 6]
    history, weights = (list(struct.unpack_from(">4h", frame, at)) for at in (8, 16))
    best = kept = 0.0
    for place in range(16):
        (word,) = struct.unpack_from(">Q", frame, 40 + 16 * place)
        wanted = pcm[20 * place : 20 * place + 20, 0].tolist()
        tries = [_slice(wanted, list(history), list(weights), row) for row in RESIDUALS.tolist()]
        error, codes, history, weights = tries[word >> 60]
        assert codes == [(word >> (57 - 3 * n)) & 7 for n in range(20)]
        kept, best = kept + error, best + min(found[0] for found in tries)
    assert kept <= 1.05 * best


def _slice(
    wanted: list[int], history: list[int], weights: list[int], residuals: list[int]
) -> tuple[float, list[int], list[int], list[int]]:
    error, codes = 0.0, []
    for sample in wanted:
        predicted = sum(h * w for h, w in zip(history, weights, strict=True)) >> 13
        code = min(range(8), key=lambda code: (abs(sample - predicted - residuals[code]), code))
        got = max(-32768, min(32767, predicted + residuals[code]))
        weights = [w + (-1 if h < 0 else 1) * (residuals[code] >> 4) for h, w in zip(history, weights, strict=True)]
        history = [*history[1:], got]
        codes.append(code)
        error += (sample - got) ** 2
    return error, codes, history, weights


def test_a_frame_is_the_same_whatever_is_encoded_beside_it_and_stands_alone() -> None:
    cut = stretches(music(4))
    together = encode(cut)
    assert [encode(row[None])[0] for row in cut] == together
    whole = decode(b"".join(together))
    for place, payload in enumerate(together):
        np.testing.assert_array_equal(decode(payload), whole[place * FRAME : (place + 1) * FRAME])


def test_malformed_frames_are_refused_in_words() -> None:
    (payload,) = encode(stretches(music(1)))
    for wrong, words in (
        (payload[:5], "header of 8 bytes"),
        (payload[:-1], "a frame of 296 bytes"),
        (b"\2" + payload[1:6] + b"\0\7" + payload[8:], "296 bytes for 2 × 320 samples, got 7"),
        (b"\0" + payload[1:], "0 × 320"),
    ):
        with pytest.raises(ValueError, match=words):
            decode(wrong)


def test_ffmpeg_reads_it_too() -> None:
    av = pytest.importorskip("av")
    pcm = music(3)
    payload = b"".join(encode(stretches(pcm)))
    context = av.CodecContext.create("qoa", "r")
    context.sample_rate, context.layout = 48_000, "stereo"
    parts = [
        frame.to_ndarray().reshape(-1, 2)
        for at in range(0, len(payload), 296)
        for frame in context.decode(av.Packet(payload[at : at + 296]))
    ]
    np.testing.assert_array_equal(np.concatenate(parts), decode(payload))
