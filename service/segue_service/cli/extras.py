# SPDX-License-Identifier: Apache-2.0
"""Packages that a server does without: said before a command begins, not after minutes of work."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from segue_service.cli.console import CommandError

_PACKAGES: Final = {"matplotlib": "matplotlib", "optax": "optax", "sklearn": "scikit-learn"}
"""The extra `studio`: module → package."""


def needs(module: str, purpose: str) -> None:
    """Nothing, if the module is here; else a CommandError that says what for it is needed, and how to get it."""
    if find_spec(module) is None:
        raise CommandError(
            f"{purpose} needs {_PACKAGES[module]}, which a server does without and its image does not have: "
            "pip install 'segue[studio]'"
        )
