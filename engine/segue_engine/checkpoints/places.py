# SPDX-License-Identifier: Apache-2.0
"""The folders in which models' files are looked for.

In this order: the folder that is given (`--models-dir`, or the environment's SEGUE_MODELS), segue's own folder, the
folder of the published tool (`$MAGENTA_HOME/magenta-rt-v2`), the hub client's cache. For the language model of a
Magenta RT 1 also: the cache of its published tool (`$MAGENTA_RT_CACHE_DIR/assets`) and the hub client's cache of its
repository. All have the repositories' layout, and a model may have its parts in different ones.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from segue_engine.checkpoints.catalogue import REPOSITORIES, Family

ENVIRONMENT: Final = "SEGUE_MODELS"
NOISE_SUFFIX: Final = "_noise"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a repository's layout, and whose it is."""

    folder: Path
    whose: str


def models_folder(models_dir: Path | None = None) -> Path:
    """The first place, where downloads and synthesised checkpoints go."""
    given = models_dir or _from_environment()
    return given if given is not None else _own()


def places(models_dir: Path | None = None, family: Family | None = None) -> tuple[Place, ...]:
    """All places of a model of that family, in the order in which they are looked at. They need not exist."""
    more = first_version_places() if family == "mrt1" else ()
    return (*_common(models_dir), *more)


def first_version_places() -> tuple[Place, ...]:
    """Where only a language model of the first version may lie."""
    cache = os.environ.get("MAGENTA_RT_CACHE_DIR") or str(Path.home() / ".cache" / "magenta_rt")
    found = [Place(Path(cache).expanduser() / "assets", "the first version's tool")]
    snapshot = _hub_snapshot(REPOSITORIES["mrt1"])
    if snapshot is not None:
        found.append(Place(snapshot, "the hub's cache of the first version"))
    return tuple(found)


def _common(models_dir: Path | None) -> tuple[Place, ...]:
    found = []
    if models_dir is not None:
        found.append(Place(models_dir, "--models-dir"))
    elif (given := _from_environment()) is not None:
        found.append(Place(given, ENVIRONMENT))
    home = os.environ.get("MAGENTA_HOME") or str(Path.home() / "Documents" / "Magenta")
    found += [Place(_own(), "segue"), Place(Path(home).expanduser() / "magenta-rt-v2", "the published tool")]
    snapshot = _hub_snapshot(REPOSITORIES["mrt2"])
    if snapshot is not None:
        found.append(Place(snapshot, "the hub's cache"))
    return tuple(found)


def _own() -> Path:
    return platformdirs.user_data_path("segue") / "models"


def _from_environment() -> Path | None:
    given = os.environ.get(ENVIRONMENT)
    return Path(given).expanduser() if given else None


def _hub_snapshot(name: str) -> Path | None:
    """The hub client's copy of a repository, by its documented layout: the revision `main`, else the newest one."""
    environment = os.environ
    home = environment.get("HF_HOME") or str(
        Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    )
    cache = Path(environment.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    repository = cache / f"models--{name.replace('/', '--')}"
    try:
        main = repository / "snapshots" / (repository / "refs" / "main").read_text(encoding="utf-8").strip()
        if main.is_dir() and main.parent.name == "snapshots":
            return main
    except (OSError, ValueError):
        pass
    revisions = [path for path in (repository / "snapshots").glob("*") if path.is_dir()]
    return max(revisions, key=lambda path: path.stat().st_mtime, default=None)
