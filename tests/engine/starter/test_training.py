# SPDX-License-Identifier: Apache-2.0
"""Training: the loss falls, resuming is exact, and weights that are missing or damaged say so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from rich.console import Console

from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm.config import LMConfig
from segue_engine.models.starter.lm.params import init_params
from segue_engine.models.starter.training.batch import BatchConfig, make_batch
from segue_engine.models.starter.training.checkpoint import load_state, save_state
from segue_engine.models.starter.training.loop import COOLDOWN, TrainingConfig, train
from segue_engine.models.starter.training.optimiser import Optimiser, OptimiserConfig
from segue_engine.models.starter.training.source import SourceConfig, compose_pieces
from segue_engine.models.starter.weights import (
    MANIFEST,
    WEIGHTS,
    WeightsError,
    installed_validation,
    load_weights,
    save_weights,
)

TINY = LMConfig(
    width=24, layers=1, heads=2, hidden=32, window=16, depth_width=16, depth_layers=1, depth_heads=2, depth_hidden=24,
    style_hidden=16, delta_hidden=8,
)  # fmt: skip
BATCH = BatchConfig(sequences=2, frames=48)
QUICK = TrainingConfig(
    minutes=1e6, cooldown_minutes=1.0, model=TINY, batch=BATCH, validation_sequences=4,
    source=SourceConfig(pieces=2, frames=96, chunks=2, steps=2),
    optimiser=OptimiserConfig(rate=1e-2, warm_up=1, average_every=2),
)  # fmt: skip
QUIET = Console(quiet=True)


def leaves_of(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def test_loss_falls_on_a_fixed_batch_and_resuming_is_exact(tmp_path: Path) -> None:
    batch = make_batch(compose_pieces(1, 2, 96), BATCH, np.random.default_rng(0))
    optimiser = Optimiser(TINY, QUICK.optimiser)
    state, losses = optimiser.start(init_params(TINY, 0)), []
    for step in range(12):
        state, result = optimiser.step(state, batch, step, 0.0)
        losses.append(float(np.sum(result.loss)))
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.6 * losses[0]

    save_state(tmp_path / "checkpoint.safetensors", state, {"step": 12})
    resumed, facts = load_state(tmp_path / "checkpoint.safetensors", optimiser.start(init_params(TINY, 9)))
    assert facts == {"step": 12}
    state, _ = optimiser.step(state, batch, 12, 0.5)
    resumed, _ = optimiser.step(resumed, batch, 12, 0.5)
    for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"expected shape"):
        load_state(tmp_path / "checkpoint.safetensors", optimiser.start(init_params(replace(TINY, hidden=40), 0)))


def test_interrupted_run_ends_in_the_same_weights(tmp_path: Path) -> None:
    def run(folder: str, steps: int, resume: bool = False) -> dict[str, np.ndarray]:
        progress = train(replace(QUICK, folder=tmp_path / folder, max_steps=steps, resume=resume), QUIET)
        assert progress.step == steps
        return leaves_of(tmp_path / folder / "checkpoint.safetensors")

    run("parts", 3)
    parts, straight = run("parts", 5, resume=True), run("straight", 5)
    assert parts.keys() == straight.keys()
    for name, leaf in straight.items():
        np.testing.assert_array_equal(parts[name], leaf, err_msg=name)
    with pytest.raises(FileExistsError, match="--resume"):
        run("parts", 6)


def test_cool_down_on_demand_ends_the_run_and_installs_weights(tmp_path: Path) -> None:
    folder, installed = tmp_path / "run", tmp_path / "weights"
    folder.mkdir()
    (folder / COOLDOWN).touch()
    progress = train(replace(QUICK, folder=folder, cooldown_minutes=1 / 600, install=installed), QUIET)
    assert progress.cooling
    assert progress.step >= 1
    assert not (folder / COOLDOWN).exists()
    assert np.isfinite(progress.validation)
    params, config, digest = load_weights(installed)
    assert config == TINY
    assert json.loads((installed / MANIFEST).read_text())["sha256"] == digest
    assert installed_validation(installed, config) == pytest.approx(progress.validation)
    assert installed_validation(installed, replace(config, window=17)) == installed_validation(folder, config) == np.inf
    save_weights(tmp_path / "better", params, config, {"validation": 0.0})
    train(replace(QUICK, folder=folder, max_steps=1, resume=True, install=tmp_path / "better"), QUIET)
    assert installed_validation(tmp_path / "better", config) == 0.0
    average = leaves_of(folder / "checkpoint.safetensors")["average/norm"]
    np.testing.assert_allclose(params["norm"], average, atol=1e-3)


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        train(replace(QUICK, folder=tmp_path, resume=True), QUIET)


def test_rate_warms_up_holds_decays_and_cools_down() -> None:
    config = OptimiserConfig(rate=1.0, warm_up=10, hold=100, floor=0.1)
    assert config.rate_at(0, 0.0) == pytest.approx(0.1)
    assert config.rate_at(50, 0.0) == 1.0
    assert config.rate_at(400, 0.0) == pytest.approx(0.5)
    assert config.rate_at(50, 0.4) == pytest.approx(0.6)
    assert config.rate_at(50, 1.0) == pytest.approx(0.1)


def test_batches_mask_and_disturb_as_configured() -> None:
    pieces = compose_pieces(5, 4, 200)
    config = BatchConfig(
        sequences=4, frames=64, style_dropped=0.0, roll_masked=0.0, events_replaced=0.0, taps_dropped=0.0
    )
    batch = make_batch(pieces, config, np.random.default_rng(3))
    clock = batch.codes[..., tokens.CLOCK]
    np.testing.assert_array_equal(batch.codes[:, :-1], batch.inputs.previous[:, 1:])
    assert (np.asarray(batch.inputs.notes) >= 0).all()
    hidden = 1 - np.mean(batch.inputs.known)
    assert 0.02 < hidden < 0.2
    assert (np.asarray(batch.inputs.style)[~np.asarray(batch.inputs.known)] == 0).all()
    assert batch.selected.shape == (4, 23)
    on_grid = tokens.CLOCK_SUBFRAME[np.take_along_axis(clock, batch.selected, 1)] == 0
    assert on_grid.mean() > 2 * (tokens.CLOCK_SUBFRAME[clock] == 0).mean() * 0.6
    none = make_batch(pieces, replace(config, style_dropped=1.0, roll_masked=1.0), np.random.default_rng(3))
    assert not np.any(none.inputs.known)
    assert (np.asarray(none.inputs.notes) == -1).all()


def params_of(folder: Path) -> Any:
    return load_weights(folder)


def test_weights_round_trip_and_errors_name_file_and_hash(tmp_path: Path) -> None:
    params = init_params(TINY, 1)
    digest = save_weights(tmp_path, params, TINY, {"step": 3})
    loaded, config, found = params_of(tmp_path)
    assert (config, found) == (TINY, digest)
    assert jax.tree.structure(loaded) == jax.tree.structure(params)
    for a, b in zip(jax.tree.leaves(loaded), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)

    damaged = bytearray((tmp_path / WEIGHTS).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / WEIGHTS).write_bytes(damaged)
    with pytest.raises(WeightsError, match=rf"{WEIGHTS}.*damaged.*{digest}"):
        params_of(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(WeightsError, match=rf"{WEIGHTS}: no such file.*{digest}"):
        params_of(tmp_path)
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(WeightsError, match=rf"{MANIFEST}: not a manifest"):
        params_of(tmp_path)
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(WeightsError, match=rf"{MANIFEST}: no such file"):
        params_of(tmp_path)
