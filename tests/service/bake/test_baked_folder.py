# SPDX-License-Identifier: Apache-2.0
"""The baked folder: its manifest and schema, whole or not at all, the same bytes for the same seed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import soundfile
from pydantic import ValidationError
from typer.testing import CliRunner, Result

from segue_service.bake import folder as folder_module
from segue_service.bake.encode import COMPRESSIONS, decoded, encoded, encoded_loop, with_serial
from segue_service.bake.folder import FolderError, write_folder
from segue_service.bake.manifest import Manifest, schema_text
from segue_service.bake.seam import look
from segue_service.bake.steady import steady
from segue_service.cli.app import app
from segue_service.cli.console import CommandError
from segue_service.soundtrack import content_hash, load_soundtrack

DOCS = Path(__file__).parents[3] / "docs"
TEXT = """
soundtrack: t
version: 4
initial: calm
output: { loudness: -20 LUFS }
styles: { calm: { prompts: calm }, fight: { prompts: combat, gain_db: 2 }, bell: { prompts: bells } }
parameters: { danger: { range: [0, 1], default: 0.5 } }
states:
  calm: { style: calm, blend_by: { danger: { to: fight, curve: [[0, 0], [1, 1]] } } }
  Calm: { style: fight, min_dwell: 4 s }
transitions: [{ from: calm, to: Calm, after: 1 s }]
stingers: { ding: { style: bell, length: 2 beats, exit_source_at: next_bar }, hit: { clip: c/hit.WAV, gain_db: -3 } }
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("segue_service.bake.run.LEAD", 2.0)
    (tmp_path / "t.soundtrack.yaml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "c").mkdir()
    soundfile.write(tmp_path / "c" / "hit.WAV", np.zeros((441, 1)), 44_100, format="WAV")
    return tmp_path


def bake(*options: str) -> Result:
    return CliRunner().invoke(app, ["bake", "t.soundtrack.yaml", "--model", "fake", "--seconds", "2.6", *options])


def read(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", ["ogg", "wav"])
def test_the_manifest_tells_the_truth_about_every_file(here: Path, kind: str) -> None:
    done = bake("--format", kind)
    assert done.exit_code == 0, done.output
    manifest = read(here / "baked")
    jsonschema.validate(json.loads((here / "baked" / "manifest.json").read_text()), json.loads(schema_text()))
    soundtrack = load_soundtrack(here / "t.soundtrack.yaml")
    assert (manifest.soundtrack, manifest.soundtrack_version, manifest.initial) == ("t", 4, "calm")
    assert (manifest.hash, manifest.model_version) == (content_hash(soundtrack), "fake-1")
    assert list(manifest.states) == ["calm", "Calm"]
    entries = [*manifest.states.values(), *manifest.stingers.values()]
    assert len({entry.file.casefold() for entry in entries}) == 4, "file systems that fold case"
    for entry in entries:
        data = (here / "baked" / entry.file).read_bytes()
        assert entry.sha256 == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert len(decoded(data)) == entry.samples
    for name, target in (("calm", -19.0), ("Calm", -18.0)):
        state = manifest.states[name]
        assert state.loop_end - state.loop_start == 64 * 1920
        assert state.loop_start == state.samples - state.loop_end == (4096 if kind == "ogg" else 0)
        assert state.loudness_lufs == pytest.approx(target, abs=1.0)
        assert (state.bpm, state.beats_per_bar, state.bars) == (93.75, 4, 1)
    ding, hit = manifest.stingers["ding"], manifest.stingers["hit"]
    assert (ding.kind, ding.samples, ding.exit_source_at) == ("style", 32 * 1920, "next_bar")
    assert (hit.kind, hit.file, hit.samples, hit.gain_db) == ("clip", f"stingers/hit.{kind}", 480, -3)


@pytest.mark.parametrize("kind", ["ogg", "wav"])
def test_clips_come_in_the_format_of_the_loops_and_are_left_alone_if_they_are(here: Path, kind: str) -> None:
    wave = np.sin(np.arange(9600) / 20)[:, None] * [0.5, 0.25]
    soundfile.write(here / "c" / "hit.WAV", wave, 48_000, format="FLAC")
    assert bake("--format", kind).exit_code == 0
    file = here / "baked" / "stingers" / f"hit.{kind}"
    heard, rate = soundfile.read(file)
    assert (heard.shape, rate) == (wave.shape, 48_000)
    assert np.abs(heard - wave)[480:-480].max() < (0.02 if kind == "ogg" else 1e-4)
    soundfile.write(here / "c" / "hit.WAV", wave, 48_000, format=kind.upper())
    assert bake("--format", kind).exit_code == 0
    assert file.read_bytes() == (here / "c" / "hit.WAV").read_bytes()


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(here: Path) -> None:
    for name, seed in (("a", "5"), ("b", "5"), ("c2", "6")):
        assert bake("--out", name, "--seed", seed).exit_code == 0
    files = {n: {p.name: p.read_bytes() for p in (here / n).rglob("*.*")} for n in ("a", "b", "c2")}
    assert files["a"] == files["b"]
    assert files["a"]["calm.ogg"] != files["c2"]["calm.ogg"]


def test_a_baked_folder_is_replaced_whole_and_any_other_is_left_alone(here: Path) -> None:
    assert bake().exit_code == 0
    (here / "baked" / "stale.ogg").write_bytes(b"old")
    assert bake("--format", "wav").exit_code == 0
    assert not (here / "baked" / "stale.ogg").exists()
    assert not list((here / "baked").rglob("*.ogg"))
    assert [p.name for p in here.iterdir() if p.name.startswith(".")] == []
    (here / "mine").mkdir()
    (here / "mine" / "novel.txt").write_text("dear")
    done = bake("--out", "mine")
    assert isinstance(done.exception, CommandError)
    assert (done.exception.code, "choose another folder" in str(done.exception)) == (2, True)
    assert [p.name for p in (here / "mine").iterdir()] == ["novel.txt"]


def test_what_goes_wrong_while_writing_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "baked"
    write_folder(target, {"manifest.json": b"1", "a.ogg": b"1"})

    def fail_on(name: str) -> None:
        real = folder_module.os.replace

        def replace(source: Path, to: Path) -> None:
            if Path(source).name == name:
                raise KeyboardInterrupt
            real(source, to)

        monkeypatch.setattr(folder_module.os, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            write_folder(target, {"manifest.json": b"2"})
        monkeypatch.undo()

    fail_on("new")
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {"manifest.json": b"1", "a.ogg": b"1"}
    assert [path.name for path in tmp_path.iterdir()] == ["baked"]
    with pytest.raises(FolderError):
        write_folder(target / "a.ogg", {"manifest.json": b"2"})


def test_a_state_without_a_good_loop_bakes_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue_service.bake.seam.TOLERANCE", -1.0)
    done = bake()
    assert isinstance(done.exception, CommandError)
    assert done.exception.code == 1
    assert "no seamless loop" in str(done.exception)
    assert "state " in str(done.exception)
    assert not (here / "baked").exists()


def test_a_clip_that_is_not_there_is_named_before_anything_is_played(here: Path) -> None:
    (here / "c" / "hit.WAV").unlink()
    done = bake()
    assert isinstance(done.exception, CommandError)
    assert "stingers.hit.clip" in str(done.exception)
    (here / "c" / "hit.WAV").write_bytes(b"RIFF")
    assert "stinger hit: c/hit.WAV: not an audio file" in str(bake().exception)


def test_the_published_schema_is_the_models() -> None:
    assert (DOCS / "baked.schema.json").read_text(encoding="utf-8") == schema_text()


def test_a_manifest_that_contradicts_itself_is_refused(here: Path) -> None:
    assert bake().exit_code == 0
    good = json.loads((here / "baked" / "manifest.json").read_text())
    for change in ({"initial": "nowhere"}, {"format": 2}, {"extra": 1}):
        with pytest.raises(ValidationError):
            Manifest.model_validate(good | change)
    good["states"]["calm"]["loop_end"] = 10**9
    with pytest.raises(ValidationError, match="loop_end"):
        Manifest.model_validate(good)


def test_a_steady_soundtrack_never_moves_and_keeps_its_blends(here: Path) -> None:
    soundtrack = load_soundtrack(here / "t.soundtrack.yaml")
    plain = steady(soundtrack)
    assert plain.stingers == {"ding": "ding_stinger"}
    assert (plain.soundtrack.transitions, plain.soundtrack.events, plain.soundtrack.stingers) == ((), {}, {})
    assert plain.soundtrack.states["calm"] == soundtrack.states["calm"]
    assert plain.soundtrack.states["ding_stinger"].style == "bell"


@pytest.mark.parametrize("pitch", [200.0, 375.0, 1500.0])
def test_a_lossy_loop_of_one_smooth_tone_does_not_click(pitch: float) -> None:
    wave = 0.14 * np.sin(2 * np.pi * pitch * np.arange(122_880) / 48_000)
    tone = wave[:, None].repeat(2, 1).astype(np.float32)

    def click(body: np.ndarray, compression: float) -> float:
        data, start = encoded_loop(body, "ogg", compression)
        return look(decoded(data)[start : start + len(body)]).click

    assert click(tone, COMPRESSIONS[0]) < 3, "of a length at which the codec's windows fall alike"
    assert click(tone[:96_000], COMPRESSIONS[-1]) < 25, "of any length"
    assert look(decoded(encoded(tone, "ogg"))).click > 10, "or nothing is needed around it any more"


def test_an_ogg_file_keeps_its_sound_under_a_fixed_number() -> None:
    tone = (0.3 * np.sin(np.arange(96_000) / 20))[:, None].repeat(2, 1).astype(np.float32)
    data = encoded(tone, "ogg")
    assert data == encoded(tone, "ogg")
    np.testing.assert_array_equal(decoded(with_serial(data, 7)), decoded(data))
    with pytest.raises(ValueError, match="page"):
        with_serial(b"RIFF" + data, 7)
