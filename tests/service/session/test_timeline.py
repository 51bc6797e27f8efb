# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import VITALS
from segue_service.session.timeline import Axis, History

FRAME = 1920
QUIET = np.zeros((1, VITALS), np.int16)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3), st.integers(0, 1919), st.integers(0, 10**9))
def test_a_sample_lies_in_its_frame(codec: int, mastering: int, sample: int) -> None:
    axis = Axis(FakeEngine(slots=1, codec_delay_frames=codec, mastering_delay_samples=mastering).info)
    frame = axis.frame(sample)
    assert axis.sample(frame) <= sample < axis.sample(frame + 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2), st.integers(0, 1919), st.integers(1, 40), st.data())
def test_what_was_written_is_read_back_wherever_it_is_cut(
    codec: int, mastering: int, frames: int, data: st.DataObject
) -> None:
    info = FakeEngine(slots=1, codec_delay_frames=codec, mastering_delay_samples=mastering).info
    history = History(2, 8, info)
    axis = history.axis
    whole = np.arange(frames * FRAME, dtype=np.int64).astype(np.int16).reshape(frames, FRAME, 1).repeat(2, 2)
    for frame in range(frames):
        codes = np.full((1, info.levels), frame, np.int16)
        history.write(np.array([1]), np.array([frame]), whole[frame][None], codes, QUIET)
    first, head = history.first_sample(1), history.head_sample(1)
    assert head == max(0, axis.sample(frames))
    if head <= first:
        return
    begin = data.draw(st.integers(first, head - 1))
    end = data.draw(st.integers(begin + 1, head))
    flat = whole.reshape(-1, 2)
    shift = -axis.sample(0)
    np.testing.assert_array_equal(history.pcm(1, begin, end), flat[begin + shift : end + shift])


def test_nothing_is_held_of_a_place_that_begins_anew() -> None:
    history = History(1, 4, FakeEngine(slots=1).info)
    history.write(np.array([0]), np.array([0]), np.ones((1, FRAME, 2), np.int16), np.zeros((1, 12), np.int16), QUIET)
    history.reset(0)
    assert history.first_sample(0) == history.head_sample(0) == 0
