# SPDX-License-Identifier: Apache-2.0
"""`segue check` and `segue build` as a user runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from segue_service.cli.build import build
from segue_service.cli.check import check
from segue_service.soundtrack import Soundtrack, load_soundtrack


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(check)
    app.command()(build)
    return app


@pytest.fixture
def file(tmp_path: Path, small_text: str) -> Path:
    path = tmp_path / "small.soundtrack.yaml"
    path.write_text(small_text, encoding="utf-8")
    return path


def test_check(app: typer.Typer, file: Path) -> None:
    done = CliRunner().invoke(app, ["check", str(file)])
    assert done.exit_code == 0, done.output
    assert "calm (initial)" in done.output
    assert "4 states, 7 transitions, 1 warning" in done.output
    assert 'stingers.hit.clip: warning: there is no file "clips/hit.flac"' in done.output
    assert CliRunner().invoke(app, ["check", str(file), "--strict"]).exit_code == 1


def test_check_draws(app: typer.Typer, file: Path, tmp_path: Path) -> None:
    svg = tmp_path / "graph.svg"
    done = CliRunner().invoke(app, ["check", str(file), "--mermaid", "--svg", str(svg)])
    assert done.exit_code == 0
    assert done.output.startswith("stateDiagram-v2")
    assert svg.read_text(encoding="utf-8").startswith("<svg")
    assert CliRunner().invoke(app, ["check", str(file), "--svg", str(tmp_path / "no" / "x.svg")]).exit_code == 2


def test_broken_file(app: typer.Typer, file: Path, tmp_path: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace("via: bridge", "via: brigde"), encoding="utf-8")
    for command in ("check", "build"):
        done = CliRunner().invoke(app, [command, str(file)])
        assert done.exit_code == 2
        assert f'{file}:21:94  transitions[1].via: no style "brigde". Did you mean "bridge"?' in done.output
        assert CliRunner().invoke(app, [command, str(tmp_path / "none.yaml")]).exit_code == 2
    assert not (tmp_path / "small.soundtrack.json").exists()


def test_build(app: typer.Typer, file: Path, tmp_path: Path, small: Soundtrack) -> None:
    done = CliRunner().invoke(app, ["build", str(file)])
    assert done.exit_code == 0, done.output
    built = tmp_path / "small.soundtrack.json"
    assert load_soundtrack(built) == small
    assert "sha256:" in done.output
    assert CliRunner().invoke(app, ["build", str(built), "-o", str(built)]).exit_code == 2
    assert CliRunner().invoke(app, ["check", str(built)]).exit_code == 0
