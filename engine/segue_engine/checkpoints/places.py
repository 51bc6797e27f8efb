# SPDX-License-Identifier: Apache-2.0
"""Where models' files are looked for, and where a model's are.

In this order: the folder that is given (`--models-dir`, or the environment's SEGUE_MODELS), segue's own folder, the
folder of the published tool (`$MAGENTA_HOME/magenta-rt-v2`), the hub client's cache. All four have the repository's
layout, and a model may have its parts in different ones.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from segue_engine.checkpoints.catalogue import (
    CHECKPOINTS,
    ENCODER,
    ENCODER_BESIDE,
    MAPPER,
    MUSICCOCA,
    MUSICCOCA_FILES,
    PUBLISHED,
    STARTER,
    ModelEntry,
    canonical,
)
from segue_engine.checkpoints.description import SUFFIX, Description, read_description
from segue_engine.checkpoints.errors import CheckpointFileError

ENVIRONMENT: Final = "SEGUE_MODELS"
NOISE_SUFFIX: Final = "_noise"
REPOSITORY: Final = "google/magenta-realtime-2"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with the repository's layout, and whose it is."""

    folder: Path
    whose: str


@dataclass(frozen=True, slots=True)
class Located:
    """Where a model's files are. `musiccoca` is a folder, the rest are files; None: not here.

    missing: required files that were not found, absent: the others; as paths in the repository's layout. root: the
    place that holds the checkpoint, or would. repair: the command that brings what is missing or damaged.
    """

    name: str
    entry: ModelEntry | None
    description: Description | None
    root: Path
    checkpoint: Path | None
    encoder: Path | None
    musiccoca: Path | None
    mapper: Path | None
    missing: tuple[str, ...]
    absent: tuple[str, ...]
    repair: str

    @property
    def synthetic(self) -> bool:
        return self.description is not None and self.description.synthetic


def models_folder(models_dir: Path | None = None) -> Path:
    """The first place, where downloads and synthesised checkpoints go."""
    given = models_dir or _from_environment()
    return given if given is not None else _own()


def places(models_dir: Path | None = None) -> tuple[Place, ...]:
    """All places, in the order in which they are looked at. They need not exist."""
    found = []
    if models_dir is not None:
        found.append(Place(models_dir, "--models-dir"))
    elif (given := _from_environment()) is not None:
        found.append(Place(given, ENVIRONMENT))
    home = os.environ.get("MAGENTA_HOME") or str(Path.home() / "Documents" / "Magenta")
    found += [Place(_own(), "segue"), Place(Path(home).expanduser() / "magenta-rt-v2", "the published tool")]
    snapshot = _hub_snapshot()
    if snapshot is not None:
        found.append(Place(snapshot, "the hub's cache"))
    return tuple(found)


def names(models_dir: Path | None = None) -> tuple[str, ...]:
    """Every model that can be named: the starter, the published ones, and those that are described on this disk."""
    described = (_described_name(path) for _, path in _descriptions(places(models_dir)))
    return tuple(dict.fromkeys((STARTER, *PUBLISHED, *described)))


def locate(name: str, models_dir: Path | None = None) -> Located:
    """Where a model's files are; what is not there is in `missing`. Raises CheckpointFileError for an unknown name."""
    searched = places(models_dir)
    wanted = canonical(name)
    if wanted in PUBLISHED:
        return _published(PUBLISHED[wanted], searched, models_dir)
    for folder, path in _descriptions(searched):
        if _described_name(path) == wanted:
            return _described(wanted, folder, read_description(path), searched)
    known = [known for known in names(models_dir) if known != STARTER]
    raise CheckpointFileError(f'no model "{name}" with a checkpoint; there are: {", ".join(known)}')


def description_path(name: str, models_dir: Path | None = None) -> Path:
    """The description of a model that is described on this disk. Raises CheckpointFileError if there is none."""
    for _, path in _descriptions(places(models_dir)):
        if _described_name(path) == name:
            return path
    raise CheckpointFileError(f'no description of "{name}" here')


def find(name: str, models_dir: Path | None = None) -> Located:
    """Where a model's files are. Raises CheckpointFileError naming what is missing and the command that brings it."""
    located = locate(name, models_dir)
    if located.missing:
        looked = "\n  ".join(f"{place.folder} ({place.whose})" for place in places(models_dir))
        raise CheckpointFileError(
            f"{located.name}: missing: {', '.join(located.missing)}\nlooked in\n  {looked}\n{located.repair}"
        )
    return located


