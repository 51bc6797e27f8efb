# SPDX-License-Identifier: Apache-2.0
"""Downloads through the hub's own client from a hub on loopback that breaks off, lies and refuses."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import REVISION, FakeHub, serving
from published_copy import write_repository

from segue_engine.checkpoints import hub as module
from segue_engine.checkpoints.catalogue import SMALL
from segue_engine.checkpoints.download import Outcome, download, fetch_terms, plan
from segue_engine.checkpoints.errors import DownloadError
from segue_engine.checkpoints.hub import Hub, offline
from segue_engine.checkpoints.located import find
from segue_engine.checkpoints.manifest import read_manifest

LM = "checkpoints/mrt2_small.safetensors"
SPM = "resources/musiccoca/spm.model"


def quiet(label: str, total: int, done: int) -> object:
    return lambda count: None


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    client = pytest.importorskip("huggingface_hub.file_download")
    monkeypatch.setattr(client.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(client.constants, "DOWNLOAD_CHUNK_SIZE", 10_000)  # what is less than a chunk is not kept
    with serving(write_repository(tmp_path / "hub"), SMALL.repository) as server:
        yield server


def run(server: FakeHub, folder: Path) -> Outcome:
    source = Hub(SMALL.repository, endpoint=server.url)
    listing = source.listing()
    return download(plan(SMALL, listing), source, listing, folder, (), quiet)  # type: ignore[arg-type]


def same(server: FakeHub, folder: Path, path: str) -> bool:
    return (server.folder / path).read_bytes() == (folder / path).read_bytes()


def test_everything_is_fetched_at_one_revision_and_verified(hub: FakeHub, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    outcome = run(hub, folder)
    assert len(outcome.fetched) == 7
    assert find("mrt2_small", folder).root == folder
    records = read_manifest(folder).files
    assert {record.revision for record in records.values()} == {REVISION}
    for path in outcome.fetched:
        assert same(hub, folder, path)
        assert records[path].sha256 == hashlib.sha256((folder / path).read_bytes()).hexdigest()
    hub.asked.clear()
    assert run(hub, folder).fetched == ()
    assert hub.asked == []


def test_a_broken_connection_is_taken_up_again_in_the_same_run(hub: FakeHub, tmp_path: Path) -> None:
    hub.cut[LM] = 40_000
    run(hub, tmp_path / "models")
    assert [wanted for path, wanted in hub.asked if path == LM] == ["", "bytes=40000-"]
    assert same(hub, tmp_path / "models", LM)


def test_a_later_run_goes_on_where_an_earlier_one_stopped(hub: FakeHub, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    hub.cut[LM], hub.down_after_cut = 40_000, True
    with pytest.raises(DownloadError, match=f"{LM}: could not be fetched.*500") as failure:
        run(hub, folder)
    assert "the same command goes on where this one stopped" in str(failure.value)
    assert not (folder / LM).exists()
    (partial,) = folder.rglob("*.partial")
    assert partial.stat().st_size == 40_000
    hub.down.clear()
    hub.asked.clear()
    run(hub, folder)
    assert [wanted for path, wanted in hub.asked if path == LM] == ["bytes=40000-"]
    assert same(hub, folder, LM)


@pytest.mark.parametrize(("path", "kind"), [(LM, "sha256"), (SPM, "git blob")])
def test_bytes_that_are_not_the_listed_ones_are_thrown_away(hub: FakeHub, tmp_path: Path, path: str, kind: str) -> None:
    hub.lie[path] = bytes(len((hub.folder / path).read_bytes()))
    with pytest.raises(DownloadError, match=f"{path}: expected {kind} "):
        run(hub, tmp_path / "models")
    assert not (tmp_path / "models" / path).exists()
    assert not list((tmp_path / "models").rglob("*.partial"))
    hub.lie.clear()
    run(hub, tmp_path / "models")
    assert same(hub, tmp_path / "models", path)


def test_terms_come_from_the_repository(hub: FakeHub, tmp_path: Path) -> None:
    source = Hub(SMALL.repository, endpoint=hub.url)
    found = fetch_terms(source, source.listing(), tmp_path, "magenta-realtime-2", quiet)  # type: ignore[arg-type]
    assert [path.name for path in found] == ["LICENSE", "README.md"]


def test_a_repository_that_lacks_a_file_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    (hub.folder / SPM).unlink()
    with pytest.raises(DownloadError, match=f"{SMALL.repository} does not have {SPM}"):
        run(hub, tmp_path / "models")


def test_a_gated_repository_says_what_to_do(hub: FakeHub, tmp_path: Path) -> None:
    hub.gated = True
    with pytest.raises(DownloadError, match=r"wants its terms accepted first.*hf auth login"):
        run(hub, tmp_path / "models")


def test_an_unknown_repository_is_said(hub: FakeHub) -> None:
    with pytest.raises(DownloadError, match="someone/else"):
        Hub("someone/else", endpoint=hub.url).listing()


def test_no_network_says_which_file_and_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    with serving(tmp_path, "a/b") as server:
        url = server.url
    with pytest.raises(DownloadError) as failure:
        Hub(SMALL.repository, endpoint=url).listing()
    assert f"the list of files of {SMALL.repository}: could not be fetched" in str(failure.value)
    assert "--mirror" in str(failure.value)


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DownloadError, match=re.escape("pip install 'segue[download]'")):
        Hub(SMALL.repository).listing()


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_the_clients_offline_switch_is_heard(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert offline() is expected
    assert module.OFFLINE_HELP
