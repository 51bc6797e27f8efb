# SPDX-License-Identifier: Apache-2.0
"""Compressed streams over the wire: what they hold, what is shared, what a server that lacks one says."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segue.decoding import decoder_of
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1.audio_pb2 import AudioEncoding
from segue_service.encoders import opus

FRAME = 1920
FRAMED = [
    "qoa",
    pytest.param("opus", marks=pytest.mark.skipif(not opus.is_installed(), reason="needs the extra opus")),
]


def number(encoding: str) -> int:
    return AudioEncoding.Value(f"AUDIO_ENCODING_{encoding.upper()}")


async def hear(opened: Any, encoding: str, end: int, **fields: Any) -> tuple[NDArray[np.int16], list[Any]]:
    """Samples up to `end` or to the Goodbye, and the chunks they came in."""
    decoder, parts, chunks = decoder_of(encoding), [], []
    call = opened.stream(encoding=number(encoding), **fields)
    async for message in call:
        if message.WhichOneof("message") != "audio":
            continue
        chunk = message.audio
        if chunks:
            assert chunk.first_sample == chunks[-1].first_sample + chunks[-1].sample_count
        chunks.append(chunk)
        parts.append(decoder.decode(chunk))
        if chunk.first_sample + chunk.sample_count >= end:
            break
    call.cancel()
    return np.concatenate(parts), chunks


def close(wanted: NDArray[np.int16], got: NDArray[np.int16]) -> bool:
    """At least 20 dB, which no shift by a sample or two would leave of this music."""
    missed = np.square(wanted.astype(np.float64) - got).mean()
    return bool(np.square(wanted.astype(np.float64)).mean() > 100 * missed)


async def test_the_server_says_what_it_has(rig: Any) -> None:
    info = await rig.live.GetServerInfo(pb.GetServerInfoRequest())
    assert {number("s16"), number("f32"), number("qoa")} <= set(info.encodings)
    assert (number("opus") in info.encodings) == opus.is_installed() == ("AudioEncoding.OPUS" not in info.not_built)


@pytest.mark.parametrize("encoding", FRAMED)
async def test_it_is_the_same_music_sample_for_sample_from_anywhere(rig: Any, encoding: str) -> None:
    opened = await rig.create(target_lead_ms=2000)
    plain, _ = await hear(opened, "s16", 40 * FRAME, from_sample=0)
    for begin in (0, 9 * FRAME + 17):
        got, chunks = await hear(opened, encoding, 35 * FRAME, from_sample=begin)
        assert chunks[0].first_sample == begin
        assert sum(len(chunk.payload) for chunk in chunks) * 4 < 4 * len(got)
        assert [chunk.skip_samples for chunk in chunks[1:]] == [0] * (len(chunks) - 1)
        assert close(plain[begin : begin + len(got)], got[: len(plain) - begin])
        assert not close(plain[begin + 3 : begin + 20 * FRAME + 3], got[: 20 * FRAME])


@pytest.mark.parametrize("encoding", FRAMED)
async def test_listeners_of_an_encoding_share_its_frames(rig: Any, encoding: str) -> None:
    opened = await rig.create(target_lead_ms=2000)
    end = 30 * FRAME
    (first, _), (second, _), (plain, _) = await asyncio.gather(
        hear(opened, encoding, end, from_sample=0),
        hear(opened, encoding, end, from_sample=0),
        hear(opened, "s16", end, from_sample=0),
    )
    np.testing.assert_array_equal(first[:end], second[:end])
    assert close(plain[:end], first[:end])
    packets = rig.session(opened)._audience.chunks.packets
    assert set(packets) == {number(encoding)}
    assert packets[number(encoding)].encoded <= 36


@pytest.mark.parametrize("encoding", FRAMED)
async def test_the_music_is_heard_to_its_end(rig: Any, encoding: str) -> None:
    opened = await rig.create(target_lead_ms=400)
    heard = asyncio.create_task(hear(opened, encoding, 10**9, from_sample=0))
    plain = asyncio.create_task(hear(opened, "s16", 10**9, from_sample=0))
    await asyncio.sleep(0.3)
    await opened.call("Stop")
    got, wanted = (await heard)[0], (await plain)[0]
    assert len(got) == len(wanted)
    assert close(wanted, got)


@pytest.mark.parametrize("encoding", FRAMED)
async def test_a_take_meets_what_it_goes_on_from(rig: Any, wait_until: Any, encoding: str) -> None:
    """Compressed or not, the timeline that is heard in the end is the same music, across the place of the take."""
    opened = await rig.create(target_lead_ms=3000)
    end = 120 * FRAME

    async def timeline(kind: str) -> tuple[NDArray[np.int16], list[Any]]:
        decoder, out, first = decoder_of(kind), np.zeros((end + 50 * FRAME, 2), np.int16), []
        call = opened.stream(encoding=number(kind), from_sample=0)
        async for message in call:
            if message.WhichOneof("message") == "audio":
                chunk = message.audio
                if chunk.take != (first[-1].take if first else -1):
                    first.append(chunk)
                out[chunk.first_sample : chunk.first_sample + chunk.sample_count] = decoder.decode(chunk)
                if chunk.take == 1 and chunk.first_sample + chunk.sample_count >= end:
                    break
        call.cancel()
        return out[:end], first

    heard = [asyncio.create_task(timeline(kind)) for kind in ("s16", encoding)]
    listeners = rig.session(opened)._audience._listeners
    await wait_until(lambda: len(listeners) == 2 and all(one.position > 70 * FRAME for one in listeners.values()))
    outcome = await opened.call("PostEvent", event="enemy_spotted")
    assert outcome.take == 1
    (plain, _), (got, takes) = [await task for task in heard]
    assert takes[1].first_sample == outcome.audible_at_sample
    assert close(plain, got)
    around = slice(outcome.audible_at_sample - FRAME, outcome.audible_at_sample + FRAME)
    assert close(plain[around], got[around])


async def test_a_server_without_opus_says_how_to_get_it(start: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(opus, "is_installed", lambda: False)
    async with start() as rig:
        info = await rig.live.GetServerInfo(pb.GetServerInfoRequest())
        assert number("opus") not in info.encodings
        assert "AudioEncoding.OPUS" in info.not_built
        opened = await rig.create()
        refusal = await rig.refused(opened.hear(1, encoding=number("opus")))
        assert (refusal.code, refusal.reason) == ("UNIMPLEMENTED", "NOT_BUILT")
        assert "pip install 'segue[opus]'" in refusal.message
        got, _ = await hear(opened, "qoa", 5 * FRAME)
        assert len(got) >= 4 * FRAME


async def test_the_bit_rate_is_the_operators(start: Any) -> None:
    pytest.importorskip("av")
    sizes = []
    for bit_rate in (32_000, 256_000):
        async with start(opus_bit_rate=bit_rate) as rig:
            _, chunks = await hear(await rig.create(target_lead_ms=1000), "opus", 20 * FRAME, from_sample=0)
            sizes.append(sum(len(chunk.payload) for chunk in chunks))
    assert sizes[1] > 2 * sizes[0]
