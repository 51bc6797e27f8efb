# SPDX-License-Identifier: Apache-2.0
"""Files of random weights, safetensors and T5X, marked as noise and written whole or not at all."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.checkpoints.download import Progress
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.header import DTYPES, read_header, write_header
from segue_engine.checkpoints.layout import Shapes
from segue_engine.checkpoints.manifest import drop
from segue_engine.checkpoints.noise_weights import Scale, random_tensor
from segue_engine.checkpoints.reader import NOISE_KEY, NOISE_VALUE
from segue_engine.checkpoints.t5x import t5x_marks
from segue_engine.checkpoints.t5x_write import write_t5x

STORED: Final[Mapping[str, str]] = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}


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


def write_t5x_noise(folder: Path, shapes: Shapes, scale: Scale, seed: int, dtype: str, progress: Progress) -> None:
    """Write one T5X folder of random weights, in the place of noise that is there, one tensor in memory at a time."""
    item = DTYPES[STORED[dtype]]
    advance = progress(folder.name, sum(math.prod(shape) for shape in shapes.values()) * item.itemsize, 0)

    def tensors() -> Iterator[tuple[str, NDArray[Any]]]:
        for key in sorted(shapes):
            pieces = [piece.astype(item, copy=False) for piece in random_tensor(key, shapes[key], seed, scale)]
            tensor = np.concatenate(pieces).reshape(shapes[key])
            yield key, tensor
            advance(tensor.nbytes)

    refuse_real(folder)
    shutil.rmtree(folder, ignore_errors=True)
    write_t5x(folder, tensors(), marks={NOISE_KEY: NOISE_VALUE, "seed": str(seed)})


def refuse_real(path: Path) -> None:
    """Never write over what may be somebody's weights. Raises CheckpointFileError."""
    if not path.exists():
        return
    marks = t5x_marks(path) if path.is_dir() else read_header(path).metadata
    if marks.get(NOISE_KEY) != NOISE_VALUE:
        raise CheckpointFileError(f"{path}: is not noise and is left alone; choose another --out")