def _published(entry: ModelEntry, searched: Sequence[Place], models_dir: Path | None) -> Located:
    option = f" --models-dir {shlex.quote(str(models_dir))}" if models_dir is not None else ""
    return _assembled(
        entry.name,
        [place.folder for place in searched],
        entry=entry,
        repair=f"segue models download {entry.name}{option}",
    )


def _described(name: str, folder: Path, description: Description, searched: Sequence[Place]) -> Located:
    """Noise keeps to its own folder: its codec and style files fit nothing else, and the real ones don't fit it."""
    if description.synthetic:
        made_of = description.preset or shlex.quote(str(folder / CHECKPOINTS / f"{name}{SUFFIX}"))
        out = folder.parent if folder.name == name else folder
        repair = f"segue models synthesise {made_of} --out {shlex.quote(str(out))}"
        return _assembled(name, [folder], description=description, repair=repair)
    folders = [folder, *(place.folder for place in searched if place.folder != folder)]
    repair = f"put its checkpoint back to {folder / CHECKPOINTS / f'{name}.safetensors'}"
    return _assembled(name, folders, description=description, repair=repair)


def _assembled(
    name: str,
    folders: Sequence[Path],
    repair: str,
    entry: ModelEntry | None = None,
    description: Description | None = None,
) -> Located:
    own = f"{CHECKPOINTS}/{name}.safetensors"
    checkpoint = _first(folders, own)
    encoder = _first(folders, ENCODER, ENCODER_BESIDE)
    musiccoca, lacking = _style_folder(folders)
    mapper = _first([musiccoca.parent.parent], MAPPER) if musiccoca is not None else None
    missing = ([] if checkpoint else [own]) + [f"{MUSICCOCA}/{file}" for file in lacking]
    absent = ([] if encoder else [ENCODER]) + ([] if mapper else [MAPPER])
    root = next((folder for folder in folders if checkpoint == folder / own), folders[0])
    return Located(
        name, entry, description, root, checkpoint, encoder, musiccoca, mapper, tuple(missing), tuple(absent), repair
    )


def _first(folders: Sequence[Path], *paths: str) -> Path | None:
    return next((folder / path for folder in folders for path in paths if (folder / path).is_file()), None)


def _style_folder(folders: Sequence[Path]) -> tuple[Path | None, list[str]]:
    """The folder that lacks the fewest MusicCoCa files, and which: they are one model and are not mixed."""
    best: Path | None = None
    lacking = list(MUSICCOCA_FILES)
    for folder in folders:
        missed = [file for file in MUSICCOCA_FILES if not (folder / MUSICCOCA / file).is_file()]
        if len(missed) < len(lacking):
            best, lacking = folder / MUSICCOCA, missed
    return best, lacking


def _descriptions(searched: Sequence[Place]) -> Iterator[tuple[Path, Path]]:
    """(models folder, description) of every described checkpoint; noise may lie one folder deeper."""
    for place in searched:
        for folder in (place.folder, *sorted(place.folder.glob(f"*{NOISE_SUFFIX}"))):
            for path in sorted((folder / CHECKPOINTS).glob(f"*{SUFFIX}")):
                yield folder, path


def _described_name(path: Path) -> str:
    return path.name.removesuffix(SUFFIX)


def _own() -> Path:
    return platformdirs.user_data_path("segue") / "models"


def _from_environment() -> Path | None:
    given = os.environ.get(ENVIRONMENT)
    return Path(given).expanduser() if given else None


def _hub_snapshot() -> Path | None:
    """The hub client's copy of the repository, by its documented layout: the revision `main`, else the newest one."""
    environment = os.environ
    home = environment.get("HF_HOME") or str(
        Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    )
    cache = Path(environment.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    repository = cache / f"models--{REPOSITORY.replace('/', '--')}"
    try:
        main = repository / "snapshots" / (repository / "refs" / "main").read_text(encoding="utf-8").strip()
        if main.is_dir() and main.parent.name == "snapshots":
            return main
    except (OSError, ValueError):
        pass
    revisions = [path for path in (repository / "snapshots").glob("*") if path.is_dir()]
    return max(revisions, key=lambda path: path.stat().st_mtime, default=None)
