# SPDX-License-Identifier: Apache-2.0
"""Folders that look like the published repositories: their paths, our bytes."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from segue_engine.checkpoints.catalogue import (
    DECODER,
    ENCODER,
    MAPPER,
    MRT1_LARGE,
    MUSICCOCA,
    MUSICCOCA_FILES,
    QUANTISER,
)
from segue_engine.checkpoints.t5x_write import write_t5x


def write_repository(folder: Path, *, mapper: bool = False, terms: bool = True) -> Path:
    """A repository with mrt2_small; every file has other bytes."""
    rng = np.random.default_rng(5)
    for path in ("checkpoints/mrt2_small.safetensors", ENCODER):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        save_file({"params/x": rng.standard_normal((300, 100)).astype(np.float32)}, folder / path)
    for name in MUSICCOCA_FILES:
        (folder / MUSICCOCA).mkdir(parents=True, exist_ok=True)
        (folder / MUSICCOCA / name).write_bytes(rng.bytes(3000) + name.encode())
    if mapper:
        (folder / MAPPER).write_bytes(rng.bytes(500))
    if terms:
        (folder / "LICENSE").write_text("The licence, in full.\n")
        (folder / "README.md").write_text("# A model\n\nTerms of use: be good.\n")
    return folder


def write_codec(folder: Path) -> Path:
    """Files of the codec's decoder and codebooks, as the second version's repository has them besides."""
    for path in (DECODER, QUANTISER):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        save_file({f"params/{path}": np.arange(50, dtype=np.float32)}, folder / path)
    return folder


def write_first_version(folder: Path, *, terms: bool = True) -> Path:
    """A repository with mrt1_large, an archive of a T5X folder with one array in it."""
    archive = folder / MRT1_LARGE.checkpoint
    unpacked = archive.with_suffix("")
    write_t5x(unpacked, [("token_embedder/embedding", np.ones((30, 20), np.float32))])
    with tarfile.open(archive, "w") as tar:
        for path in sorted(unpacked.rglob("*")):
            tar.add(path, path.relative_to(unpacked).as_posix(), recursive=False)
            if path.is_file():
                path.unlink()
    for path in (*unpacked.iterdir(), unpacked):
        path.rmdir()
    if terms:
        (folder / "LICENSE").write_text("Another licence, in full.\n")
    return folder
