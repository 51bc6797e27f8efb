# SPDX-License-Identifier: Apache-2.0
"""Opus packets: how well they sound, and where their samples are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segue.decoding import OpusDecoder
from segue.v1.audio_pb2 import AudioChunk
from segue_engine.contract import FRAME_SAMPLES as FRAME

pytest.importorskip("av")

from segue_service.encoders.opus import CONVERGENCE_FRAMES, LOOKAHEAD, OpusEncoder


def tones(frames: int) -> NDArray[np.int16]:
    time = np.arange(frames * FRAME) / 48_000
    left = 6_000 * np.sin(2 * np.pi * 440 * time) * (1.2 + np.sin(2 * np.pi * 3 * time)) / 2
    right = 5_000 * np.sin(2 * np.pi * 660 * time)
    return np.stack([left, right], axis=1).astype(np.int16)


def played(packets: list[bytes], skip: int = 0) -> NDArray[np.int16]:
    payload = b"".join(len(packet).to_bytes(2, "little") + packet for packet in packets)
    count = FRAME * len(packets) - skip
    chunk = AudioChunk(payload=payload, sample_count=count, skip_samples=skip)
    found: NDArray[np.int16] = OpusDecoder().decode(chunk)
    return found


def test_a_sample_comes_out_as_much_later_as_is_said() -> None:
    noise = np.random.default_rng(0).standard_normal((12 * FRAME, 2)) * 2_000
    pcm = np.cumsum(noise, axis=0) * 0.05 + noise
    pcm = np.clip(pcm, -30_000, 30_000).astype(np.int16)
    back = played(OpusEncoder(128_000).encode(pcm)).astype(np.float64)
    part = slice(4 * FRAME, 8 * FRAME)
    fits = [float(np.vdot(pcm[part], np.roll(back, -delay, axis=0)[part])) for delay in range(600)]
    assert int(np.argmax(fits)) == LOOKAHEAD


def test_tones_are_kept_and_nothing_else_is_heard() -> None:
    pcm = tones(20)
    packets = OpusEncoder(128_000).encode(pcm)
    assert len(packets) == 20
    assert 400 < np.mean([len(packet) for packet in packets]) < 900
    back = played(packets, LOOKAHEAD)
    part = slice(2 * FRAME, 18 * FRAME)
    missed = back[part].astype(np.float64) - pcm[part]
    assert 10 * np.log10(np.square(pcm[part].astype(np.float64)).mean() / np.square(missed).mean()) > 25


def test_packets_in_several_calls_are_those_of_one() -> None:
    pcm, encoder = tones(9), OpusEncoder(96_000)
    parts = [encoder.encode(pcm[a * FRAME : b * FRAME]) for a, b in ((0, 1), (1, 4), (4, 9))]
    assert [packet for part in parts for packet in part] == OpusEncoder(96_000).encode(pcm)


def test_a_decoder_that_begins_in_the_middle_is_right_after_the_lead_in() -> None:
    packets = OpusEncoder(128_000).encode(tones(20))
    whole = played(packets)
    late = played(packets[10 - CONVERGENCE_FRAMES :], CONVERGENCE_FRAMES * FRAME)
    assert np.abs(late.astype(np.int32) - whole[10 * FRAME :]).max() <= 4
