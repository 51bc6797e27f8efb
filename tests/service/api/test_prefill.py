# SPDX-License-Identifier: Apache-2.0
"""A session that goes on from a recording, over the wire: what the model has heard shows in what it plays first."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import soundfile

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_engine.batch.fake import CLOCK_CODES, FakeEngine

FRAME = 1920


def recording(frames: int) -> bytes:
    out = io.BytesIO()
    tone = 0.25 * np.sin(np.arange(frames * FRAME) * 0.05)
    soundfile.write(out, np.stack([tone, tone], axis=1), 48_000, format="FLAC")
    return out.getvalue()


async def beats(opened: Any, frames: int) -> list[tuple[int, int]]:
    """Sample and bar of the bar lines in the first frames."""
    _, messages = await opened.hear(frames * FRAME, from_sample=0)
    events = [message.event for message in messages if message.HasField("event")]
    return [(event.sample, event.bar.bar) for event in events if event.WhichOneof("detail") == "bar"]


async def test_the_clock_goes_on_from_the_recording(rig: Any) -> None:
    info = await rig.live.GetServerInfo(pb.GetServerInfoRequest())
    assert info.model.capabilities.audio_prefill
    plain = await rig.create(target_lead_ms=4000)
    assert (await beats(plain, 70))[0] == (0, 0)
    later = await rig.create(target_lead_ms=4000, prefill_audio=recording(44))
    assert CLOCK_CODES > 64
    assert (await beats(later, 70))[0] == ((64 - 44) * FRAME, 1), "the recording's 44 frames are not played"


@pytest.mark.parametrize("data", [b"not audio", b"RIFF" * 50, recording(1)[:60]])
async def test_a_recording_that_can_not_be_used_is_named(rig: Any, data: bytes) -> None:
    refusal = await rig.refused(rig.create(prefill_audio=data))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.fields == ["prefill_audio"]
    assert "audio" in refusal.message
    assert rig.server.registry.free == rig.server.registry.slots, "nothing stays claimed"


async def test_a_recording_that_is_too_short_is_named(rig: Any) -> None:
    out = io.BytesIO()
    soundfile.write(out, np.zeros((100, 2)), 48_000, format="WAV")
    refusal = await rig.refused(rig.create(prefill_audio=out.getvalue()))
    assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", ["prefill_audio"])
    assert "at least" in refusal.message


class Deaf(FakeEngine):
    """An engine whose codec can't encode here."""

    @property
    def tokenizer(self) -> None:  # type: ignore[override]
        return None


async def test_a_model_without_an_encoder_says_so(start: Any) -> None:
    async with start(engine=Deaf(slots=2)) as rig:
        info = await rig.live.GetServerInfo(pb.GetServerInfoRequest())
        assert not info.model.capabilities.audio_prefill
        refusal = await rig.refused(rig.create(prefill_audio=recording(30)))
        assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", ["prefill_audio"])
