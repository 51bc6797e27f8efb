# SPDX-License-Identifier: Apache-2.0
"""Runs of packets: whatever the chunks and whoever listens, the same samples, each frame encoded once."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from segue.decoding import decoder_of
from segue.v1.audio_pb2 import AudioChunk
from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import FRAME_SAMPLES as FRAME
from segue_engine.contract import VITALS
from segue_service.session.codecs import OpusCodec, QoaCodec
from segue_service.session.packets import Packets, Run
from segue_service.session.timeline import History


class PlainCodec:
    """Payload that says what was encoded: like Opus it is late and needs a lead-in, but loses nothing."""

    def __init__(self, delay: int = 312, lead_in: int = 2) -> None:
        self.delay, self.lead_in, self.context = delay, lead_in, 0
        self.frames = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def begin(self) -> dict[str, Any]:
        return {"late": np.zeros((self.delay, 2), np.int16), "busy": False}

    async def encode(self, state: dict[str, Any], pcm: NDArray[np.int16]) -> list[bytes]:
        assert not state["busy"]
        state["busy"] = True
        await asyncio.sleep(0)
        await self.gate.wait()
        joined = np.concatenate([state["late"], pcm])
        state["late"], state["busy"] = joined[len(pcm) :], False
        self.frames += len(pcm) // FRAME
        return [part.tobytes() for part in joined[: len(pcm)].reshape(-1, FRAME, 2)]


def history(frames: int, seed: int = 0, held: int = 60) -> History:
    made = History(1, held, FakeEngine(slots=1).info)
    write(made, frames, seed)
    return made


def write(timeline: History, count: int, seed: int = 0) -> None:
    random = np.random.default_rng(seed)
    for _ in range(count):
        pcm = random.integers(-9_000, 9_000, (1, FRAME, 2)).astype(np.int16)
        codes = np.zeros((1, timeline.axis.info.levels), np.int16)
        vitals = np.zeros((1, VITALS), np.int16)
        timeline.write(np.array([0]), timeline.head[:1].copy(), pcm, codes, vitals)


async def heard(packets: Packets, ends: list[int], begin: int = 0, run: Run | None = None) -> NDArray[np.int16]:
    """What a listener hears of PlainCodec up to the last of `ends`, in chunks that end there or earlier."""
    parts = []
    for end in ends:
        while begin < end:
            read = await packets.read(begin, end, run)
            assert read is not None
            assert read.end > begin
            pcm = np.frombuffer(read.payload, np.int16).reshape(-1, 2)
            parts.append(pcm[read.skip : read.skip + read.end - begin])
            assert read.skip == 0 or read.run is not run
            begin, run = read.end, read.run
    return np.concatenate(parts)


def grid(timeline: History, delay: int, *frames: int) -> list[int]:
    return [timeline.axis.sample(frame) - delay for frame in frames]


@given(st.sets(st.integers(3, 38), max_size=6), st.integers(0, 30 * FRAME), st.booleans())
@settings(max_examples=30, deadline=None)
def test_chunks_may_begin_and_end_anywhere(cuts: set[int], begin: int, beside: bool) -> None:
    async def run() -> None:
        timeline, codec = history(40), PlainCodec()
        packets = Packets(timeline, 0, codec)
        ends = [end for end in grid(timeline, codec.delay, *sorted(cuts), 39) if end > begin]
        last = ends[-1]
        if beside:
            await heard(packets, grid(timeline, codec.delay, 20, 35), begin=FRAME * 12)
        got = await heard(packets, ends, begin)
        np.testing.assert_array_equal(got, timeline.pcm(0, begin, last))

    asyncio.run(run())


async def test_many_listeners_cost_one_encoding() -> None:
    timeline, codec = history(30), PlainCodec()
    packets = Packets(timeline, 0, codec)
    ends = grid(timeline, codec.delay, 10, 20, 29)
    everybody = await asyncio.gather(*(heard(packets, ends) for _ in range(8)))
    assert all(np.array_equal(one, everybody[0]) for one in everybody)
    assert codec.frames == packets.encoded == 29 - timeline.axis.frame(0)
    before = codec.frames
    await heard(packets, ends[1:], begin=FRAME * 12)
    assert codec.frames == before


async def test_one_that_begins_further_back_moves_over_to_what_is_there() -> None:
    timeline, codec = history(40), PlainCodec()
    packets = Packets(timeline, 0, codec)
    await heard(packets, grid(timeline, codec.delay, 38), begin=FRAME * 30)
    assert codec.frames <= 12
    whole = await heard(packets, grid(timeline, codec.delay, 20, 38), begin=FRAME * 3)
    np.testing.assert_array_equal(whole, timeline.pcm(0, FRAME * 3, FRAME * 3 + len(whole)))
    assert codec.frames <= 38 + 2 * codec.lead_in


async def test_a_take_replaces_what_was_encoded_and_keeps_the_rest() -> None:
    timeline, codec = history(40), PlainCodec()
    packets = Packets(timeline, 0, codec)
    await heard(packets, grid(timeline, codec.delay, 39))
    old, encoded = timeline.pcm(0, 0, FRAME * 30).copy(), codec.frames
    place = timeline.axis.frame(FRAME * 25)
    sample = timeline.axis.sample(place)
    timeline.go_back(0, place)
    packets.replaced(sample)
    write(timeline, 12, seed=9)
    got = await heard(packets, grid(timeline, codec.delay, place + 11), begin=sample - 5 * FRAME)
    wanted = timeline.pcm(0, sample - 5 * FRAME, sample - 5 * FRAME + len(got))
    np.testing.assert_array_equal(got, wanted)
    assert not np.array_equal(wanted[5 * FRAME : 6 * FRAME], old[sample : sample + FRAME])
    assert codec.frames == encoded + codec.lead_in + 11


async def test_a_take_that_comes_while_frames_are_encoded() -> None:
    timeline, codec = history(20), PlainCodec()
    packets = Packets(timeline, 0, codec)
    codec.gate.clear()
    begin, end = grid(timeline, codec.delay, 10, 15)
    asked = asyncio.create_task(packets.read(begin, end, None))
    await asyncio.sleep(0.01)
    timeline.go_back(0, 12)
    packets.replaced(timeline.axis.sample(12))
    codec.gate.set()
    assert await asked is None
    write(timeline, 8, seed=4)
    got = await heard(packets, [end], begin)
    np.testing.assert_array_equal(got, timeline.pcm(0, begin, end))


async def test_a_listener_that_goes_away_takes_nothing_with_it() -> None:
    timeline, codec = history(20), PlainCodec()
    packets = Packets(timeline, 0, codec)
    codec.gate.clear()
    begin, end = grid(timeline, codec.delay, 5, 9)
    impatient = asyncio.create_task(packets.read(begin, end, None))
    await asyncio.sleep(0.01)
    other = asyncio.create_task(heard(packets, [end], begin))
    await asyncio.sleep(0.01)
    impatient.cancel()
    codec.gate.set()
    np.testing.assert_array_equal(await other, timeline.pcm(0, begin, end))
    assert codec.frames == 9 - 5 + codec.lead_in


async def test_old_packets_are_forgotten() -> None:
    timeline, codec = history(0, held=30), PlainCodec()
    packets = Packets(timeline, 0, codec)
    write(timeline, 5)
    begin, run = 0, None
    for _ in range(100):
        write(timeline, 1)
        (end,) = grid(timeline, codec.delay, int(timeline.head[0]))
        read = await packets.read(begin, end, run)
        assert read is not None
        begin, run = read.end, read.run
    assert run is not None
    assert len(run.payloads) <= 30 + codec.lead_in + 1


async def test_the_music_ends_at_its_last_sample() -> None:
    timeline, codec = history(10), PlainCodec()
    packets = Packets(timeline, 0, codec)
    head = timeline.head_sample(0)
    read = await packets.read(head - FRAME, head, None, is_last=True)
    assert read is not None
    assert read.end == head
    pcm = np.frombuffer(read.payload, np.int16).reshape(-1, 2)[read.skip :][:FRAME]
    np.testing.assert_array_equal(pcm, timeline.pcm(0, head - FRAME, head))


@pytest.mark.parametrize("encoding", ["qoa", "opus"])
@given(st.lists(st.integers(3, 18), min_size=1, max_size=3, unique=True))
@settings(max_examples=5, deadline=None)
def test_real_encodings_are_the_same_in_any_chunks(encoding: str, cuts: list[int]) -> None:
    if encoding == "opus":
        pytest.importorskip("av")

    async def run() -> None:
        timeline = history(20)
        with ThreadPoolExecutor(1) as executor:
            codec = OpusCodec(executor, 128_000) if encoding == "opus" else QoaCodec(executor)
            packets = Packets(timeline, 0, codec)
            heard_in: list[NDArray[np.int16]] = []
            for ends in (grid(timeline, codec.delay, 19), grid(timeline, codec.delay, *sorted(cuts), 19)):
                decoder, parts, begin, run = decoder_of(encoding), [], 0, None
                for end in ends:
                    read = await packets.read(begin, end, run)
                    assert read is not None
                    chunk = AudioChunk(payload=read.payload, sample_count=read.end - begin, skip_samples=read.skip)
                    parts.append(decoder.decode(chunk))
                    begin, run = read.end, read.run
                heard_in.append(np.concatenate(parts))
        np.testing.assert_array_equal(*heard_in)
        if encoding == "qoa":
            missed = heard_in[0] - timeline.pcm(0, 0, len(heard_in[0])).astype(np.float64)
            assert np.sqrt(np.square(missed).mean()) < 1_200

    asyncio.run(run())


async def test_sessions_are_encoded_together() -> None:
    with ThreadPoolExecutor(1) as executor:
        codec = QoaCodec(executor)
        pcm = [history(1, seed).pcm(0, 0, 1).repeat(codec.context + 2 * FRAME, axis=0) for seed in range(5)]
        together = await asyncio.gather(*(codec.encode(None, one) for one in pcm))
        assert codec.calls == 1
        assert [await codec.encode(None, one) for one in pcm] == together
