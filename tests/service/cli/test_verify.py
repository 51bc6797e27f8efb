# SPDX-License-Identifier: Apache-2.0
"""`segue verify`: its table, its exit codes, its sentences. What it checks is tested in `tests/engine/verify`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
import typer

from segue_service.cli.console import guarded
from segue_service.cli.verify import verify

COMMITTED = Path(__file__).parents[2] / "vectors" / "mrt2"
SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command may set up jax for its process; here it shares one with other tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = {name: jax.config.values[name] for name in SETTINGS}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """A part of the committed set that is checked in a moment."""
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("meta.json", "tolerances.json", "tiny_weights.safetensors", "v2_rvq.npz", "iii_sampler.npz"):
        shutil.copy(COMMITTED / name, folder)
    shutil.copy(COMMITTED / "iii_sampler_cases.json", folder)
    return folder


def segue(*arguments: object) -> int:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(verify)
    return guarded(lambda: app(args=[str(a) for a in arguments], standalone_mode=True))


def change(folder: Path) -> None:
    """One code of the quantiser's golden array becomes another."""
    with np.load(folder / "v2_rvq.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["codes"][1, 4, 2] ^= 1
    np.savez(folder / "v2_rvq.npz", **arrays)


def test_vectors_that_agree_end_with_0(vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue("--vectors", vectors, "--json", tmp_path / "out" / "report.json") == 0
    said = capsys.readouterr().out
    assert "2 files, 109 comparisons, all passed" in said
    (line,) = [line for line in said.splitlines() if "v2_rvq.npz" in line]
    assert line.split() == ["v2_rvq.npz", "codes", "exact", "0", "unequal", "pass"]
    assert "*_masked (36)" in said
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["passed"], report["arrays_checked"], report["failures"]) == (True, 109, 0)
    assert report["files"][1]["arrays"] == [
        {"array": "codes", "way": "", "rule": "exact", "passed": True, "unequal": 0}
    ]
    assert report["hardware"]["jax"] == jax.__version__


def test_a_difference_ends_with_1_and_has_its_own_line(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(vectors)
    assert segue("--vectors", vectors) == 1
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if line.endswith(("FAIL", "FAIL "))]
    assert line.split()[:5] == ["v2_rvq.npz", "codes", "exact", "1", "unequal"]
    assert "1 failure" in said


def test_only_what_is_asked_for_is_checked(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(vectors)
    assert segue("--vectors", vectors, "--only", "iii_*") == 0
    assert "skipped (not asked for): v2_rvq.npz" in capsys.readouterr().out


def test_an_unknown_file_is_said_loudly(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(vectors / "x_new.npz", a=np.zeros(1))
    assert segue("--vectors", vectors, "--only", "x_*", "--only", "v2_*") == 0
    assert "x_new.npz: NOT CHECKED: no check knows this file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "v2_rvq.npz").write_bytes(b"no archive"), "v2_rvq.npz: not a readable .npz archive"),
        (lambda folder: (folder / "meta.json").unlink(), "meta.json: missing"),
        (lambda folder: (folder / "tiny_weights.safetensors").unlink(), "tiny_weights.safetensors: expected this file"),
        (lambda folder: [path.unlink() for path in folder.glob("*.npz")], "nothing to check: it holds no vectors"),
        (lambda folder: shutil.rmtree(folder), "no such folder"),
    ],
)
def test_a_set_that_cannot_be_checked_ends_with_2_and_a_sentence(
    vectors: Path, capsys: pytest.CaptureFixture[str], spoil: object, said: str
) -> None:
    assert callable(spoil)
    spoil(vectors)
    assert segue("--vectors", vectors) == 2
    spoken = capsys.readouterr()
    assert spoken.out == ""
    assert said in spoken.err
    assert spoken.err.startswith(f"segue: {vectors}: ")


def test_bad_options_end_with_2(vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue("--vectors", vectors, "--device", "abacus") == 2
    assert "--device: expected one of auto, cpu, gpu, tpu, got 'abacus'" in capsys.readouterr().err
    assert segue("--vectors", vectors, "--json", tmp_path) == 2
    assert "--json: expected a file" in capsys.readouterr().err
