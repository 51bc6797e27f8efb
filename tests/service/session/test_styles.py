# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.contract import PromptError, Sampling
from segue_service.session.styles import Override, StyleTable, slerp
from segue_service.soundtrack import Machine, SetState, StylePoint, parse_fade, parse_soundtrack
from segue_service.soundtrack.clock import MusicClock


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def table(soundtrack_text: str) -> StyleTable:
    return StyleTable(parse_soundtrack(soundtrack_text), HashStyleEncoder())


def plan(text: str, state: str, last: int) -> tuple[StylePoint, ...]:
    machine = Machine(parse_soundtrack(text))
    begun = machine.apply(machine.start(frame=0), [SetState(state, "immediate")], MusicClock(frame=0)).state
    return machine.plan(begun, 0, last).points


async def test_a_fade_becomes_codes_once(table: StyleTable, soundtrack_text: str, executor: ThreadPoolExecutor) -> None:
    points = plan(soundtrack_text, "combat", 40)
    entries = await table.conditionings(points, None, executor, 64)
    misses = table.misses
    assert len(entries) > 2
    assert all(len(conditioning.style_codes) == 12 for _, conditioning in entries)
    assert [frame for frame, _ in entries] == sorted({frame for frame, _ in entries})
    assert entries == await table.conditionings(points, None, executor, 64)
    assert table.misses == misses
    assert entries[-1][1].drums == 1, "combat asks for drums"


async def test_the_cache_is_bounded(soundtrack_text: str, executor: ThreadPoolExecutor) -> None:
    small = StyleTable(parse_soundtrack(soundtrack_text), HashStyleEncoder(), cache=2)
    points = plan(soundtrack_text, "combat", 40)
    assert await small.conditionings(points, None, executor, 64) == await small.conditionings(
        points, None, executor, 64
    )


async def test_an_override_fades_in_and_ends(
    table: StyleTable, soundtrack_text: str, executor: ThreadPoolExecutor
) -> None:
    points = plan(soundtrack_text, "explore", 10)[:1]
    embedding = table.embeddings[4]
    own = (await table.conditionings(points, None, executor, 64))[0][1].style_codes
    entries = await table.conditionings(points, Override(embedding, 0, 10, guidance=3.0, until=30), executor, 64)
    assert [frame for frame, _ in entries] == [0, 5, 10, 30]
    assert entries[0][1].style_codes == own == entries[-1][1].style_codes
    assert entries[2][1].style_codes == tuple(HashStyleEncoder().quantise(embedding[None])[0].tolist())
    assert [conditioning.guidance.style for _, conditioning in entries[1:3]] == [3.0, 3.0]


def test_prompts_that_cannot_be_read_are_noted_or_refused(soundtrack_text: str) -> None:
    soundtrack = parse_soundtrack(soundtrack_text)
    assert "war-drums" in StyleTable(soundtrack, HashStyleEncoder()).notes["combat"]
    read = StyleTable(soundtrack, HashStyleEncoder(), lambda path: np.ones(480, np.float32))
    assert read.notes == {}
    only = soundtrack_text.replace("- { text: combat, weight: 1.0 }", "")
    with pytest.raises(PromptError, match=r"styles\.combat"):
        StyleTable(parse_soundtrack(only), HashStyleEncoder())


def test_slerp_keeps_to_the_sphere() -> None:
    rng = np.random.default_rng(1)
    a, b = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 768)).astype(np.float32))
    np.testing.assert_allclose(slerp(a, b, 0.0), a, atol=1e-6)
    np.testing.assert_allclose(slerp(a, b, 1.0), b, atol=1e-6)
    assert np.linalg.norm(slerp(a, b, 0.5)) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(slerp(a, a, 0.3), a, atol=1e-6)


@pytest.mark.parametrize("shape", ["linear", "spherical", "equal_power"])
async def test_the_path_between_two_styles_is_of_the_fades_shape(
    soundtrack_text: str, executor: ThreadPoolExecutor, shape: str
) -> None:
    """What the encoder is asked for half way is the chord's middle, the arc's, or that of the shares' roots."""

    class Plain(HashStyleEncoder):
        """Blends without renormalising, as MusicCoCa does."""

        def blend(self, embeddings: np.ndarray, weights: np.ndarray) -> np.ndarray:
            return np.asarray(weights, np.float32) @ np.asarray(embeddings, np.float32)

        def quantise(self, embeddings: np.ndarray) -> np.ndarray:
            asked.extend(embeddings)
            return super().quantise(embeddings)

    asked: list[np.ndarray] = []
    machine = Machine(parse_soundtrack(soundtrack_text))
    table = StyleTable(machine.soundtrack, Plain())
    fade = parse_fade("0.96 s").model_copy(update={"shape": shape})
    begun = machine.apply(machine.start(), [SetState("boss", "immediate", fade)], MusicClock(frame=0)).state
    points = [point for point in machine.plan(begun, 0, 60).points if 0 < point.frame < 24]
    await table.conditionings(points, None, executor, 64)
    one, other = (table.embeddings[table.names.index(name)] for name in ("explore", "boss"))
    for point, embedding in zip(points, asked, strict=True):
        q = (point.frame + 1) / 25
        wanted = {
            "linear": (1 - q) * one + q * other,
            "spherical": slerp(one, other, q),
            "equal_power": np.sqrt(1 - q) * one + np.sqrt(q) * other,
        }
        np.testing.assert_allclose(embedding, wanted[shape], atol=1e-5)


async def test_sampling_switches_with_the_style(soundtrack_text: str, executor: ThreadPoolExecutor) -> None:
    drawn = "    temperature: 0.5\n    top_k: 7\n    min_p: 0.1\n"
    text = soundtrack_text.replace("    drums: on", drawn + "    drums: on", 1)
    assert text != soundtrack_text
    table = StyleTable(parse_soundtrack(text), HashStyleEncoder())
    entries = await table.conditionings(plan(text, "combat", 40), None, executor, 64)
    assert entries[0][1].sampling == Sampling(), "a style that says nothing leaves it to the model"
    assert entries[-1][1].sampling == Sampling(0.5, 7, 0.1)
    assert len({conditioning.sampling for _, conditioning in entries}) == 2


async def test_the_output_level_is_the_soundtracks(soundtrack_text: str, executor: ThreadPoolExecutor) -> None:
    text = soundtrack_text.replace("loudness: -18 LUFS, true_peak: -1", "loudness: -14 LUFS, true_peak: -3")
    points = plan(soundtrack_text, "combat", 40)
    tables = [StyleTable(parse_soundtrack(one), HashStyleEncoder()) for one in (soundtrack_text, text)]
    plain, louder = [await table.conditionings(points, None, executor, 64) for table in tables]
    assert {round(b.gain_db - a.gain_db, 2) for (_, a), (_, b) in zip(plain, louder, strict=True)} == {4.0}
    assert {conditioning.true_peak_dbtp for _, conditioning in louder} == {-3.0}
