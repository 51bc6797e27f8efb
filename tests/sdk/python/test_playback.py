# SPDX-License-Identifier: Apache-2.0
"""Takes in a client's buffer: what is played is the newest version of every sample, and a late one is faded in."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from segue import Block, NewestTakes, PlaybackBuffer
from segue.playback import FADE


def block(first: int, count: int, take: int = 0, value: int | None = None) -> Block:
    """Samples that say which they are, or all of one value."""
    ramp = (np.arange(first, first + count) * 7 + 1000 * take) % 30_000 if value is None else np.full(count, value)
    return Block(first, np.stack([ramp, -ramp], axis=1).astype(np.int16), take)


def test_blocks_come_out_as_they_went_in() -> None:
    buffer = PlaybackBuffer()
    for first in (0, 1920, 3840):
        buffer.put(block(first, 1920))
    out = np.concatenate([buffer.read(n) for n in (1, 1919, 3000, 840)])
    np.testing.assert_array_equal(out, block(0, 5760).pcm)
    assert (buffer.playhead, buffer.reserve, buffer.missed) == (5760, 0, 0)
    assert not buffer.read(10).any()
    assert (buffer.playhead, buffer.missed) == (5760, 10)


def test_before_the_first_block_there_is_silence_that_nobody_misses() -> None:
    buffer = PlaybackBuffer()
    assert not buffer.read(100).any()
    assert buffer.missed == 0
    buffer.put(block(9600, 1920))
    assert buffer.playhead == 9600


def test_a_take_replaces_what_is_not_played_yet() -> None:
    buffer = PlaybackBuffer()
    for first in range(0, 19_200, 1920):
        buffer.put(block(first, 1920))
    buffer.read(3000)
    buffer.put(block(5760, 1920, take=1))
    assert buffer.reserve == 7680 - 3000
    buffer.put(block(7680, 1920))  # of the old take, and late
    buffer.put(block(7680, 1920, take=1))
    out = buffer.read(6600)
    np.testing.assert_array_equal(out[:2760], block(3000, 2760).pcm)
    np.testing.assert_array_equal(out[2760:], block(5760, 3840, take=1).pcm)
    assert buffer.late_takes == 0


def test_a_take_that_comes_too_late_is_faded_in() -> None:
    buffer = PlaybackBuffer()
    buffer.put(block(0, 9600, value=10_000))
    buffer.read(6000)
    buffer.put(block(4800, 4800, take=1, value=-10_000))
    out = buffer.read(3600)[:, 0].astype(int)
    assert buffer.late_takes == 1
    assert out[0] > 9_900
    assert (np.diff(out[:FADE]) <= 0).all()
    assert np.abs(np.diff(out)).max() < 60
    assert (out[FADE:] == -10_000).all()


def test_a_take_that_does_not_go_on_is_bridged_by_what_it_replaced() -> None:
    """Its first frame came and the rest is late: the older version goes on without a click, until the rest is there."""
    buffer = PlaybackBuffer()
    buffer.put(block(0, 19_200, value=5_000))
    buffer.read(1000)
    buffer.put(block(1920, 1920, take=1, value=-5_000))
    buffer.read(3840 - 1000)
    out = buffer.read(4000)[:, 0].astype(int)
    assert (buffer.missed, buffer.outdated, buffer.reserve) == (0, 4000, 0)
    assert out[0] < -4_900
    assert np.abs(np.diff(out)).max() < 60
    assert (out[FADE:] == 5_000).all()
    buffer.put(block(3840, 1920, take=1, value=-5_000))  # all of it has been played in its older version
    buffer.put(block(5760, 4800, take=1, value=-5_000))
    assert buffer.reserve == 10_560 - 7840
    out = buffer.read(2720)[:, 0].astype(int)
    assert out[0] > 4_900
    assert np.abs(np.diff(out)).max() < 60
    assert (out[FADE:] == -5_000).all()
    assert buffer.late_takes == 0
    buffer.read(19_200 - 10_560)  # and the older version again, to its end
    assert (buffer.missed, buffer.playhead) == (0, 19_200)
    buffer.read(10)
    assert buffer.missed == 10


@given(data=st.data())
def test_takes_that_come_in_bursts_never_leave_a_hole_while_there_is_any_version(data: Any) -> None:
    buffer, take, end, ever = PlaybackBuffer(seconds=1.0), 0, 0, 0
    for _ in range(data.draw(st.integers(1, 15))):
        if data.draw(st.booleans()) and end > buffer.playhead:
            take, end = take + 1, data.draw(st.integers(buffer.playhead, end))
        count = data.draw(st.integers(1, 4000))
        if max(end + count, ever) - buffer.playhead > 40_000:
            break
        buffer.put(block(end, count, take, value=1 + take))
        end += count
        ever = max(ever, end)
        begin, wanted = buffer.playhead, data.draw(st.integers(0, 6000))
        out = buffer.read(wanted)[:, 0]
        there = min(wanted, max(0, ever - begin))
        assert buffer.playhead == begin + there
        assert out[:there].all()
        assert not out[there:].any()


@given(data=st.data())
def test_any_order_of_takes_and_reads_plays_the_newest_of_every_sample(data: Any) -> None:
    buffer, truth, take, end = PlaybackBuffer(seconds=1.0), np.zeros(0, np.int16), 0, 0
    for _ in range(data.draw(st.integers(1, 12))):
        if data.draw(st.booleans()) and end > buffer.playhead:
            take, end = take + 1, data.draw(st.integers(buffer.playhead, end))
        count = data.draw(st.integers(1, 4000))
        if end + count - buffer.playhead > 48_000:
            break
        new = block(end, count, take)
        truth = np.concatenate([truth[:end], new.pcm[:, 0]])
        buffer.put(new)
        end += count
        begin = buffer.playhead
        out = buffer.read(min(buffer.reserve, data.draw(st.integers(0, 3000))))
        np.testing.assert_array_equal(out[:, 0], truth[begin : buffer.playhead])
    begin = buffer.playhead
    np.testing.assert_array_equal(buffer.read(buffer.reserve)[:, 0], truth[begin:end])


class Music:
    """A take goes on from what is before it, and only then becomes another; 20 Hz, so that a click stands out."""

    LEVEL, PITCH = 16_000, 2 * np.pi * 20 / 48_000

    def __init__(self) -> None:
        self.next = self.take = 0
        self._turns: list[int] = []

    def turn_at(self, sample: int) -> None:
        self.next, self.take = sample, self.take + 1
        self._turns = [turn for turn in self._turns if turn < sample] + [sample]

    def block(self, count: int) -> Block:
        first, at = self.next, np.arange(self.next, self.next + count)
        angle = at * self.PITCH + sum(2 * np.clip((at - turn) / 4800, 0, 1) for turn in self._turns)
        self.next += count
        return Block(first, (self.LEVEL * np.stack([np.sin(angle), np.cos(angle)], axis=1)).astype(np.int16), self.take)


def heard(seed: int) -> tuple[NDArray[np.int64], PlaybackBuffer]:
    """What a buffer plays of a server and a network that do what they like; it never has less than two fades ahead."""
    dice, buffer, music, out = np.random.default_rng(seed), PlaybackBuffer(seconds=1.0), Music(), list[Any]()
    end = 0
    for _ in range(40):
        what = dice.integers(4)
        if what == 0:
            music.turn_at(int(np.clip(buffer.playhead + dice.integers(-3000, 5000), 0, music.next)))
        for _ in range(0 if what == 1 else dice.integers(1, 4)):
            if music.next < buffer.playhead + 30_000:
                buffer.put(music.block(int(dice.integers(1, 2400))))
                end = max(end, music.next)
        for _ in range(dice.integers(1, 4)):
            out.append(buffer.read(min(int(dice.integers(2000)), max(0, end - buffer.playhead - 2 * FADE))))
    return np.concatenate(out).astype(np.int64), buffer


def test_no_order_of_takes_and_reads_is_a_click() -> None:
    most = 4 * Music.LEVEL * (Music.PITCH + np.pi / 2 / FADE + 1 / FADE)
    late, outdated = 0, 0
    for seed in range(100):
        out, buffer = heard(seed)
        assert buffer.missed == 0
        assert np.abs(np.diff(out, axis=0)).max() < most, seed
        late, outdated = late + buffer.late_takes, outdated + buffer.outdated
    assert late > 100
    assert outdated > 10_000


def test_a_recording_holds_the_newest_takes() -> None:
    takes = NewestTakes()
    assert takes.pcm.shape == (0, 2)
    for first in range(0, 9600, 1920):
        takes.put(block(first, 1920))
    takes.put(block(4000, 1000, take=1))
    takes.put(block(5000, 1000, take=1))
    takes.put(block(5500, 100, take=2))
    assert takes.end == 5600
    want = [block(0, 4000).pcm, block(4000, 1500, take=1).pcm, block(5500, 100, take=2).pcm]
    np.testing.assert_array_equal(takes.pcm, np.concatenate(want))
