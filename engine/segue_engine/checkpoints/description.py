# SPDX-License-Identifier: Apache-2.0
"""`NAME.segue-config.json` beside a checkpoint of no published size: says what size it is, and whether it is noise.

::

    {"segue": 1, "model": "magenta_rt_2", "name": "mrt2_tiny_noise", "synthetic": true, "config": {"enc_dim": 48, …}}

`model` is magenta_rt_1 or magenta_rt_2. `config` is written like that of its golden vectors (meta.json, config_*.json),
for a Magenta RT 1 with the codec's sizes besides; `"preset": "mrt2_small"` may stand in its place.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from segue_engine.checkpoints.catalogue import PUBLISHED, Family
from segue_engine.checkpoints.errors import CheckpointFileError

SUFFIX: Final = ".segue-config.json"
MODELS: Final[Mapping[Family, str]] = {"mrt1": "magenta_rt_1", "mrt2": "magenta_rt_2"}
MAX_BYTES: Final = 1_000_000
_KEYS: Final = frozenset({"segue", "model", "name", "synthetic", "config", "preset"})
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Description:
    """A model's size: `preset` names a published one, else `config` holds it in the vectors' notation."""

    name: str
    synthetic: bool
    preset: str | None = None
    config: Mapping[str, Any] | None = None
    family: Family = "mrt2"


def valid_name(name: str) -> bool:
    """Whether a model may be called that: it becomes a file's name."""
    return _NAME.fullmatch(name) is not None


def read_json(path: Path) -> object:
    """A small JSON file. Raises CheckpointFileError naming it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CheckpointFileError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if len(data) > MAX_BYTES:
        raise CheckpointFileError(f"{path}: expected at most {MAX_BYTES} bytes")
    try:
        document: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointFileError(f"{path}: not JSON ({error})") from None
    return document


def read_description(path: Path) -> Description:
    """Reads a description. Raises CheckpointFileError naming file and key."""
    document = read_json(path)
    if not isinstance(document, dict):
        raise CheckpointFileError(f"{path}: expected an object")
    unknown = sorted(document.keys() - _KEYS)
    if unknown:
        raise CheckpointFileError(f"{path}: unknown keys {unknown}")
    family = family_of(document.get("model"))
    if document.get("segue") != 1 or family is None:
        known = " or ".join(f'"{model}"' for model in MODELS.values())
        raise CheckpointFileError(f'{path}: expected "segue": 1 and "model": {known}')
    name, synthetic = document.get("name"), document.get("synthetic", False)
    if not isinstance(name, str) or not valid_name(name):
        raise CheckpointFileError(f"{path}: name: expected letters, digits, _ . and -, got {name!r}")
    if name != path.name.removesuffix(SUFFIX):
        raise CheckpointFileError(f"{path}: name: expected {path.name.removesuffix(SUFFIX)!r}, as the file is called")
    if not isinstance(synthetic, bool):
        raise CheckpointFileError(f"{path}: synthetic: expected true or false, got {synthetic!r}")
    preset, config = document.get("preset"), document.get("config")
    if (preset is None) == (config is None):
        raise CheckpointFileError(f"{path}: expected one of preset and config")
    presets = [entry.name for entry in PUBLISHED.values() if entry.family == family]
    if preset is not None and preset not in presets:
        raise CheckpointFileError(f"{path}: preset: expected one of {', '.join(presets)}, got {preset!r}")
    if config is not None and not isinstance(config, dict):
        raise CheckpointFileError(f"{path}: config: expected an object")
    return Description(name, synthetic, preset, config, family)


def family_of(model: object) -> Family | None:
    """The family that a description's `model` names; None: none of them."""
    return next((family for family, name in MODELS.items() if name == model), None)


def write_description(path: Path, description: Description) -> None:
    """Writes a description, whole or not at all."""
    document: dict[str, Any] = {
        "segue": 1,
        "model": MODELS[description.family],
        "name": description.name,
        "synthetic": description.synthetic,
    }
    if description.preset is not None:
        document["preset"] = description.preset
    else:
        document["config"] = dict(description.config or {})
    write_whole(path, json.dumps(document, indent=1) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Writes a small text file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".partial")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
