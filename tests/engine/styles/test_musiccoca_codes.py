# SPDX-License-Identifier: Apache-2.0
"""Blends and style codes, settings, and many threads on one encoder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from musiccoca_probes import quantiser_probe

from segue_engine.contract import Prompt, PromptError, StyleEncoder
from segue_engine.styles.musiccoca import MusicCoCa, MusicCoCaError, MusicCoCaSettings, known_answers, wrong_answers

values = st.floats(-4.0, 4.0, width=32)
weight = st.floats(0.0, 100.0, width=32, allow_subnormal=False)


@st.composite
def blends(draw):
    count = draw(st.integers(1, 5))
    rows = draw(hnp.arrays(np.float32, (count, 768), elements=values, fill=values))
    by = np.array(draw(st.lists(weight, min_size=count, max_size=count).filter(any)), np.float32)
    return rows, by


@settings(max_examples=60, deadline=None)
@given(blends(), st.floats(1e-3, 1e3))
def test_a_blend_is_the_weighted_mean_whatever_the_weights_add_up_to(encoder, blend, scale):
    rows, by = blend
    found = encoder.blend(rows, by)
    assert found.dtype == np.float32
    wide = by.astype(np.float64)
    np.testing.assert_allclose(found, (wide / wide.sum()) @ rows.astype(np.float64), atol=1e-5)
    np.testing.assert_allclose(encoder.blend(rows, wide * scale), found, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.float32, (768,), elements=values, fill=values), st.floats(1e-6, 100.0))
def test_a_single_prompt_is_its_own_blend(encoder, row, by):
    np.testing.assert_array_equal(encoder.blend(row[None], [by]), row)
    others = np.stack([np.full(768, np.nan, np.float32), row])
    np.testing.assert_array_equal(encoder.blend(others, [0.0, by]), row)


def test_a_blend_is_not_renormalised(encoder):
    rows = np.zeros((2, 768), np.float32)
    rows[0, 0] = rows[1, 1] = 1.0
    assert np.linalg.norm(encoder.blend(rows, [1.0, 1.0])) == pytest.approx(np.sqrt(0.5))
    np.testing.assert_array_equal(encoder.blend(rows * [[1.0], [0.0]] - rows[::-1] * [[0.0], [1.0]], [2.0, 2.0]), 0.0)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -0.5], [np.nan, 1.0], [np.inf, 1.0]])
def test_weights_that_mean_nothing_are_refused(encoder, weights):
    with pytest.raises(PromptError, match="weights: expected finite numbers, none negative and one above 0"):
        encoder.blend(np.zeros((2, 768), np.float32), np.array(weights, np.float32))


def test_shapes_and_values_that_are_wrong_are_refused(encoder):
    with pytest.raises(PromptError, match=r"got \[\]"):
        encoder.blend(np.zeros((0, 768), np.float32), [])
    for rows, by in ((np.zeros((2, 768)), [1.0]), (np.zeros(768), [1.0]), (np.zeros((1, 12)), [1.0])):
        with pytest.raises(ValueError, match=r"blend: expected \[n, 768\] and \[n\]"):
            encoder.blend(rows, by)
    with pytest.raises(ValueError, match="finite"):
        encoder.blend(np.full((1, 768), np.nan), [1.0])
    with pytest.raises(ValueError, match=r"expected \[n, 768\]"):
        encoder.quantise(np.zeros(768, np.float32))
    with pytest.raises(ValueError, match="finite"):
        encoder.quantise(np.full((1, 768), np.inf, np.float32))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_codes_are_the_first_twelve_of_each_embedding(altered, dtype):
    encoder = MusicCoCa(altered({"pretrained_vector_quantizer.tflite": quantiser_probe(dtype=dtype)}))
    rows = np.random.default_rng(1).normal(size=(3, 768)).astype(np.float32)
    codes = encoder.quantise(rows)
    assert codes.dtype == np.int32
    np.testing.assert_array_equal(codes, rows.reshape(3, 16, 48).argmax(axis=2)[:, :12])
    assert encoder.quantise(np.zeros((0, 768), np.float32)).shape == (0, 12)


@pytest.mark.parametrize("offset", [-48, 1_000])
def test_codes_out_of_range_never_leave_the_encoder(altered, offset):
    encoder = MusicCoCa(altered({"pretrained_vector_quantizer.tflite": quantiser_probe(offset)}))
    row = np.zeros((1, 768), np.float32)
    row[0, 47::48] = 1.0
    with pytest.raises(MusicCoCaError, match=r"pretrained_vector_quantizer\.tflite: expected style codes of 0..1023"):
        encoder.quantise(row)


def test_levels_that_are_not_used_are_masked(synthetic, encoder):
    rows = encoder.embed([Prompt(text="dark"), Prompt(text="bright")]).embeddings
    full = encoder.quantise(rows)
    assert full.shape == (2, 12)
    assert full.min() >= 0
    assert full.max() <= 1023
    coarse = MusicCoCa(synthetic, MusicCoCaSettings(style_levels=6)).quantise(rows)
    np.testing.assert_array_equal(coarse[:, :6], full[:, :6])
    np.testing.assert_array_equal(coarse[:, 6:], -1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mapper", "yes"),
        ("mapper_seed", -1),
        ("style_levels", 0),
        ("style_levels", 13),
        ("threads", 0),
        ("max_text", 0),
        ("max_audio_seconds", 0.0),
        ("max_audio_seconds", float("nan")),
    ],
)
def test_settings_out_of_range_are_named(field, value):
    with pytest.raises(MusicCoCaError, match=f"^{field}: expected"):
        MusicCoCaSettings(**{field: value})


def test_nothing_is_an_answer_too(encoder):
    embedded = encoder.embed([])
    assert embedded.embeddings.shape == (0, 768)
    assert embedded.notes == ()
    assert isinstance(encoder, StyleEncoder)


def test_many_threads_get_what_one_gets(synthetic):
    t = np.arange(16_000) / 16_000
    prompts = [Prompt(text=f"{mood} {what}") for mood in ("dark", "bright", "calm") for what in ("piano", "brass")]
    prompts += [Prompt(audio=np.sin(f * t).astype(np.float32), sample_rate=16_000) for f in (900.0, 4_000.0)]
    alone = MusicCoCa(synthetic)
    expected = [alone.embed([prompt]).embeddings for prompt in prompts]
    codes = [alone.quantise(row) for row in expected]
    shared = MusicCoCa(synthetic)  # nothing is loaded yet: the threads race for that too

    def work(place: int) -> bool:
        chosen = place % len(prompts)
        row = shared.embed([prompts[chosen]]).embeddings
        same = np.array_equal(row, expected[chosen]) and np.array_equal(shared.quantise(row), codes[chosen])
        return bool(same and shared.fingerprint(prompts[chosen]) == alone.fingerprint(prompts[chosen]))

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(work, range(96)))


def test_known_answers_are_codes_and_noise_gives_none_of_them(synthetic, altered):
    answers = known_answers()
    assert [(a.text, a.mapper, a.codes[0]) for a in answers] == [
        ("disco funk", False, 660),
        ("a jazz piano trio", False, 555),
        ("disco funk", True, 660),
        ("ambient electronic", True, 369),
        ("piano", None, 325),
    ]
    assert all(len(a.codes) == 12 and min(a.codes) >= 0 and max(a.codes) <= 1023 for a in answers)
    wrong = wrong_answers(synthetic)
    assert len(wrong) == len(answers)
    assert wrong[0].startswith("'disco funk' without the mapper: expected codes 660 597 668")
    assert " or " in wrong[-1]
    assert len(wrong_answers(altered({"mapper.tflite": None}))) == 3


def test_known_answers_that_are_given_are_not_wrong(synthetic, monkeypatch):
    from segue_engine.styles.musiccoca import answers as module

    def own(text, way):
        encoder = MusicCoCa(synthetic, MusicCoCaSettings(mapper="on" if way else "off"))
        return module.KnownAnswer(text, way, module._codes(encoder, text))

    answers = [own("dark", False), own("dark", True), module.KnownAnswer("calm", None, own("calm", True).codes)]
    monkeypatch.setattr(module, "known_answers", lambda: answers)
    assert module.wrong_answers(synthetic) == []
