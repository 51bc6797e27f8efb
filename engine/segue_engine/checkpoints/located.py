# SPDX-License-Identifier: Apache-2.0
"""Where a model's files are, or what is missing and what brings it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from segue_engine.checkpoints.catalogue import (
    ARCHIVE,
    CHECKPOINTS,
    DECODER,
    ENCODER,
    ENCODER_BESIDE,
    MAPPER,
    MUSICCOCA,
    MUSICCOCA_FILES,
    PUBLISHED,
    QUANTISER,
    STARTER,
    WITH_CODEC,
    Family,
    ModelEntry,
    canonical,
)
from segue_engine.checkpoints.description import SUFFIX, Description, read_description
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.places import NOISE_SUFFIX, Place, first_version_places, places

CODEC_HELP: Final = (
    "a Magenta RT 1 plays through the codec that is published with Magenta RT 2, because its own is published for "
    f"TensorFlow only: wanted are both of {DECODER} and {QUANTISER}, or one of "
    f"{', '.join(entry.checkpoint for entry in WITH_CODEC)}"
)


@dataclass(frozen=True, slots=True)
class Located:
    """Where a model's files are. `musiccoca` is a folder, the rest are files; None: not here.

    checkpoint: of a Magenta RT 1, a T5X folder or its archive. codec: the files that hold the codec's decoder and
    codebooks: one language-model checkpoint, or one for each; empty if not here. missing: required files that were not
    found, absent: the others; as paths in the repository's layout. root: the place that holds the checkpoint, or would.
    repair: the command that brings what is missing or damaged.
    """

    name: str
    family: Family
    entry: ModelEntry | None
    description: Description | None
    root: Path
    checkpoint: Path | None
    codec: tuple[Path, ...]
    encoder: Path | None
    musiccoca: Path | None
    mapper: Path | None
    missing: tuple[str, ...]
    absent: tuple[str, ...]
    repair: str

    @property
    def synthetic(self) -> bool:
        return self.description is not None and self.description.synthetic

    @property
    def codec_apart(self) -> bool:
        """Whether the codec is not in the model's own checkpoint."""
        return self.family == "mrt1"


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
        looked = "\n  ".join(f"{place.folder} ({place.whose})" for place in places(models_dir, located.family))
        help_ = f"{CODEC_HELP}\n" if DECODER in located.missing or QUANTISER in located.missing else ""
        raise CheckpointFileError(
            f"{located.name}: missing: {', '.join(located.missing)}\n{help_}looked in\n  {looked}\n{located.repair}"
        )
    return located


def _published(entry: ModelEntry, searched: Sequence[Place], models_dir: Path | None) -> Located:
    option = f" --models-dir {shlex.quote(str(models_dir))}" if models_dir is not None else ""
    return _assembled(
        _Wanted(entry.name, entry.family, entry.checkpoint, entry=entry),
        [place.folder for place in searched],
        f"segue models download {entry.name}{option}",
    )


def _described(name: str, folder: Path, description: Description, searched: Sequence[Place]) -> Located:
    """Noise keeps to its own folder: its codec and style files fit nothing else, and the real ones don't fit it."""
    suffix = ".safetensors" if description.family == "mrt2" else ""
    wanted = _Wanted(name, description.family, f"{CHECKPOINTS}/{name}{suffix}", description=description)
    if description.synthetic:
        made_of = description.preset or shlex.quote(str(folder / CHECKPOINTS / f"{name}{SUFFIX}"))
        out = folder.parent if folder.name == name else folder
        return _assembled(wanted, [folder], f"segue models synthesise {made_of} --out {shlex.quote(str(out))}")
    folders = [folder, *(place.folder for place in searched if place.folder != folder)]
    return _assembled(wanted, folders, f"put its checkpoint back to {folder / wanted.checkpoint}")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is looked for. checkpoint: its path, of a T5X with or without the archive's suffix."""

    name: str
    family: Family
    checkpoint: str
    entry: ModelEntry | None = None
    description: Description | None = None


def _assembled(wanted: _Wanted, folders: Sequence[Path], repair: str) -> Located:
    root, checkpoint = _checkpoint(wanted, folders)
    codec, lacking = _codec(folders) if wanted.family == "mrt1" else ((checkpoint,) if checkpoint else (), [])
    encoder = _first(folders, ENCODER, ENCODER_BESIDE)
    musiccoca, unheard = _style_folder(folders)
    mapper = _first([musiccoca.parent.parent], MAPPER) if musiccoca is not None else None
    missing = [] if checkpoint else [wanted.checkpoint]
    missing += [*lacking, *(f"{MUSICCOCA}/{file}" for file in unheard)]
    absent = ([] if encoder else [ENCODER]) + ([] if mapper else [MAPPER])
    return Located(
        name=wanted.name,
        family=wanted.family,
        entry=wanted.entry,
        description=wanted.description,
        root=root,
        checkpoint=checkpoint,
        codec=codec,
        encoder=encoder,
        musiccoca=musiccoca,
        mapper=mapper,
        missing=tuple(missing),
        absent=tuple(absent),
        repair=repair,
    )


def _checkpoint(wanted: _Wanted, folders: Sequence[Path]) -> tuple[Path, Path | None]:
    """The place that holds the checkpoint, or would, and the checkpoint.

    A published archive goes before the folder that it is unpacked to: its bytes can be compared with the published
    ones, and it is read as fast.
    """
    forms = [wanted.checkpoint]
    if wanted.family == "mrt1":
        plain = wanted.checkpoint.removesuffix(ARCHIVE)
        forms = [plain + ARCHIVE, plain]
        if wanted.entry is not None:
            folders = [*folders, *(place.folder for place in first_version_places())]
    for folder in folders:
        for form in forms:
            path = folder / form
            if path.is_file() or (wanted.family == "mrt1" and path.is_dir()):
                return folder, path
    return folders[0], None


def _codec(folders: Sequence[Path]) -> tuple[tuple[Path, ...], list[str]]:
    """The codec's own two files, from one folder, else a checkpoint that holds it; and what is missing if neither."""
    pair = (DECODER, QUANTISER)
    lacking = [[path for path in pair if not (folder / path).is_file()] for folder in folders]
    for folder, lost in zip(folders, lacking, strict=True):
        if not lost:
            return tuple(folder / path for path in pair), []
    inside = _first(folders, *(entry.checkpoint for entry in WITH_CODEC))
    return ((inside,), []) if inside is not None else ((), min(lacking, key=len))


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
