# SPDX-License-Identifier: Apache-2.0
"""Chunks → samples: what is dropped, what is refused, what is said when a package is missing."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from segue.decoding import decoder_of
from segue.v1.audio_pb2 import AUDIO_ENCODING_F32, AudioChunk
from segue_service.encoders import qoa


def test_what_a_chunk_does_not_hold_is_dropped_at_both_ends() -> None:
    pcm = (np.arange(1924)[:, None] % 90 * 100 * np.array([1, -1])).astype(np.int16)
    (payload,) = qoa.encode(pcm[None])
    decoder = decoder_of("qoa")
    whole = decoder.decode(AudioChunk(payload=payload, sample_count=1920))
    part = decoder.decode(AudioChunk(payload=payload, sample_count=1000, skip_samples=300))
    assert (whole.shape, whole.dtype) == ((1920, 2), np.int16)
    np.testing.assert_array_equal(part, whole[300:1300])
    with pytest.raises(ValueError, match="expected 1921 samples in the chunk at 77, got 1920"):
        decoder.decode(AudioChunk(payload=payload, first_sample=77, sample_count=1920, skip_samples=1))


def test_floats_stay_floats() -> None:
    decoder, wanted = decoder_of("f32"), np.linspace(-1, 1, 20, dtype="<f4").reshape(10, 2)
    assert decoder.encoding == AUDIO_ENCODING_F32
    np.testing.assert_array_equal(decoder.decode(AudioChunk(payload=wanted.tobytes(), sample_count=10)), wanted)


def test_a_torn_opus_payload_is_refused() -> None:
    pytest.importorskip("av")
    with pytest.raises(ValueError, match="a packet of 9 bytes, got 2"):
        decoder_of("opus").decode(AudioChunk(payload=b"\x09\x00ab", sample_count=1920))


def test_an_encoding_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="one of s16, f32, opus, qoa, got 'mp3'"):
        decoder_of("mp3")


def test_without_pyav_opus_names_the_extra(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"pip install 'segue\[opus\]'"):
        decoder_of("opus")
