# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segue.v1 import errors_pb2
from segue.v1 import soundtrack_authoring_service_pb2 as pb

ERROR = errors_pb2.SoundtrackProblem.SEVERITY_ERROR


async def test_listing_and_getting(rig: Any) -> None:
    listed = await rig.authoring.ListSoundtracks(pb.ListSoundtracksRequest())
    (summary,) = listed.soundtracks
    assert (summary.soundtrack_id, summary.version, summary.initial_state) == ("dungeon", 3, "explore")
    assert list(summary.states) == ["explore", "combat", "boss", "victory"]
    assert "enemy_spotted" in summary.events
    assert (summary.parameters[0].name, summary.parameters[0].maximum) == ("danger", 1.0)
    got = await rig.authoring.GetSoundtrack(pb.GetSoundtrackRequest(soundtrack_id="dungeon"))
    assert got.soundtrack == summary
    assert summary.hash in got.compiled_json


async def test_what_was_built_can_be_uploaded_and_played(rig: Any, soundtrack_text: str) -> None:
    text = soundtrack_text.replace("soundtrack: dungeon", "soundtrack: cave")
    valid = await rig.authoring.ValidateSoundtrack(pb.ValidateSoundtrackRequest(text=text))
    assert valid.valid
    assert (await rig.refused(rig.create(soundtrack_id="cave"))).code == "NOT_FOUND"
    up = await rig.authoring.UploadSoundtrack(pb.UploadSoundtrackRequest(text=valid.compiled_json))
    assert up.soundtrack == valid.soundtrack
    assert "war-drums" in up.notes["combat"]
    opened = await rig.create(soundtrack_id="cave")
    assert len((await opened.hear(1920))[0]) == 4 * 1920


async def test_a_mistake_has_its_line_and_nothing_is_kept(rig: Any, soundtrack_text: str) -> None:
    text = soundtrack_text.replace("soundtrack: dungeon", "soundtrack: cave").replace("via: aftermath", "via: aftermth")
    valid = await rig.authoring.ValidateSoundtrack(pb.ValidateSoundtrackRequest(text=text, file_name="cave.yaml"))
    assert not valid.valid
    (problem,) = [p for p in valid.problems if p.severity == ERROR]
    assert problem.line == 1 + text[: text.index("via: aftermth")].count("\n")
    assert problem.path == "transitions[1].via"
    assert "aftermath" in problem.message
    refusal = await rig.refused(rig.authoring.UploadSoundtrack(pb.UploadSoundtrackRequest(text=text)))
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_SOUNDTRACK")
    assert refusal.problems[0].path == "transitions[1].via"
    assert (await rig.refused(rig.create(soundtrack_id="cave"))).code == "NOT_FOUND"


async def test_a_version_is_replaced_only_on_request(rig: Any, soundtrack_text: str) -> None:
    running = await rig.create()
    other = soundtrack_text.replace("initial: explore", "initial: combat")
    refusal = await rig.refused(rig.authoring.UploadSoundtrack(pb.UploadSoundtrackRequest(text=other)))
    assert (refusal.code, refusal.reason) == ("FAILED_PRECONDITION", "VERSION_CONFLICT")
    await rig.authoring.UploadSoundtrack(pb.UploadSoundtrackRequest(text=other, replace=True))
    await rig.authoring.UploadSoundtrack(pb.UploadSoundtrackRequest(text=other))
    assert (await (await rig.create()).call("GetSession")).session.state == "combat"
    assert (await running.call("GetSession")).session.state == "explore"


@pytest.mark.parametrize("text", ["", "  \n", "{", "- a\n- b", "soundtrack: [", "x" * 5000, "{}", '{"format": 1}'])
async def test_what_is_no_soundtrack_is_refused_by_a_sentence(start: Any, text: str) -> None:
    async with start(max_soundtrack_bytes=4096) as rig:
        refusal = await rig.refused(rig.authoring.UploadSoundtrack(pb.UploadSoundtrackRequest(text=text)))
        assert refusal.code in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED")
        assert refusal.message


async def test_embedding(rig: Any) -> None:
    audio = np.sin(np.arange(4800) / 20).astype("<f4").tobytes()
    prompts = [pb.EmbedPrompt(text="harp", weight=1.0), pb.EmbedPrompt(audio=audio, weight=0.5)]
    embedded = await rig.authoring.EmbedStyle(pb.EmbedStyleRequest(prompts=prompts))
    assert (len(embedded.embedding), len(embedded.style_codes), len(embedded.notes)) == (768, 12, 2)
    assert embedded.style_encoder == "hash"
    refusal = await rig.refused(rig.authoring.EmbedStyle(pb.EmbedStyleRequest()))
    assert refusal.fields == ["prompts"]
    refusal = await rig.refused(
        rig.authoring.EmbedStyle(pb.EmbedStyleRequest(prompts=[pb.EmbedPrompt(text="  ", weight=1)]))
    )
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "PROMPT_REFUSED")


async def test_pages(rig: Any, soundtrack_text: str) -> None:
    for name in ("a", "b"):
        text = soundtrack_text.replace("soundtrack: dungeon", f"soundtrack: {name}")
        await rig.authoring.UploadSoundtrack(pb.UploadSoundtrackRequest(text=text))
    names, token = [], ""
    while True:
        page = await rig.authoring.ListSoundtracks(pb.ListSoundtracksRequest(page_size=2, page_token=token))
        names += [summary.soundtrack_id for summary in page.soundtracks]
        token = page.next_page_token
        if not token:
            break
    assert names == ["a", "b", "dungeon"]
    for fields in ({"page_size": 101}, {"page_token": "x"}):
        refusal = await rig.refused(rig.authoring.ListSoundtracks(pb.ListSoundtracksRequest(**fields)))
        assert refusal.fields == list(fields)
