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
from segue_engine.checkpoints.located import CODEC_HELP, Located, description_path, locate, names
from segue_engine.checkpoints.manifest import MANIFEST, FileRecord, mismatch
from segue_engine.checkpoints.reader import NOISE_KEY, NOISE_VALUE
from segue_engine.checkpoints.t5x import open_t5x

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
        seen = _look(located, located.checkpoint)
        codec = [is_noise(read_header(path)) for path in located.codec if path != located.checkpoint]
        if located.encoder is not None:
            read_header(located.encoder)
    except CheckpointFileError as error:
        return Found(located.name, "damaged", located.root, str(error), located.repair)
    if located.missing:
        said = f"missing: {', '.join(located.missing)}"
        help_ = f"; {CODEC_HELP}" if located.codec_apart and not located.codec else ""
        return Found(located.name, "missing", located.root, said + help_, located.repair)
    noisy = located.synthetic or seen.noise or any(codec) or _noisy_styles(located)
    return Found(located.name, "synthetic noise" if noisy else "ready", located.root, _detail(located, seen))


@dataclass(frozen=True, slots=True)
class _Seen:
    """A checkpoint at a glance."""

    parameters: int
    stored: int
    dtypes: tuple[str, ...]
    noise: bool


def _look(located: Located, path: Path) -> _Seen:
    """Raises CheckpointFileError for what can be seen to be damaged without reading a number."""
    if located.family == "mrt1":
        t5x = open_t5x(path)
        kinds = tuple(sorted({str(array.dtype) for array in t5x.values()}))
        return _Seen(t5x.parameters, sum(array.nbytes for array in t5x.values()), kinds, t5x.synthetic)
    header = read_header(path)
    return _Seen(header.parameters, header.data_bytes, header.dtypes, is_noise(header))


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


def _detail(located: Located, seen: _Seen) -> str:
    codec = "" if located.codec_apart else " with codec"
    parts = [
        f"{seen.parameters / 1e6:,.0f} M parameters{codec}",
        f"{size_text(seen.stored)} {'+'.join(seen.dtypes)}",
    ]
    if located.codec_apart:
        parts.append("codec of Magenta RT 2")
    lost: Mapping[str, str] = {ENCODER: "no codec encoder: can't start from a recording", MAPPER: "no text mapper"}
    return ", ".join([*parts, *(lost[path] for path in located.absent)])
