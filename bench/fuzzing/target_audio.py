# SPDX-License-Identifier: Apache-2.0
"""Audio that clients send: files to go on from, decoded by libsndfile, and samples of audio prompts."""

from __future__ import annotations

import struct
from typing import Final

import grpc

from fuzzing.cases import Case
from fuzzing.chance import Chance
from fuzzing.recordings import SILENCES, recording, whole
from fuzzing.subject import AUTHORING, LIVE, OPERATOR_TOKEN, SESSION, TOKEN, Subject, bearer
from segue.v1 import live_soundtrack_service_pb2 as live
from segue.v1 import soundtrack_authoring_service_pb2 as authoring

NAME: Final = "audio"


def draw(chance: Chance, subject: Subject, number: int) -> Case:
    """A file, or the samples of an audio prompt."""
    if not chance.once_in(4):
        return Case(NAME, "file", recording(chance))
    value = chance.of(0.0, 1.0, 8.0, 8.1, 3e38, 1e-45, float("nan"), float("inf"))
    samples = struct.pack("<f", value) * chance.size(500_000) if chance.once_in(2) else chance.noise(400_000)
    return Case(NAME, "samples", samples)


def prepare() -> None:
    """Encode the longest files before anybody waits."""
    for choice in SILENCES:
        whole(*choice)


async def send(case: Case, subject: Subject) -> str | None:
    """What goes wrong, then or in the session that goes on from it."""
    if case.kind == "file":
        asked = live.CreateSessionRequest(soundtrack_id="dungeon", prefill_audio=case.data)
        answer = await subject.call(LIVE + "CreateSession", asked.SerializeToString())
        if answer.fault is not None or answer.code is not grpc.StatusCode.OK:
            return answer.fault
        return await subject.played(answer.messages[0])
    await subject.renew()
    embed = authoring.EmbedStyleRequest(prompts=[authoring.EmbedPrompt(audio=case.data, weight=1.0)])
    answer = await subject.call(AUTHORING + "EmbedStyle", embed.SerializeToString(), bearer(OPERATOR_TOKEN))
    if answer.fault is not None:
        return f"EmbedStyle: {answer.fault}"
    steer = live.SetWeightedPromptsRequest(prompts=[live.WeightedPrompt(audio=case.data, weight=1.0)])
    steer.control.session_id = SESSION
    answer = await subject.call(LIVE + "SetWeightedPrompts", steer.SerializeToString(), bearer(TOKEN))
    return None if answer.fault is None else f"SetWeightedPrompts: {answer.fault}"
