# SPDX-License-Identifier: Apache-2.0
"""The starter's style ear: it tells styles that it was never taught apart, by what is played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue_engine.contract import EngineError
from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer import Composer
from segue_engine.models.starter.evaluation.token_features import windows
from segue_engine.models.starter.fit_ear import fit_ear, lessons
from segue_engine.models.starter.style_ear import WINDOW, StyleEar, hearable
from segue_engine.styles.starter_encoder import TagStyleEncoder
from segue_engine.styles.tags import FAMILIES, TAG_INDEX, TAGS


@pytest.fixture(scope="module")
def ear() -> StyleEar:
    return StyleEar.bundled()


def played(style: np.ndarray, seed: int, frames: int = 3 * WINDOW) -> np.ndarray:
    """Windows of the composer in a style f32[34]."""
    tokens = Composer(seed).run(np.tile(style, (frames, 1)), np.full(frames, -1, np.int8))
    return np.asarray(windows(np.asarray(tokens).reshape(frames, tk.LEVELS), WINDOW, WINDOW))


def test_it_hears_what_was_asked_for_and_not_something_else(ear: StyleEar) -> None:
    families = np.eye(len(TAGS), dtype=np.float32)[: len(FAMILIES)]
    heard = np.stack([ear.tags(hearable(played(style, 40 + i))).mean(0) for i, style in enumerate(families)])
    likeness = heard @ families.T
    assert np.diag(likeness).min() > 0.6
    others = likeness[~np.eye(len(FAMILIES), dtype=bool)]
    assert np.abs(others).mean() < 0.1
    assert (likeness.argmax(1) == np.arange(len(FAMILIES))).all()


def test_blends_and_instruments_count(ear: StyleEar) -> None:
    both, plain, organist = np.zeros((3, len(TAGS)), np.float32)
    both[[TAG_INDEX["winter"], TAG_INDEX["combat"]]] = np.sqrt(0.5)
    plain[TAG_INDEX["exploration"]] = 1.0
    organist[[TAG_INDEX["exploration"], TAG_INDEX["organ"]]] = 0.8, 0.6
    told = ear.tags(hearable(played(both, 3))).mean(0)
    assert told @ both > max(told[TAG_INDEX["winter"]], told[TAG_INDEX["combat"]])
    organ = [ear.tags(hearable(played(style, 5))).mean(0)[TAG_INDEX["organ"]] for style in (plain, organist)]
    assert organ[1] > organ[0] + 0.2


def test_embeddings_are_of_unit_length_and_in_the_encoders_space(ear: StyleEar) -> None:
    encoder = TagStyleEncoder.bundled()
    style = np.eye(len(TAGS), dtype=np.float32)[TAG_INDEX["boss"]]
    sound = played(style, 9)
    heard = ear.hear(sound)
    assert heard.shape == (len(sound), 768)
    np.testing.assert_allclose(np.linalg.norm(heard, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(encoder.to_tags(heard), ear.tags(hearable(sound)), atol=1e-5)


def test_a_patch_counts_only_where_its_voice_sounds() -> None:
    silent = np.zeros((1, WINDOW, tk.LEVELS), np.int16)
    changed = silent.copy()
    changed[:, :, tk.PALETTE_HIGH] = tk.SIZES[tk.PALETTE_HIGH] - 1
    assert np.array_equal(hearable(silent), hearable(changed))
    changed[:, 10, tk.LEAD] = tk.FIRST_ONSET
    plain = silent.copy()
    plain[:, 10, tk.LEAD] = tk.FIRST_ONSET
    assert not np.array_equal(hearable(plain), hearable(changed))


def test_any_codes_are_heard_as_something_finite(ear: StyleEar) -> None:
    stuck = np.broadcast_to(np.array(tk.SIZES, np.int16) - 1, (1, WINDOW, tk.LEVELS))
    for codes in (stuck, np.zeros_like(stuck)):
        assert np.isfinite(ear.hear(codes)).all()


def test_it_is_taught_and_kept(tmp_path: Path) -> None:
    small = fit_ear(*lessons(3, 20))
    path = tmp_path / "ear.safetensors"
    small.save(path)
    again = StyleEar.bundled(path)
    features, styles = lessons(4, 3)
    assert np.array_equal(again.tags(features), small.tags(features))
    assert len(features) == len(styles)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(EngineError, match=r"ear\.safetensors"):
        StyleEar.bundled(path)
    with pytest.raises(EngineError, match="missing"):
        StyleEar.bundled(tmp_path / "missing.safetensors")
