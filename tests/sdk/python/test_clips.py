# SPDX-License-Identifier: Apache-2.0
"""Clips are mixed in at their sample, however blocks are cut and whatever takes come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue import Clips
from segue.v1 import stream_pb2

HIT = np.linspace(0.1, 0.5, 700, dtype=np.float32)


def started(sample: int, gain_db: float = 0.0, clip: str = "hit.flac", take: int = 0) -> stream_pb2.Event:
    stinger = stream_pb2.StingerStarted(name="hit", clip=clip, gain_db=gain_db)
    return stream_pb2.Event(sample=sample, take=take, stinger_started=stinger)


def rewound(sample: int) -> stream_pb2.Event:
    return stream_pb2.Event(sample=sample, take=1, rewound=stream_pb2.Rewound(replaced_until_sample=sample + 9600))


def heard(clips: Clips, begin: int, end: int, step: int = 480) -> np.ndarray:
    """What is mixed into silence, left channel, float32."""
    parts = [clips.mix(at, np.zeros((min(step, end - at), 2), np.float32))[:, 0] for at in range(begin, end, step)]
    return np.concatenate(parts)


@given(st.integers(0, 3000), st.integers(1, 900))
def test_it_begins_at_its_sample_however_blocks_are_cut(begins: int, step: int) -> None:
    clips = Clips({"hit.flac": HIT})
    clips.on_event(started(begins, gain_db=-6.0))
    out = heard(clips, 0, 4000, step)
    expected = np.zeros(4000, np.float32)
    expected[begins : begins + 700] = HIT * np.float32(10 ** (-6 / 20))
    np.testing.assert_allclose(out, expected, atol=1e-7)


def test_it_lies_over_the_music_and_stops_at_full_scale() -> None:
    clips = Clips({"hit.flac": np.full((4, 2), 16384, np.int16)})
    clips.on_event(started(2))
    music = np.full((6, 2), 1000, np.int16)
    music[4] = 30_000
    assert clips.mix(0, music)[:, 0].tolist() == [1000, 1000, 17_384, 17_384, 32_767, 17_384]
    assert music[2, 0] == 1000, "the block given is left as it is"


def test_a_clip_told_late_sounds_from_where_the_playhead_is() -> None:
    clips = Clips({"hit.flac": HIT})
    assert not heard(clips, 0, 480).any()
    clips.on_event(started(300))
    np.testing.assert_allclose(heard(clips, 480, 960), HIT[180:660], atol=1e-7)


def test_a_take_voids_what_has_not_begun_and_is_told_again_once() -> None:
    clips = Clips({"hit.flac": HIT})
    for sample in (100, 2000, 5000):
        clips.on_event(started(sample))
    assert heard(clips, 0, 480)[100:].all()
    clips.on_event(rewound(1920))
    clips.on_event(started(5280, take=1))
    clips.on_event(started(5280, take=1))
    out = heard(clips, 480, 6240)
    np.testing.assert_allclose(out[:320], HIT[380:], atol=1e-7, err_msg="one that has begun goes on")
    assert not out[320:4800].any()
    np.testing.assert_allclose(out[4800:5500], HIT, atol=1e-7)


def test_one_that_has_begun_is_not_voided_by_a_take_that_comes_too_late() -> None:
    clips = Clips({"hit.flac": HIT})
    clips.on_event(started(100))
    heard(clips, 0, 480)
    clips.on_event(rewound(50))
    np.testing.assert_allclose(heard(clips, 480, 800), HIT[380:], atol=1e-7)


def test_style_stingers_and_unknown_files_are_left_alone() -> None:
    clips = Clips({"hit.flac": HIT})
    clips.on_event(started(0, clip=""))
    clips.on_event(started(0, clip="other.flac"))
    assert not heard(clips, 0, 960).any()
    assert clips.unknown == {"other.flac"}


def test_recordings_of_another_shape_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"hit\.flac: expected samples \[n\], \[n, 1\] or \[n, 2\], got \[9, 3\]"):
        Clips({"hit.flac": np.zeros((9, 3), np.float32)})
