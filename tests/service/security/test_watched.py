# SPDX-License-Identifier: Apache-2.0
"""Files that change under a running server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from segue_service.observe.metrics import Metrics
from segue_service.security.watched import MOST_BYTES, FileError, WatchedFile


def even(text: str) -> int:
    if int(text) % 2:
        raise ValueError("line 1: expected an even number")
    return int(text)


def counted(metrics: Metrics, result: str) -> float:
    return metrics.registry.get_sample_value("segue_reloads_total", {"file": "f", "result": result}) or 0.0


async def test_a_good_file_is_taken_up_and_a_broken_one_is_not(tmp_path: Path) -> None:
    file, metrics = tmp_path / "f", Metrics()
    file.write_text("2")
    watched = WatchedFile(file, even, metrics)
    assert not await watched.look()
    for written, value in (("44", 44), ("333", 44), ("x" * 9, 44), ("\xff" * 5, 44), ("6666", 6666)):
        file.write_bytes(written.encode("latin-1"))
        assert await watched.look() == (value == int(written) if written.isdigit() else False)
        assert watched.value == value
    assert (counted(metrics, "used"), counted(metrics, "refused"), watched.revision) == (2, 3, 2)
    file.unlink()
    assert not await watched.look()
    assert not await watched.look()
    assert (watched.value, counted(metrics, "refused")) == (6666, 4), "told once"
    file.write_text("8")
    assert await watched.look()


async def test_a_link_that_is_turned_over_is_seen(tmp_path: Path) -> None:
    """As Kubernetes does with a ConfigMap: the new file may be older, and as long."""
    for name, text in (("a", "2"), ("b", "4")):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1, 1))
    link = tmp_path / "f"
    link.symlink_to("a")
    watched = WatchedFile(link, even, Metrics())
    (tmp_path / "new").symlink_to("b")
    (tmp_path / "new").replace(link)
    assert await watched.look()
    assert watched.value == 4


@pytest.mark.parametrize(
    ("text", "said"), [("1", "even"), ("2" * (MOST_BYTES + 1), "at most 1024 KiB"), (None, "No such")]
)
def test_a_server_does_not_begin_with_a_broken_one(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "f"
    if text is not None:
        file.write_text(text)
    with pytest.raises(FileError, match=said) as caught:
        WatchedFile(file, even, Metrics())
    assert str(file) in str(caught.value)


async def test_the_server_says_which_file_and_line(start: Any, tmp_path: Path) -> None:
    from segue_service.server import ServeError

    (tmp_path / "tenants.yaml").write_text("tenants:\n  - { id: a, quotas: { sessions: many } }\n")
    with pytest.raises(ServeError, match=r"tenants\.yaml: line 2: tenants\.0\.quotas\.sessions"):
        async with start(tenants_file=tmp_path / "tenants.yaml"):
            pass


@pytest.mark.parametrize(
    ("name", "text"), [("tenants_file", "tenants: 3"), ("prompt_list", "***"), ("jwks_file", "{}")]
)
def test_the_command_says_so_before_it_builds_an_engine(tmp_path: Path, name: str, text: str) -> None:
    from segue_service.cli.console import CommandError
    from segue_service.cli.serve import check_start
    from segue_service.config import Settings

    (tmp_path / "f").write_text(text)
    settings = Settings.model_validate({name: tmp_path / "f", "jwt_issuer": "a", "jwt_audience": "b"})
    with pytest.raises(CommandError, match=r"expected|line 1"):
        check_start(settings)
