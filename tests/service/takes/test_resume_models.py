# SPDX-License-Identifier: Apache-2.0
"""Over real engines with mastering on, what a client returns is enough to go on as if nothing had been."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1 import soundtrack_authoring_service_pb2 as authoring
from segue_service.session.continuation import join

pytestmark = pytest.mark.timeout(600)  # compiling takes a while on a busy machine

FRAME = 1920
UNGUARDED = {"guard_loop_ms": 0, "guard_over_range_ms": 0}
"""Random weights do what the guard takes for a fault."""
TEXT = """
soundtrack: steady
version: 1
initial: calm
styles:
  calm: { prompts: { calm: 1 }, temperature: 0, gain_db: -3 }
  wild: { prompts: { wild: 1 }, temperature: 0, gain_db: 2 }
states:
  calm: { style: calm }
  wild: { style: wild }
transitions:
  - { from: any, to: wild, on: go, exit_source_at: immediate, fade: step }
"""


async def hear(stream: Any, frames: int) -> tuple[np.ndarray, list[bytes], bytes]:
    """Sound of so many frames, their codes as they came, and the newest resume point."""
    held, pieces, token, begin = np.zeros((0, 2), np.int16), list[bytes](), b"", None
    async for message in stream:
        match message.WhichOneof("message"):
            case "resume_point":
                token = message.resume_point.token
            case "audio":
                chunk = message.audio
                begin = chunk.first_sample if begin is None else begin
                held = np.concatenate(
                    [held[: chunk.first_sample - begin], np.frombuffer(chunk.payload, "<i2").reshape(-1, 2)]
                )
                pieces.append(chunk.continuation)
        if len(held) >= frames * FRAME:
            break
    stream.cancel()
    return held, pieces, token


async def test_what_was_played_is_gone_on_from(start: Any, wait_until: Any, engine: Any) -> None:
    """Without chance in its drawing, the session that goes on plays what the one that died would have played."""
    keys = ("a key for tests, of thirty-two letters",)
    async with start(engine=engine, history_ms=6000, max_lead_ms=3000, resume_keys=keys, **UNGUARDED) as rig:
        await rig.authoring.UploadSoundtrack(authoring.UploadSoundtrackRequest(text=TEXT))
        opened = await rig.create(soundtrack_id="steady", target_lead_ms=400)
        await hear(opened.stream(), 20)
        await opened.call("PostEvent", event="go")
        whole, pieces, token = await hear(opened.stream(from_sample=0, with_continuation=True), 60)
        info, axis = engine.info, rig.server.registry.parts.hub.history.axis
        cut = axis.sample(axis.frame(45 * FRAME))
        await opened.call("CloseSession")
        await wait_until(lambda: not engine.handles())
        request = pb.ResumeRequest(token=token, continuation=pieces, from_sample=cut)
        response = await rig.live.CreateSession(pb.CreateSessionRequest(resume=request))
        again = type(opened)(rig, response.session.session_id, response.session_token)
        after, more, _ = await hear(again.stream(from_sample=cut, with_continuation=True), 10)
        await again.call("CloseSession")
        await wait_until(lambda: not engine.handles())
    expected, late = whole[cut : cut + len(after)], axis.frame(cut)
    played = [join(sent, info, late + 4) for sent in (pieces, more)]
    assert played[0] is not None
    assert played[1] is not None
    if info.style_interval_frames > 1:
        return  # a model in chunks begins another one where it goes on
    np.testing.assert_array_equal(played[1].codes, played[0].codes[-4:])
    loud = np.abs(expected[:FRAME].astype(int)).max()
    assert loud > 1000
    assert np.abs(after[:FRAME].astype(int) - expected[:FRAME]).max() < 0.08 * loud, "it sounds as it would have"
