# SPDX-License-Identifier: Apache-2.0
"""What models are here, by a look at headers and sizes; `check` looks at every byte. No jax."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from segue_engine.checkpoints.catalogue import ENCODER, MAPPER, STARTER
from segue_engine.checkpoints.errors import CheckpointFileError, size_text
from segue_engine.checkpoints.header import Header, read_header
from segue_engine.checkpoints.manifest import MANIFEST, FileRecord, mismatch
from segue_engine.checkpoints.places import Located, description_path, locate, names
from segue_engine.checkpoints.reader import NOISE_KEY, NOISE_VALUE

State = Literal["ready", "missing", "damaged", "synthetic noise"]


@dataclass(frozen=True, slots=True)
class Found:
    """A model: `folder` is where its checkpoint is (or would be), `detail` what is wrong or what it is."""

    name: str
    state: State
    folder: Path
    detail: str
    repair: str = ""


def survey(models_dir: Path | None = None) -> list[Found]:
    """Every model that this version knows, and those described on this disk."""
    return [glance(name, models_dir) for name in names(models_dir)]


def glance(name: str, models_dir: Path | None = None) -> Found:
    """A model's state by its files' headers and sizes. Raises CheckpointFileError for an unknown name."""
    if name == STARTER:
        return starter()
    try:
        located = locate(name, models_dir)
    except CheckpointFileError:
        if name in names(models_dir):  # it is there, but its description can't be read
            return _undescribed(name, models_dir)
        raise
    if located.checkpoint is None:
        part = "; some of its files are here" if located.musiccoca or located.encoder else ""
        return Found(located.name, "missing", located.root, f"not downloaded{part}", located.repair)
    try:
        header = read_header(located.checkpoint)
        if located.encoder is not None:
            read_header(located.encoder)
    except CheckpointFileError as error:
        return Found(located.name, "damaged", located.root, str(error), located.repair)
    if located.missing:
        said = f"missing: {', '.join(located.missing)}"
        return Found(located.name, "missing", located.root, said, located.repair)
    noise = located.synthetic or is_noise(header) or _noisy_styles(located)
    return Found(located.name, "synthetic noise" if noise else "ready", located.root, _detail(located, header))


def is_noise(header: Header) -> bool:
    """Whether a checkpoint says that its weights are random."""
    return header.metadata.get(NOISE_KEY) == NOISE_VALUE


def _noisy_styles(located: Located) -> bool:
    from segue_engine.styles.musiccoca.files import is_synthetic

    return located.musiccoca is not None and is_synthetic(located.musiccoca)


def starter_folder() -> Path:
    """Where the package keeps the starter's weights."""
    return Path(str(files("segue_engine"))) / "models" / "starter" / "weights"


def starter() -> Found:
    """The bundled model, compared with its manifest byte by byte: it is small."""
    folder = starter_folder()
    repair = "reinstall the package, or fetch the repository's files again"
    path = folder / MANIFEST
    try:
        document = json.loads(path.read_bytes())
        name = str(document["file"])
        record = FileRecord(str(document["sha256"]), int(document["bytes"]), "bundled")
    except FileNotFoundError:
        return Found(STARTER, "missing", folder, f"{path}: no such file", repair)
    except (ValueError, KeyError, TypeError) as error:
        return Found(STARTER, "damaged", folder, f"{path}: not a manifest ({error})", repair)
    file = folder / name
    if not file.is_file():
        return Found(STARTER, "missing", folder, f"{file}: no such file (sha256 {record.sha256} expected)", repair)
    wrong = mismatch(file, record, lambda count: None)
    if wrong is not None:
        return Found(STARTER, "damaged", folder, f"{file}: {wrong}", repair)
    return Found(STARTER, "ready", folder, f"{size_text(record.bytes)}, bundled, runs anywhere")


def _undescribed(name: str, models_dir: Path | None) -> Found:
    path = description_path(name, models_dir)
    return Found(name, "damaged", path.parent.parent, f"{path}: can't be read", "write or remove that file")


def _detail(located: Located, header: Header) -> str:
    parts = [
        f"{header.parameters / 1e6:,.0f} M parameters with codec",
        f"{size_text(header.data_bytes)} {'+'.join(header.dtypes)}",
    ]
    lost: Mapping[str, str] = {ENCODER: "no codec encoder: can't start from a recording", MAPPER: "no text mapper"}
    return ", ".join([*parts, *(lost[path] for path in located.absent)])
