# SPDX-License-Identifier: Apache-2.0
"""Writes a model of any size with random weights in the published layout, to try loading, serving and speed.

One tensor at a time: the largest published size takes some 9.8 GB of disk and hardly any memory.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from segue_engine.checkpoints.catalogue import CHECKPOINTS, ENCODER, MUSICCOCA, PUBLISHED, canonical
from segue_engine.checkpoints.description import (
    SUFFIX,
    Description,
    read_json,
    valid_name,
    write_description,
    write_whole,
)
from segue_engine.checkpoints.download import Progress
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.header import DTYPES, read_header, write_header
from segue_engine.checkpoints.layout import Shapes, checkpoint_shapes, encoder_shapes
from segue_engine.checkpoints.manifest import FileRecord, Manifest, drop, write_manifest
from segue_engine.checkpoints.noise_weights import random_tensor
from segue_engine.checkpoints.places import NOISE_SUFFIX
from segue_engine.checkpoints.reader import NOISE_KEY, NOISE_VALUE
from segue_engine.contract import EngineError

STORED: Final[Mapping[str, str]] = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
NOTICE: Final = "NOISE.txt"

TINY: Final[Mapping[str, Any]] = {
    "enc_dim": 48,
    "temporal": [2, 64, 128, 2, 24],
    "depth": [2, 40, 96, 2, 16],
    "self_win": 8,
    "cross_win": 8,
    "Q": 12,
    "codebook": 1024,
    "mc_codebook": 1024,
    "mc_dim": 20,
    "rvq_total": 12,
    "ss_feat": 24,
    "ss_enc_depth": 4,
    "ss_dec_depth": 4,
}
"""Codes of the published sizes in a network that a test can wait for."""

_NOTICE_TEXT: Final = """\
The files in this folder are noise.

`segue models synthesise` wrote them: random weights in the layout of {what}, so that loading, serving and speed can be
tried without the real weights. They were not trained on anything, hold nothing of the published model, and whatever
they play is noise. `segue models download mrt2_small` fetches a model that plays music.

model {name}, seed {seed}, stored as {dtype}
"""


@dataclass(frozen=True, slots=True)
class Synthesised:
    """A noise model: its models folder, and what could not be written ("" if nothing)."""

    name: str
    folder: Path
    files: tuple[Path, ...]
    note: str


def description_of(model_or_config: str) -> Description:
    """A published name, "tiny", or the path of a JSON file with a config like that of a golden-vector set's meta.json.

    The description is that of its noise. Raises CheckpointFileError naming file and key.
    """
    name = canonical(model_or_config)
    if name in PUBLISHED:
        return Description(f"{name}{NOISE_SUFFIX}", synthetic=True, preset=name)
    if name == "tiny":
        return Description(f"mrt2_tiny{NOISE_SUFFIX}", synthetic=True, config=TINY)
    path = Path(model_or_config)
    if path.suffix != ".json":
        known = ", ".join((*PUBLISHED, "tiny"))
        raise CheckpointFileError(f"expected {known} or the path of a config (*.json), got {model_or_config!r}")
    document = read_json(path)
    config = document.get("config", document) if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise CheckpointFileError(f"{path}: expected an object with a config")
    called = path.name.removesuffix(SUFFIX).removesuffix(".json").removesuffix(NOISE_SUFFIX)
    if not valid_name(called + NOISE_SUFFIX):
        raise CheckpointFileError(f"{path}: its name names the model: expected letters, digits, _ . and -")
    return Description(f"{called}{NOISE_SUFFIX}", synthetic=True, config=config)


def synthesise(
    description: Description, out: Path, progress: Progress, seed: int = 0, dtype: str = "float32"
) -> Synthesised:
    """Write checkpoint, codec encoder, description, MusicCoCa files, notice and manifest to `out/NAME_noise/`.

    dtype: float32, bfloat16 or float16. Interrupted, it leaves no half file. Raises CheckpointFileError.
    """
    if dtype not in STORED:
        raise CheckpointFileError(f"dtype: expected one of {', '.join(STORED)}, got {dtype!r}")
    folder = out if out.name == description.name else out / description.name
    model, encoder = checkpoint_shapes(description), encoder_shapes(description)
    checkpoint = folder / CHECKPOINTS / f"{description.name}.safetensors"
    for path in (checkpoint, folder / ENCODER):
        _refuse_real(path)
    what = description.preset or "Magenta RealTime 2 in another size"
    write_whole(folder / NOTICE, _NOTICE_TEXT.format(what=what, name=description.name, seed=seed, dtype=dtype))
    source, manifest = f"segue models synthesise, seed {seed}", Manifest()
    for path, shapes in ((checkpoint, model), (folder / ENCODER, encoder)):
        digest = write_noise(path, shapes, seed, STORED[dtype], progress)
        record = FileRecord(digest, path.stat().st_size, source)
        manifest = manifest.with_file(path.relative_to(folder).as_posix(), record)
    styles, note = _style_files(folder / MUSICCOCA, seed)
    for path in styles:
        record = FileRecord(hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size, source)
        manifest = manifest.with_file(path.relative_to(folder).as_posix(), record)
    write_description(folder / CHECKPOINTS / f"{description.name}{SUFFIX}", description)
    write_manifest(folder, manifest)
    return Synthesised(description.name, folder, (checkpoint, folder / ENCODER, *styles), note)


def write_noise(path: Path, shapes: Shapes, seed: int, stored: str, progress: Progress) -> str:
    """Write one safetensors file of random weights, marked as noise, whole or not at all; gives its SHA-256."""
    ordered = {key: shapes[key] for key in sorted(shapes)}
    numbers, dtype = sum(math.prod(shape) for shape in ordered.values()), DTYPES[stored]
    advance = progress(path.name, numbers * dtype.itemsize, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    digest = hashlib.sha256()
    try:
        with partial.open("w+b") as file:
            write_header(file, ordered, stored, {NOISE_KEY: NOISE_VALUE, "seed": str(seed)})
            file.seek(0)
            digest.update(file.read())
            for key, shape in ordered.items():
                for piece in random_tensor(key, shape, seed):
                    data = np.ascontiguousarray(piece.astype(dtype, copy=False)).tobytes()
                    file.write(data)
                    digest.update(data)
                    advance(len(data))
        os.replace(partial, path)
    except OSError as error:
        raise CheckpointFileError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    finally:
        drop(partial)
    return digest.hexdigest()


def _refuse_real(path: Path) -> None:
    """Never write over a file that may be somebody's weights."""
    if path.exists() and read_header(path).metadata.get(NOISE_KEY) != NOISE_VALUE:
        raise CheckpointFileError(f"{path}: is not noise and is left alone; choose another --out")


def _style_files(folder: Path, seed: int) -> tuple[tuple[Path, ...], str]:
    try:
        from segue_engine.styles.musiccoca.synthesise import write_synthetic

        return write_synthetic(folder, seed), ""
    except (ImportError, EngineError) as error:
        return (), f"no MusicCoCa files were written: {error}"
