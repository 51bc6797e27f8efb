# SPDX-License-Identifier: Apache-2.0
"""Files t5x_checkpoint_<tag>.tar.gz: a published checkpoint in its archive, against the tag's weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.t5x import T5XCheckpoint, open_t5x
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt1.language import tensors_of
from segue_engine.verify.vector_set import VectorError, VectorSet

Array = NDArray[Any]

_FILE: Final = re.compile(r"t5x_checkpoint_(?P<tag>.+?)\.(?:tar|tar\.gz|tgz)")


class Archive(NamedTuple):
    """An opened archive, and the arrays that it should hold."""

    checkpoint: T5XCheckpoint
    golden: Mapping[str, Array]


def plan(vectors: VectorSet, file: str) -> Plan:
    """Every parameter of the archive against the tensor of that name in weights_<tag>*.safetensors, bit for bit."""
    archive = open_archive(vectors, file)

    def run(tick: Tick) -> Iterator[Produced]:
        for key in archive.checkpoint:
            yield Produced(key, read(archive, key))
            tick()

    return Plan(steps=len(archive.checkpoint), run=run, golden=archive.golden)


def open_archive(vectors: VectorSet, file: str) -> Archive:
    """Raises VectorError naming file and array. The archive is read in place; nothing is unpacked to disk."""
    found = _FILE.fullmatch(file)
    if found is None:
        raise VectorError(f"{file}: expected t5x_checkpoint_<tag>.tar.gz")
    golden = tensors_of(vectors, found["tag"]).flat
    try:
        checkpoint = open_t5x(vectors.folder / file)
    except CheckpointFileError as error:
        raise VectorError(str(error).removeprefix(f"{vectors.folder}/")) from None
    return Archive(checkpoint, golden)


def read(archive: Archive, key: str) -> Array:
    """A parameter's numbers. Raises VectorError naming what is damaged."""
    try:
        return np.asarray(archive.checkpoint[key])
    except (CheckpointFileError, KeyError) as error:
        raise VectorError(str(error)) from None
