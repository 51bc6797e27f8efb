# SPDX-License-Identifier: Apache-2.0
"""The starter's weights in the package: float16 safetensors and a manifest with their SHA-256."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from segue_engine.contract import EngineError
from segue_engine.models.starter.lm.config import LMConfig
from segue_engine.models.starter.lm.params import Params
from segue_engine.models.starter.trees import flatten, unflatten

WEIGHTS: Final = "lm.safetensors"
MANIFEST: Final = "manifest.json"
LIMIT_BYTES: Final = 20_000_000


class WeightsError(EngineError):
    """Weights that are missing, damaged or of another layout; the message names the file and the hash."""


def bundled_folder() -> Path:
    """Where the package keeps its weights."""
    return Path(str(files("segue_engine"))) / "models" / "starter" / "weights"


def save_weights(folder: Path, params: Params, config: LMConfig, facts: dict[str, Any]) -> str:
    """Write float16 weights and a manifest with config and facts; gives the SHA-256. Raises ValueError if too big."""
    tensors = {name: np.ascontiguousarray(np.asarray(leaf, np.float16)) for name, leaf in flatten(params).items()}
    data = save(tensors)
    if len(data) > LIMIT_BYTES:
        raise ValueError(f"{WEIGHTS}: expected at most {LIMIT_BYTES} bytes, got {len(data)}")
    digest = hashlib.sha256(data).hexdigest()
    manifest = {"file": WEIGHTS, "sha256": digest, "bytes": len(data), "config": asdict(config), "training": facts}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ((WEIGHTS, data), (MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())):
        temporary = folder / f"{name}.partial"
        temporary.write_bytes(content)
        os.replace(temporary, folder / name)
    return digest


def load_weights(folder: Path) -> tuple[Params, LMConfig, str]:
    """float32 parameters, their config and SHA-256. Raises WeightsError naming file and hash."""
    path, manifest_path = folder / WEIGHTS, folder / MANIFEST
    try:
        manifest = json.loads(manifest_path.read_bytes())
        wanted, config = str(manifest["sha256"]), LMConfig(**_tuples(manifest["config"]))
    except FileNotFoundError:
        raise WeightsError(
            f"{manifest_path}: no such file; reinstall the package or run `segue train starter`"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{manifest_path}: not a manifest of starter weights ({error})") from None
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file (sha256 {wanted} expected)") from None
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise WeightsError(f"{path}: damaged: expected sha256 {wanted}, found {found}")
    try:
        tensors = {name: leaf.astype(np.float32) for name, leaf in load(data).items()}
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a safetensors file ({error}), sha256 {found}") from None
    return unflatten(tensors), config, found


def installed_validation(folder: Path, config: LMConfig) -> float:
    """Validation loss of the weights in a folder, infinite if there are none of this config."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if LMConfig(**_tuples(manifest["config"])) == config:
            return float(manifest["training"]["validation"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return math.inf


def _tuples(config: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}
