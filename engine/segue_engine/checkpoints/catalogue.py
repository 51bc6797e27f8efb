# SPDX-License-Identifier: Apache-2.0
"""Which models there are, where their files lie and whether they are whole. Importing this does not import jax."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

State = Literal["ready", "damaged", "missing", "not built yet"]
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Found:
    """A model: `folder` is where its files are (or would be), `detail` what is wrong or what it is."""

    name: str
    state: State
    folder: Path | None
    detail: str


def starter_folder() -> Path:
    """Where the package keeps the starter's weights."""
    return Path(str(files("segue_engine"))) / "models" / "starter" / "weights"


def check_manifest(folder: Path) -> tuple[State, str]:
    """Compare a folder's files with its manifest: every mismatch names the file and both hashes."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        expected = {str(manifest["file"]): str(manifest["sha256"])}
    except FileNotFoundError:
        return "missing", f"{path}: no such file"
    except (ValueError, KeyError, TypeError) as error:
        return "damaged", f"{path}: not a manifest ({error})"
    total = 0
    for name, digest in expected.items():
        file = folder / name
        if not file.is_file():
            return "missing", f"{file}: no such file (sha256 {digest} expected)"
        data = file.read_bytes()
        total += len(data)
        found = hashlib.sha256(data).hexdigest()
        if found != digest:
            return "damaged", f"{file}: expected sha256 {digest}, found {found}"
    return "ready", f"{total / 1e6:.1f} MB, sha256 {next(iter(expected.values()))[:12]}…, bundled"


def catalogue() -> list[Found]:
    """Every model that this version knows by name, checked."""
    folder = starter_folder()
    state, detail = check_manifest(folder)
    later = "its language model is built; codec and published weights come with a later version"
    return [
        Found("starter", state, folder, detail),
        Found("magenta-rt-2-small", "not built yet", None, later),
        Found("magenta-rt-2-base", "not built yet", None, later),
    ]
