# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from segue_engine.models.starter.fit_styles import DEFAULT_PATH, style_samples
from segue_engine.styles.rvq import ResidualQuantiser, fit


@pytest.fixture(scope="module")
def bundled() -> ResidualQuantiser:
    return ResidualQuantiser.load(DEFAULT_PATH)


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("nd,nd->n", a, b) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)))


def test_bundled_codes_keep_held_out_styles(bundled: ResidualQuantiser) -> None:
    styles = style_samples(77, 400, 200)
    codes = bundled.encode(styles)
    assert codes.shape == (600, 12)
    assert codes.min() >= 0
    assert codes.max() < 1024
    cosine = _cosine(bundled.decode(codes), styles)
    assert cosine.mean() > 0.999
    assert np.percentile(cosine, 1) > 0.99


def test_more_levels_are_closer(bundled: ResidualQuantiser) -> None:
    styles = style_samples(78, 200, 100)
    codes = bundled.encode(styles)
    errors = [float(np.linalg.norm(bundled.decode(codes[:, :k]) - styles, axis=1).mean()) for k in (1, 2, 4, 8, 12)]
    assert errors == sorted(errors, reverse=True)


def test_a_two_mood_blend_keeps_its_share(bundled: ResidualQuantiser) -> None:
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        style = np.zeros((1, 34), np.float32)
        style[0, 0], style[0, 2] = 1.0 - share, share
        style /= np.linalg.norm(style)
        back = bundled.decode(bundled.encode(style))[0]
        assert back[2] / (back[0] + back[2]) == pytest.approx(share, abs=0.03)


def test_fit_is_deterministic_and_saved_without_loss(tmp_path: Path) -> None:
    samples = np.random.default_rng(3).standard_normal((300, 6)).astype(np.float32)
    calls: list[tuple[int, int]] = []
    one = fit(samples, 1, levels=3, entries=16, iterations=3, progress=lambda d, t: calls.append((d, t)))
    two = fit(samples, 1, levels=3, entries=16, iterations=3)
    np.testing.assert_array_equal(one.codebooks, two.codebooks)
    assert calls[-1] == (9, 9)
    one.save(tmp_path / "q.safetensors")
    np.testing.assert_array_equal(ResidualQuantiser.load(tmp_path / "q.safetensors").codebooks, one.codebooks)


def test_bad_input_is_named(bundled: ResidualQuantiser, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="vectors"):
        bundled.encode(np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match="codes"):
        bundled.decode(np.full((1, 12), 1024))
    with pytest.raises(ValueError, match="samples"):
        fit(np.zeros((3, 4), np.float32), 0)
    save_file({"other": np.zeros(3, np.float32)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="codebooks"):
        ResidualQuantiser.load(tmp_path / "x.safetensors")
