# SPDX-License-Identifier: Apache-2.0
"""Soundtracks that are short to write and long to work on are refused before the work."""

from __future__ import annotations

import time
from typing import Any

from segue.v1 import soundtrack_authoring_service_pb2 as pb
from segue_service.soundtrack import check, parse_soundtrack

HEAD = "soundtrack: cave\ninitial: s0\n"


def crowded(states: int, transitions: int) -> str:
    each = "".join(f"  s{n}: {{ style: x }}\n" for n in range(states))
    ways = "".join(f"  - {{ from: any, to: s{n % states}, on: event_number_{n} }}\n" for n in range(transitions))
    return f"{HEAD}styles: {{ x: {{ prompts: x }} }}\nstates:\n{each}transitions:\n{ways}"


async def test_ways_and_prompts_are_counted(start: Any) -> None:
    async with start(max_soundtrack_ways=60, max_soundtrack_prompts=4) as rig:

        async def upload(text: str) -> Any:
            return await rig.authoring.UploadSoundtrack(pb.UploadSoundtrackRequest(text=text))

        assert (await upload(crowded(6, 10))).soundtrack.states
        refusal = await rig.refused(upload(crowded(6, 11)))
        assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "TOO_LARGE")
        assert "at most 60 ways from state to state, got 66" in refusal.message
        styles = "styles:\n  x: { prompts: [a, b, c] }\n  y: { prompts: [a, b] }\nstates: { s0: { style: x } }\n"
        refusal = await rig.refused(upload(HEAD + styles))
        assert "at most 4 prompts, got 5" in refusal.message


def test_a_thousand_events_are_not_compared_with_each_other() -> None:
    soundtrack = parse_soundtrack(crowded(2, 1000))
    began = time.process_time()
    check(soundtrack)
    assert time.process_time() - began < 10.0, "a second or so; it would be a quarter of a minute"
