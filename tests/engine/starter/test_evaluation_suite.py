# SPDX-License-Identifier: Apache-2.0
"""The evaluation from end to end with a few seconds of music, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from numpy.typing import NDArray

from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.evaluation import suite
from segue_engine.models.starter.evaluation.generate import Advance, ComposerPerformer
from segue_engine.models.starter.evaluation.pictures import write_pictures
from segue_engine.models.starter.evaluation.report import as_json, card_section, shortfalls
from segue_engine.models.starter.evaluation.sizes import Sizes
from segue_engine.models.starter.evaluation.suite import Evaluation, evaluate
from segue_engine.models.starter.evaluation.table import lines
from segue_engine.styles.tags import FAMILIES
from segue_service.cli import evaluate as command
from segue_service.cli.console import guarded

FAMILY_NAMES = ("combat", "sad", "chiptune")
TINY = Sizes(
    families=tuple(FAMILIES.index(name) for name in FAMILY_NAMES), render=250, references=2, window=125,
    train_pieces=2, train_frames=250, audio_train_pieces=1, audio_train_frames=100, style_window=50, excerpt=100,
    jumps=3, before=80, after=100, ramps=2, ramp=50, blend_pairs=1, blend_shares=(0.0, 0.5, 1.0), blend_takes=1,
    blend_frames=100, flag_frames=100,
)  # fmt: skip


class Clumsy:
    """A composer that plays every bass note a semitone too high: a model with one known fault."""

    name = "model"

    def perform(
        self,
        styles: NDArray[np.float32],
        drums_flag: NDArray[np.int8],
        seeds: NDArray[np.int64],
        advance: Advance | None = None,
    ) -> NDArray[np.int16]:
        out = ComposerPerformer().perform(styles, drums_flag, seeds, advance)
        out[:, :, tk.BASS] += np.where(out[:, :, tk.BASS] >= tk.FIRST_ONSET, 2, 0).astype(np.int16)
        return out


class Watch:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.promised: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self._now = ""

    def stage(self, name: str, frames: int) -> None:
        self._now = name
        self.promised[name], self.done[name] = frames, 0

    def advance(self, frames: int) -> None:
        self.done[self._now] += frames


@pytest.fixture(scope="module")
def watch() -> Watch:
    return Watch()


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(scope="module")
def evaluation(watch: Watch, judges: Path) -> Evaluation:
    return evaluate(Clumsy(), sizes=TINY, seed=4, cache=judges, watcher=watch)


def test_every_figure_of_the_issue_is_reported(evaluation: Evaluation) -> None:
    report = json.loads(json.dumps(as_json(evaluation, {"model": "clumsy-1"}), allow_nan=False))
    assert report["families"] == list(FAMILY_NAMES)
    assert list(report["performers"]) == ["composer", "model"]
    for told in report["performers"].values():
        music, sound = told["music"], told["sound"]["combat"]
        for name in ("in_key", "on_grid", "strong_chord", "motif_exact", "drum_jaccard", "stuck", "silent_bars"):
            assert name in music
        for kind in ("tokens", "audio"):
            assert np.sum(told["style"][kind]["confusion"]) > 0
            assert told["style"][kind]["share"] > 1 / 3
        assert {"changed_median_s", "changed_p90_s", "flipped_median_s", "flipped_p90_s"} <= set(told["reaction"])
        assert told["crossfade"]["later"]["all"] is not None
        assert told["drum_flag"]["hits_per_second_off"] == 0.0
        assert -30.0 < sound["lufs"] < -10.0
        assert sound["peak_dbtp"] <= -0.9
        assert len(sound["balance_db"]) == len(report["octave_bands_hz"])
        assert sound["edge_ratio"] is None or sound["edge_ratio"] < 3.0


def test_a_known_fault_is_named_with_renders_and_worst_style(evaluation: Evaluation) -> None:
    found = {sentence.split(":")[0]: sentence for sentence in shortfalls(evaluation)}
    assert "bass notes in the chord" in found
    assert "notes in key" in found
    assert "of 3 renders below" in found["bass notes in the chord"]
    assert "onsets on the grid" not in found
    card = card_section(evaluation, {"quick": False})
    assert found["bass notes in the chord"] in card
    rows = [row for row in card.splitlines() if row.startswith("| ") and "**" not in row]
    assert any(row.startswith("| notes in key |") for row in rows)


def test_all_lines_have_a_cell_for_every_performer(evaluation: Evaluation) -> None:
    told = lines(evaluation)
    assert {len(line.cells) for line in told} == {2}
    assert len({(line.section, line.label) for line in told}) == len(told) > 40


def test_progress_keeps_its_promises(evaluation: Evaluation, watch: Watch) -> None:
    assert evaluation.performances
    assert watch.promised.keys() >= {"composer: renders", "model: renders", "model: jumps"}
    assert watch.done == watch.promised


def test_the_same_seed_gives_the_same_report(evaluation: Evaluation, judges: Path) -> None:
    again = evaluate(None, variants=[Clumsy()], sizes=TINY, seed=4, cache=judges)
    first, second = (as_json(e, {})["performers"] for e in (evaluation, again))
    assert second["composer"] == first["composer"]
    assert second["model"] == {key: first["model"][key] for key in ("reaction", "crossfade")}
    assert shortfalls(again) == []
    assert "Only the composer" in card_section(again, {})


def test_pictures_are_written(evaluation: Evaluation, tmp_path: Path) -> None:
    paths = write_pictures(evaluation, tmp_path / "pictures")
    assert [p.stem for p in paths] == ["confusion", "reaction", "crossfade", "loudness", "spectral_balance"]
    assert all(p.read_bytes()[:4] == b"\x89PNG" for p in paths)


def run(*arguments: str) -> int:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command.evaluate)
    return guarded(lambda: app(list(arguments), standalone_mode=True))


def test_the_command_prints_and_writes_everything(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def fake(*arguments: object) -> Evaluation:
        asked.extend(arguments)
        return evaluation

    monkeypatch.setattr(suite, "evaluate", fake)
    paths = {"--json": tmp_path / "a" / "figures.json", "--card": tmp_path / "b" / "card.md", "--out": tmp_path / "c"}
    code = run("--composer-only", "--quick", "--seed", "4", *(str(x) for pair in paths.items() for x in pair))
    assert code == 0
    assert asked[0] is None
    assert asked[2:4] == [Sizes.quick(), 4]
    printed = capsys.readouterr().out
    assert "chord tones on strong beats" in printed
    assert "worse than the composer's 10th percentile" in printed
    report = json.loads(paths["--json"].read_text(encoding="utf-8"))
    assert report["quick"] is True
    assert report["below_composer"] == shortfalls(evaluation)
    assert paths["--card"].read_text(encoding="utf-8").startswith("## Evaluation")
    assert len(list(paths["--out"].glob("*.png"))) == 5


def test_the_command_ends_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object) -> Evaluation:
        raise KeyboardInterrupt

    monkeypatch.setattr(suite, "evaluate", interrupted)
    assert run("--composer-only") == 130
    assert run("nobody") == 2
    assert run("--composer-only", "--json", str(tmp_path)) == 2
    assert run("--weights", str(tmp_path)) == 1
    complaints = capsys.readouterr().err
    for part in ('no model "nobody"', "--json: expected a file", str(tmp_path / "manifest.json")):
        assert part in complaints.replace("\n", "")
