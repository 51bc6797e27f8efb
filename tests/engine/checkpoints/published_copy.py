# SPDX-License-Identifier: Apache-2.0
"""A folder that looks like the published repository: its paths, our bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from segue_engine.checkpoints.catalogue import ENCODER, MAPPER, MUSICCOCA, MUSICCOCA_FILES


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
