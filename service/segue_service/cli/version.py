# SPDX-License-Identifier: Apache-2.0
"""`segue version`: what runs here, for a bug report."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from segue_service.cli.console import console, write_json

PACKAGES = ("segue", "jax", "jaxlib", "numpy", "grpcio", "protobuf")


def version(
    json: Annotated[Path | None, typer.Option(help="Also write the facts to this file.")] = None,
) -> None:
    """Print the versions of Segue and of what it stands on."""
    facts = {"python": sys.version.split()[0], "system": platform.platform()}
    for package in PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[package] = "not installed"
    for name, value in facts.items():
        console.print(f" {name:<10}{value}")
    write_json(json, facts)
