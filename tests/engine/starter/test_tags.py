# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue_engine.contract import Prompt, PromptError, StyleEncoder
from segue_engine.styles.rvq import ResidualQuantiser
from segue_engine.styles.starter_encoder import TagStyleEncoder, tag_directions
from segue_engine.styles.synonyms import SYNONYMS
from segue_engine.styles.tags import FAMILIES, OPPOSITES, TAG_INDEX, TAGS, meaning, read_prompt, tag_vector


@pytest.fixture(scope="module")
def encoder() -> TagStyleEncoder:
    return TagStyleEncoder.bundled()


def test_there_are_34_tags_and_every_synonym_leads_to_tags() -> None:
    assert len(TAGS) == len(set(TAGS)) == 34
    for phrase in SYNONYMS:
        found = meaning(phrase)
        assert found, phrase
        assert set(found) <= set(TAGS), phrase
        assert all(w > 0 for w in found.values())


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("calm exploration", {"exploration", "calm"}),
        ("Final Boss, no drums!", {"boss", "drumless"}),
        ("8-bit platformer", {"chiptune"}),
        ("a sci-fi track without percussion", {"space", "drumless"}),
        ("villages", {"village"}),
        ("not fast but sunny", {"slow", "bright"}),
        ("war drums", {"drums"}),
        ("music box lullaby", {"bells", "sparse", "calm", "slow"}),
    ],
)
def test_prompts_are_read(prompt: str, expected: set[str]) -> None:
    reading = read_prompt(prompt)
    assert set(reading.weights) == expected
    assert reading.unknown == ()


def test_unknown_words_and_negations_without_opposite_are_reported() -> None:
    reading = read_prompt("combat with no piano and a theremin")
    assert reading.unknown == ("theremin",)
    assert reading.dropped == ("piano",)
    assert set(reading.weights) == {"combat"}
    assert "underwater" in read_prompt("underwatr").suggestions["underwatr"]


def test_strength_words_scale_modifiers() -> None:
    plain, very, slightly = (
        read_prompt(p).weights["dark"] for p in ("dark combat", "very dark combat", "slightly dark combat")
    )
    assert slightly < plain < very


def test_opposites_are_mutual() -> None:
    assert all(OPPOSITES[OPPOSITES[tag]] == tag for tag in OPPOSITES)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_without_error(prompt: str) -> None:
    reading = read_prompt(prompt)
    assert set(reading.weights) <= set(TAGS)


def test_directions_are_orthonormal_and_fixed() -> None:
    d = tag_directions()
    assert d.shape == (34, 768)
    np.testing.assert_allclose(d @ d.T, np.eye(34), atol=1e-5)
    np.testing.assert_array_equal(d, tag_directions())


def test_the_encoder_fulfils_the_contract(encoder: TagStyleEncoder) -> None:
    assert isinstance(encoder, StyleEncoder)
    embedded = encoder.embed([Prompt(text="calm exploration"), Prompt(text="combat by the glimwurz")])
    assert embedded.embeddings.shape == (2, 768)
    assert embedded.embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embedded.embeddings, axis=1), 1.0, atol=1e-5)
    assert embedded.notes == ("", "unknown: glimwurz")
    assert encoder.embed([]).embeddings.shape == (0, 768)


def test_blend_renormalises(encoder: TagStyleEncoder) -> None:
    rows = encoder.embed(["exploration", "combat"]).embeddings
    half = encoder.blend(rows, np.array([1.0, 1.0], np.float32))
    assert np.linalg.norm(half) == pytest.approx(1.0, abs=1e-5)
    named = dict(encoder.nearest_tags(half))
    assert set(named) == {"exploration", "combat"}
    assert named["combat"] == pytest.approx(named["exploration"], abs=1e-5)
    with pytest.raises(ValueError, match="cancel"):
        encoder.blend(rows, np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="blend"):
        encoder.blend(rows, np.ones(3, np.float32))


def test_a_prompt_of_unknown_words_names_near_misses(encoder: TagStyleEncoder) -> None:
    with pytest.raises(PromptError, match="exploration"):
        encoder.embed(["exploratoin"])
    with pytest.raises(PromptError, match="text only"):
        encoder.embed([Prompt(audio=np.zeros(10, np.float32))])
    with pytest.raises(PromptError, match="what not to play"):
        encoder.embed(["no piano"])
    with pytest.raises(PromptError, match="at least one word"):
        encoder.embed(["the of"])


def test_quantise_round_trips_every_family(encoder: TagStyleEncoder) -> None:
    embeddings = encoder.embed(list(FAMILIES)).embeddings
    codes = encoder.quantise(embeddings)
    assert codes.shape == (16, 12)
    assert codes.dtype == np.int32
    back = encoder.quantiser.decode(codes)
    for i, family in enumerate(FAMILIES):
        assert int(np.argmax(back[i])) == TAG_INDEX[family]
        assert back[i] @ tag_vector({family: 1.0}) / np.linalg.norm(back[i]) > 0.99


def test_a_quantiser_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="width 34"):
        TagStyleEncoder(ResidualQuantiser(np.zeros((2, 4, 8), np.float32)))


def test_tag_vector_names_the_mistake() -> None:
    with pytest.raises(ValueError, match="no tag 'dubstep'"):
        tag_vector({"dubstep": 1.0})
    with pytest.raises(ValueError, match="above 0"):
        tag_vector({"combat": 0.0})
