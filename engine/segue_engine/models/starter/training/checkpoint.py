# SPDX-License-Identifier: Apache-2.0
"""Training checkpoints: one safetensors file, replaced atomically, from which training goes on exactly."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from segue_engine.models.starter.trees import flatten, restore


def save_state(path: Path, state: Any, facts: dict[str, Any]) -> None:
    """Write a pytree of arrays and JSON-able facts; a crash in between leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = flatten(state)
    tensors = {name: np.array(leaf, order="C") for name, leaf in flat.items()}
    temporary = path.with_suffix(".partial")
    save_file(tensors, temporary, metadata={"facts": json.dumps(facts)})
    os.replace(temporary, path)


def load_state(path: Path, like: Any) -> tuple[Any, dict[str, Any]]:
    """Read what `save_state` wrote into the structure of `like`. Raises ValueError naming what does not fit."""
    with safe_open(path, "np") as file:
        facts: dict[str, Any] = json.loads(file.metadata()["facts"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    wanted = flatten(like)
    scalars = {name for name, leaf in wanted.items() if np.ndim(leaf) == 0}
    tensors = {name: leaf.reshape(()) if name in scalars and leaf.size == 1 else leaf for name, leaf in tensors.items()}
    for name in sorted(set(wanted) | set(tensors)):
        here = tensors[name].shape if name in tensors else None
        there = np.shape(wanted[name]) if name in wanted else None
        if here != there:
            raise ValueError(f"{path}: tensor {name!r}: expected shape {there}, found {here}")
    return jax.tree.map(jax.numpy.asarray, restore(like, tensors)), facts
