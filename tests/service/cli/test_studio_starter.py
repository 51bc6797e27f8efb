# SPDX-License-Identifier: Apache-2.0
"""`segue test` and `segue bake` with the bundled model, on a few seconds of music."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from segue_engine.assemble import Assembly
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.engine import SlotEngine
from segue_engine.mastering import Mastering
from segue_engine.models.starter.evaluation.ear import TokenEar
from segue_engine.models.starter.evaluation.generate import ComposerPerformer, constant, free_flags, piece_seeds
from segue_engine.models.starter.model import StarterModel
from segue_engine.styles.starter_encoder import TagStyleEncoder
from segue_service.cli.app import app

pytestmark = pytest.mark.timeout(600)  # compiling takes a while on a busy machine

TEXT = """
soundtrack: t
initial: calm
styles: { calm: { prompts: { calm exploration: 1.0, harp: 0.4 } }, fight: { prompts: combat } }
states: { calm: { style: calm }, fight: { style: fight } }
transitions: [{ from: calm, to: fight, on: seen, exit_source_at: next_beat, fade: 0.2 s }]
"""


@pytest.fixture(scope="module")
def assembly() -> Iterator[Assembly]:
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    config = SlotEngineConfig(slots=2, bank_rows=2, sizes=(2,), side_cost=0, rewind_frames=0, guidance=False)
    made = Assembly(SlotEngine(StarterModel.bundled(), Mastering(), config), TagStyleEncoder.bundled())
    made.engine.warm_up()
    yield made
    jax.config.update("jax_disable_most_optimizations", before)


def run(here: Path, assembly: Assembly, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    monkeypatch.chdir(here)
    monkeypatch.setattr("segue_service.cli.studio.build_engine", lambda *_, **__: assembly)
    monkeypatch.setattr(assembly.engine, "close", lambda: None)
    (here / "t.soundtrack.yaml").write_text(TEXT, encoding="utf-8")
    return CliRunner().invoke(app, [words[0], "t.soundtrack.yaml", *words[1:]])


def test_an_edge_is_heard_by_the_composers_ear(
    tmp_path: Path, assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(tmp_path, assembly, monkeypatch, "test", "--seconds", "4", "--after", "5", "--json", "t.json")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    (edge,) = json.loads((tmp_path / "t.json").read_text())["edges"]
    figures = edge["figures"]
    assert figures["adherence_before"] > 0.5
    assert figures["off_ms"] == 0
    assert figures["click"] < 25
    assert figures["settle"] is not None
    assert (tmp_path / "t.test.html").stat().st_size > 50_000


def test_states_are_baked_into_whole_bars(tmp_path: Path, assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue_service.bake.run.LEAD", 2.0)
    done = run(tmp_path, assembly, monkeypatch, "bake", "--seconds", "4")
    assert done.exit_code == 0, done.exception
    states = json.loads((tmp_path / "baked" / "manifest.json").read_text())["states"]
    for state in states.values():
        beats = state["bars"] * state["beats_per_bar"]
        assert (state["loop_end"] - state["loop_start"]) / 48_000 == pytest.approx(beats * 60 / state["bpm"], abs=1e-6)
        assert state["loudness_lufs"] == pytest.approx(-18, abs=1)


def test_the_ear_tells_apart_what_the_composer_plays() -> None:
    encoder = TagStyleEncoder.bundled()
    styles = encoder.embed(["calm exploration", "combat", "stealth dark", "bells bright"]).embeddings
    ear = TokenEar(styles)
    trajectories = constant(encoder.to_tags(styles), 400)
    pieces = ComposerPerformer().perform(trajectories, free_flags(4, 400), piece_seeds(99, 5, 4))
    for place, piece in enumerate(pieces):
        ends, shares = ear.hear(piece)
        assert (ends[0], ends[-1]) == (75, 399)
        np.testing.assert_allclose(shares.sum(1), 1.0, atol=1e-6)
        assert shares[:, place].mean() > 0.7
    assert ear.hear(pieces[0][:74])[1].shape == (0, 4)
