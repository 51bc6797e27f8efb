# SPDX-License-Identifier: Apache-2.0
"""Options of the commands that take settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="SEGUE_CONFIG",
        help="File of settings, YAML or JSON; SEGUE_* variables and flags win over it.",
    ),
]
Assigned = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other setting (docs/configuration.md); again for more."),
]
