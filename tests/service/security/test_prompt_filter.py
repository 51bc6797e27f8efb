# SPDX-License-Identifier: Apache-2.0
"""What may be asked for: by a list, by a hook, and over the wire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1 import soundtrack_authoring_service_pb2 as authoring
from segue_service.errors import Refused
from segue_service.observe.metrics import Metrics
from segue_service.security.hook import Hook, HookError
from segue_service.security.prompt_filter import PromptFilter
from segue_service.security.word_list import read_words

WORDS = "polka  # no polka here\nYodel\ncountry western\nkazoo*\n*core\nStraße\n"


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("a POLKA, please", "polka"),
        ("pólká", "polka"),
        ("ｐｏｌｋａ", "polka"),  # full width
        ("pol\u200bka", "polka"),
        ("po\u00adlka", "polka"),
        ("slow_polka_2", "polka"),
        ("polka.", "polka"),
        ("yodel", "Yodel"),
        ("Country\n - Western", "country western"),
        ("kazoos", "kazoo*"),
        ("hardcore", "*core"),
        ("STRASSE", "Straße"),
        ("polkadot", None),
        ("western country", None),
        ("country and western", None),
        ("encore!s", "*core"),
        ("corelli", None),
        ("", None),
    ],
)
def test_whole_words_without_case_accents_and_tricks(text: str, entry: str | None) -> None:
    assert read_words(WORDS).find(text) == entry


@pytest.mark.parametrize("text", ["ok\n***\n", "ok\n!!!\n", "ok\na*b*c*d\n"])
def test_an_entry_that_means_nothing_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        read_words(text)


def test_stars_take_no_time() -> None:
    words, began = read_words("*a*b\n" * 50), time.process_time()
    assert words.find("a" * 500) is None
    assert time.process_time() - began < 5.0, "some milliseconds; a backtracking expression would take for ever"


@pytest.fixture
async def hook(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hook]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
    made = Hook("hooks:judge", 5.0, Metrics())
    await made.start()
    yield made
    await made.close()


async def test_a_hook_answers_and_one_that_fails_is_no_answer(hook: Hook) -> None:
    assert await hook.ask("calm", "studio") is None
    assert await hook.ask("polka", "studio") == "studio may not play polka"
    with pytest.raises(HookError, match="failed"):
        await hook.ask("raise", "studio")
    with pytest.raises(HookError, match="died"):
        await hook.ask("die", "studio")
    assert await hook.ask("polka", "") == "nobody may not play polka", "it was started again"
    hook._limit = 0.1
    with pytest.raises(HookError, match="100 ms"):
        await hook.ask("hang", "studio")
    hook._limit = 5.0
    answers = await asyncio.gather(*(hook.ask(text, "a") for text in ("polka", "waltz", "polka")))
    assert [answer is None for answer in answers] == [False, True, False]
    said = hook._metrics.registry.get_sample_value
    assert [said("segue_prompt_hook_failures_total", {"how": how}) for how in ("timeout", "died", "raised")] == [1] * 3


async def test_a_question_that_was_given_up_is_not_answered_to_the_next(hook: Hook) -> None:
    asking = asyncio.ensure_future(hook.ask("hang", ""))
    await asyncio.sleep(0.05)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await hook.ask("calm", "") is None


async def test_nobody_s_verdict_is_a_refusal_that_may_be_tried_again(hook: Hook) -> None:
    prompts = PromptFilter(None, hook)
    with pytest.raises(Refused) as caught:
        await prompts.check([("prompts[0].text", "raise")], "")
    assert caught.value.code == 14
    with pytest.raises(Refused, match=r'prompts\[1\]\.text: "polka" is not allowed: nobody may not play polka'):
        await prompts.check([("prompts[0].text", "waltz"), ("prompts[1].text", "polka")], "")


@pytest.mark.parametrize("entry", ["hooks:nothing", "hooks:not_a_function", "no_such_module:f", "os:_exit"])
async def test_a_hook_that_can_t_be_loaded_stops_the_server(start: Any, monkeypatch: Any, entry: str) -> None:
    from segue_service.server import ServeError

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
    if entry == "os:_exit":  # loads well: it is no fault of the file
        hook = Hook(entry, 5.0, Metrics())
        await hook.start()
        await hook.close()
        return
    with pytest.raises(ServeError, match="prompt hook"):
        async with start(prompt_hook=entry):
            pass


async def test_over_the_wire(start: Any, tmp_path: Path, soundtrack_text: str) -> None:
    words = tmp_path / "words.txt"
    words.write_text(WORDS)
    async with start(prompt_list=words) as rig:
        opened = await rig.create()
        prompts = [pb.WeightedPrompt(text="calm", weight=1), pb.WeightedPrompt(text="a Pólka", weight=1)]
        refusal = await rig.refused(opened.call("SetWeightedPrompts", prompts=prompts))
        assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "PROMPT_REFUSED")
        assert refusal.message == 'prompts[1].text: "a Pólka" is not allowed: it holds "polka"'
        await opened.call("SetWeightedPrompts", prompts=prompts[:1])
        embed = authoring.EmbedStyleRequest(prompts=[authoring.EmbedPrompt(text="yodel", weight=1)])
        refusal = await rig.refused(rig.authoring.EmbedStyle(embed))
        assert refusal.reason == "PROMPT_REFUSED"
        cave = soundtrack_text.replace("soundtrack: dungeon", "soundtrack: cave")
        bad = cave.replace("calm exploration: 1.0", "calm polka: 1.0")
        refusal = await rig.refused(rig.authoring.UploadSoundtrack(authoring.UploadSoundtrackRequest(text=bad)))
        assert refusal.fields == ["styles.explore.prompts[0]"]
        valid = await rig.authoring.ValidateSoundtrack(authoring.ValidateSoundtrackRequest(text=bad))
        assert not valid.valid
        assert (valid.problems[0].path, "polka" in valid.problems[0].message) == ("styles.explore.prompts[0]", True)
        await rig.authoring.UploadSoundtrack(authoring.UploadSoundtrackRequest(text=cave))
        assert (await rig.create(soundtrack_id="cave")).token
        words.write_text(WORDS + "harp\n")
        assert await rig.server.registry.parts.security.prompts._words.look()
        refusal = await rig.refused(rig.create(soundtrack_id="cave"))
        assert (refusal.reason, refusal.fields) == ("PROMPT_REFUSED", ["styles.explore.prompts[1]"])
        assert (await rig.create()).token, "what the server began with is its operator's business"
