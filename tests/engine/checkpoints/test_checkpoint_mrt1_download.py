# SPDX-License-Identifier: Apache-2.0
"""Downloads of a Magenta RT 1: two repositories, one mirror for both, and a codec that may be here already."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_hub import serving
from published_copy import write_codec, write_first_version, write_repository

from segue_engine.checkpoints.catalogue import DECODER, ENCODER, MAPPER, MRT1_LARGE, QUANTISER
from segue_engine.checkpoints.download import Outcome, download, plan
from segue_engine.checkpoints.errors import DownloadError
from segue_engine.checkpoints.hub import Hub
from segue_engine.checkpoints.located import find
from segue_engine.checkpoints.manifest import read_manifest
from segue_engine.checkpoints.sources import Mirror

LM = MRT1_LARGE.checkpoint
OWN, OTHER = MRT1_LARGE.repositories


def quiet(label: str, total: int, done: int) -> Callable[[int], None]:
    return lambda count: None


def mirror(tmp_path: Path) -> Path:
    return write_first_version(write_codec(write_repository(tmp_path / "mirror")))


def copied(source: Mirror, folder: Path, elsewhere: tuple[Path, ...] = ()) -> Outcome:
    listing = source.listing()
    return download(plan(MRT1_LARGE, listing), source, listing, folder, elsewhere, quiet)


def test_one_mirror_serves_both_repositories(tmp_path: Path) -> None:
    outcome = copied(Mirror(mirror(tmp_path)), tmp_path / "models")
    assert set(outcome.fetched) == {file.path for file in MRT1_LARGE.files} - {MAPPER}
    assert find("mrt1_large", tmp_path / "models").codec[0] == tmp_path / "models" / DECODER
    again = copied(Mirror(tmp_path / "mirror"), tmp_path / "models")
    assert (again.fetched, len(again.kept)) == ((), len(outcome.fetched))


def test_each_repository_is_asked_for_its_own_files_only(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    folder = tmp_path / "models"
    own, other = write_first_version(tmp_path / "own"), write_codec(write_repository(tmp_path / "other"))
    with serving(own, OWN) as first, serving(other, OTHER) as second:
        for server, repository in ((first, OWN), (second, OTHER)):
            source = Hub(repository, endpoint=server.url)
            listing = source.listing()
            download(plan(MRT1_LARGE, listing, (repository,)), source, listing, folder, (), quiet)
    assert [path for path, _ in first.asked] == [LM]
    assert LM not in [path for path, _ in second.asked]
    assert len(second.asked) == 8
    sources = {path: record.source for path, record in read_manifest(folder).files.items()}
    assert sources[LM] == OWN
    assert {source for path, source in sources.items() if path != LM} == {OTHER}
    assert find("mrt1_large", folder).root == folder


def test_a_mirror_without_the_codec_will_do_if_it_is_here_otherwise(tmp_path: Path) -> None:
    source = mirror(tmp_path)
    (source / DECODER).unlink()
    (source / QUANTISER).unlink()
    listing = Mirror(source).listing()
    with pytest.raises(DownloadError) as failure:
        plan(MRT1_LARGE, listing)
    assert f"does not have {DECODER}, {QUANTISER}\n" in str(failure.value)
    assert "or one of checkpoints/mrt2_small.safetensors" in str(failure.value)
    planned = plan(MRT1_LARGE, listing, here=("codec",))
    assert [file.path for file in planned.lacking] == [MAPPER]
    (source / LM).unlink()
    with pytest.raises(DownloadError, match=f"does not have {LM}$"):
        plan(MRT1_LARGE, Mirror(source).listing(), here=("codec",))


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    source = mirror(tmp_path)
    (source / LM).write_bytes((source / LM).read_bytes()[:1500])
    with pytest.raises(DownloadError, match=r"the mirror's file is damaged: .*\.tar"):
        copied(Mirror(source), tmp_path / "models")
    assert not (tmp_path / "models" / LM).exists()


def test_files_of_the_codec_stay_elsewhere_together_or_not_at_all(tmp_path: Path) -> None:
    source, tool = mirror(tmp_path), tmp_path / "tool"
    shutil.copytree(source, tool)
    (tool / QUANTISER).unlink()
    outcome = copied(Mirror(source), tmp_path / "models", (tool,))
    assert {DECODER, QUANTISER} <= set(outcome.fetched)
    assert outcome.kept[LM] == tool / LM
    assert outcome.kept[ENCODER] == tool / ENCODER
