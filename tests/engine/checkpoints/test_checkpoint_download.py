# SPDX-License-Identifier: Apache-2.0
"""Downloads from a mirror: verified before they count, continued where they stopped, recorded."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from published_copy import write_repository

from segue_engine.checkpoints import download as module
from segue_engine.checkpoints.catalogue import ENCODER, MAPPER, SMALL
from segue_engine.checkpoints.download import Outcome, download, fetch_terms, plan
from segue_engine.checkpoints.errors import CheckpointFileError, DownloadError
from segue_engine.checkpoints.located import find, locate
from segue_engine.checkpoints.manifest import FileRecord, Manifest, read_manifest, write_manifest
from segue_engine.checkpoints.sources import Mirror, Offered, Sink

LM = "checkpoints/mrt2_small.safetensors"


class Seen:
    """Progress that is written down."""

    def __init__(self) -> None:
        self.moved: dict[str, int] = {}
        self.totals: dict[str, int] = {}

    def __call__(self, label: str, total: int, done: int) -> Callable[[int], None]:
        self.totals[label], self.moved[label] = total, done

        def advance(count: int) -> None:
            self.moved[label] += count

        return advance


class Interrupted(Mirror):
    """Stops, as Ctrl-C does, after some bytes of one file."""

    def __init__(self, folder: Path, path: str, after: int) -> None:
        super().__init__(folder)
        self.path, self.after = path, after
        self.begun: list[tuple[str, int]] = []

    def fetch(self, path: str, offered: Offered, have: int, sink: Sink) -> None:
        self.begun.append((path, have))
        if path == self.path:
            sink.write((self._folder / path).read_bytes()[have : have + self.after])
            raise KeyboardInterrupt
        super().fetch(path, offered, have, sink)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return write_repository(tmp_path / "mirror")


def run(source: Mirror, folder: Path, elsewhere: tuple[Path, ...] = (), progress: Seen | None = None) -> Outcome:
    listing = source.listing()
    return download(plan(SMALL, listing), source, listing, folder, elsewhere, progress or Seen())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_mirror_is_copied_verified_and_recorded(repository: Path, tmp_path: Path) -> None:
    seen, folder = Seen(), tmp_path / "models"
    outcome = run(Mirror(repository), folder, progress=seen)
    located = find("mrt2_small", folder)
    assert located.root == folder
    assert set(outcome.fetched) == {file.path for file in SMALL.files} - {MAPPER}
    assert outcome.kept == {}
    records = read_manifest(folder).files
    assert set(records) == set(outcome.fetched)
    for path, record in records.items():
        assert sha256(folder / path) == sha256(repository / path) == record.sha256
    assert seen.moved == seen.totals
    assert not list(folder.rglob("*.partial"))


def test_what_is_whole_is_kept_and_what_is_damaged_is_fetched_again(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    run(Mirror(repository), folder)
    damaged = folder / LM
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    (folder / ENCODER).write_bytes(b"short")
    outcome = run(Mirror(repository), folder)
    assert set(outcome.fetched) == {LM, ENCODER}
    assert sha256(damaged) == sha256(repository / LM)


def test_without_a_manifest_whole_files_are_taken_into_one(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(repository, folder)
    outcome = run(Mirror(repository), folder)
    assert outcome.fetched == ()
    assert read_manifest(folder).files[LM].sha256 == sha256(repository / LM)


def test_an_interrupted_copy_goes_on_where_it_stopped(repository: Path, tmp_path: Path) -> None:
    folder, first = tmp_path / "models", Interrupted(repository, LM, 5000)
    with pytest.raises(KeyboardInterrupt):
        run(first, folder)
    assert not (folder / LM).exists()
    (partial,) = folder.rglob("*.partial")
    assert partial.stat().st_size == 5000
    second = Interrupted(repository, "none", 0)
    seen = Seen()
    run(second, folder, progress=seen)
    assert (LM, 5000) in second.begun
    assert sha256(folder / LM) == sha256(repository / LM)
    assert seen.moved == seen.totals
    assert not list(folder.rglob("*.partial"))


def test_a_partial_file_of_another_content_is_not_continued(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(repository, LM, 5000), folder)
    write_repository(repository)
    data = bytearray((repository / LM).read_bytes())
    data[-1] ^= 1
    (repository / LM).write_bytes(data)
    second = Interrupted(repository, "none", 0)
    run(second, folder)
    assert (LM, 0) in second.begun
    assert not list(folder.rglob("*.partial"))


def test_a_partial_file_with_wrong_bytes_is_thrown_away_by_its_hash(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(repository, LM, 5000), folder)
    (partial,) = folder.rglob("*.partial")
    partial.write_bytes(bytes(5000))
    with pytest.raises(DownloadError, match=f"{LM}: expected sha256 .* thrown away"):
        run(Mirror(repository), folder)
    assert not partial.exists()
    assert not (folder / LM).exists()
    run(Mirror(repository), folder)


def test_a_mirrors_manifest_is_held_against_its_files(repository: Path, tmp_path: Path) -> None:
    size = (repository / LM).stat().st_size
    write_manifest(repository, Manifest({LM: FileRecord("0" * 64, size, "elsewhere")}))
    with pytest.raises(DownloadError, match=f"expected sha256 {'0' * 64}"):
        run(Mirror(repository), tmp_path / "models")


def test_a_mirror_of_which_a_checkpoint_is_truncated_is_refused(repository: Path, tmp_path: Path) -> None:
    whole = (repository / LM).read_bytes()
    (repository / LM).write_bytes(whole[:-10])
    with pytest.raises(DownloadError, match=r"the mirror's file is damaged: .*truncated"):
        run(Mirror(repository), tmp_path / "models")
    assert not (tmp_path / "models" / LM).exists()


def test_a_mirror_that_lacks_a_required_file_is_refused_before_anything_is_copied(
    repository: Path, tmp_path: Path
) -> None:
    (repository / LM).unlink()
    (repository / "resources" / "musiccoca" / "spm.model").unlink()
    with pytest.raises(DownloadError, match=f"does not have {LM}, resources/musiccoca/spm.model"):
        run(Mirror(repository), tmp_path / "models")
    with pytest.raises(DownloadError, match="no such folder"):
        run(Mirror(tmp_path / "absent"), tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_the_published_tools_folder_is_a_mirror_with_the_encoder_beside(repository: Path, tmp_path: Path) -> None:
    (repository / ENCODER).rename(repository / "checkpoints" / "encoder.safetensors")
    run(Mirror(repository), tmp_path / "models")
    assert (tmp_path / "models" / ENCODER).is_file()


def test_parts_that_lie_whole_elsewhere_stay_there(repository: Path, tmp_path: Path) -> None:
    folder, tool = tmp_path / "models", tmp_path / "tool"
    shutil.copytree(repository, tool)
    (tool / "resources" / "musiccoca" / "spm.model").write_bytes(b"damaged")
    outcome = run(Mirror(repository), folder, (tool,))
    assert outcome.kept == {LM: tool / LM, ENCODER: tool / ENCODER}
    assert len(outcome.fetched) == 5
    assert not (folder / LM).exists()
    assert LM not in read_manifest(folder).files


def test_a_mapper_is_not_fetched_into_another_folder_than_the_rest_of_the_style_files(tmp_path: Path) -> None:
    repository, folder, tool = (
        write_repository(tmp_path / "mirror", mapper=True),
        tmp_path / "models",
        tmp_path / "tool",
    )
    shutil.copytree(repository, tool)
    (tool / MAPPER).unlink()
    outcome = run(Mirror(repository), folder, (tool,))
    assert len(outcome.fetched) == 6
    assert locate("mrt2_small", folder).mapper == folder / MAPPER


def test_too_little_room_is_said_before_anything_is_fetched(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(DownloadError, match="to fetch, but only 1 bytes are free"):
        run(Mirror(repository), tmp_path / "models")


def test_terms_are_kept_beside_the_files(repository: Path, tmp_path: Path) -> None:
    source = Mirror(repository)
    for _ in range(2):
        found = fetch_terms(source, source.listing(), tmp_path / "models", "magenta-realtime-2", Seen())
        assert [path.name for path in found] == ["LICENSE", "README.md"]
        assert found[0].parent == tmp_path / "models" / "licences" / "magenta-realtime-2"
        assert found[0].read_text() == "The licence, in full.\n"


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"segue": 1, "files": {"a": {"sha256": "x"}}}', '{"segue": 1, "files": [1]}', '{"segue": 2}']
)
def test_a_manifest_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CheckpointFileError, match=r"manifest\.json"):
        read_manifest(tmp_path)
