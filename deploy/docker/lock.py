#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the images' lock files beside it, by `uv`; for after a change of pyproject.toml or requirements.lock.txt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LOCKS: Final = Path(__file__).resolve().parent / "locks"
PYTHON: Final = "3.11"
PLATFORM: Final = "x86_64-manylinux_2_36"
"""Of the base image: Debian 12."""
EXTRAS: Final = {
    "cpu": ("download", "musiccoca", "opus", "otel"),
    "cuda": ("download", "musiccoca", "opus", "otel", "cuda"),
    "tpu": ("download", "musiccoca", "opus", "otel", "tpu"),
}
BUILD: Final = "hatchling>=1.27\n"


def lock(name: str, source: str, arguments: tuple[str, ...], text: str | None = None) -> None:
    """Write one lock file; the versions are those of requirements.lock.txt where it has the package."""
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += ["--generate-hashes", "--python-version", PYTHON, "--python-platform", PLATFORM]
    command += ["--constraint", "requirements.lock.txt", *arguments, "--output-file", str(LOCKS / f"{name}.txt")]
    subprocess.run([*command, source], cwd=ROOT, input=text, text=True, check=True)


if __name__ == "__main__":
    try:
        for image, extras in EXTRAS.items():
            lock(image, "pyproject.toml", tuple(f"--extra={extra}" for extra in extras))
        lock("build", "-", (), BUILD)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"lock.py: {error}")
