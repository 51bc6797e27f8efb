# SPDX-License-Identifier: Apache-2.0
"""What must be said about a model is said: publisher, licence, source, and what a disclosure asks for."""

from __future__ import annotations

import pytest

from segue_engine.checkpoints.catalogue import PUBLISHED
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.licences import (
    CC_BY_LINK,
    SoundtrackFacts,
    attribution,
    credits_text,
    disclosure,
    licence_notice,
)


@pytest.mark.parametrize("name", PUBLISHED)
def test_attribution_names_title_publisher_source_licence_and_changes(name: str) -> None:
    entry = PUBLISHED[name]
    for text in (attribution(name), licence_notice(entry)):
        assert entry.title in text
        assert "Google" in text
        assert all(f"/{repository}" in text for repository in entry.repositories)
        assert "CC BY 4.0" in text
        assert CC_BY_LINK in text
    assert "unmodified" in attribution(name)
    assert "terms of use" in licence_notice(entry)


def test_the_starter_was_trained_on_no_recordings() -> None:
    assert "no recordings" in disclosure("starter")
    assert "Apache-2.0" in attribution("starter")
    assert "CC BY" not in credits_text("starter")


def test_a_soundtracks_prompts_are_counted() -> None:
    facts = SoundtrackFacts("dungeon", styles=7, texts=12, recordings=1)
    text = credits_text("mrt2_small", facts)
    assert 'the soundtrack "dungeon": 7 musical styles, described by 12 text prompts and 1 recording' in text
    assert "you need the rights" in text
    assert "1 text prompt and" not in text
    assert "you need the rights" not in credits_text("mrt2_small", SoundtrackFacts("x", 1, 1, 0))


def test_an_unknown_model_is_not_credited() -> None:
    with pytest.raises(CheckpointFileError, match="starter, mrt2_small, mrt2_base"):
        credits_text("mrt2_tiny_noise")
