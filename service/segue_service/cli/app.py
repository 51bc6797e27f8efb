# SPDX-License-Identifier: Apache-2.0
"""The command line's table of contents. Modules named here import quickly; engines are imported inside the commands."""

from __future__ import annotations

import sys

import typer

from segue_service.cli.bake import EXAMPLES as BAKE_EXAMPLES
from segue_service.cli.bake import bake
from segue_service.cli.bench import bench
from segue_service.cli.build import build
from segue_service.cli.check import check
from segue_service.cli.config import config
from segue_service.cli.console import guarded
from segue_service.cli.demo import demo
from segue_service.cli.evaluate import evaluate
from segue_service.cli.keys import keys
from segue_service.cli.listen import listen
from segue_service.cli.models import models
from segue_service.cli.render import render
from segue_service.cli.serve import serve
from segue_service.cli.studio_test import EXAMPLES as TEST_EXAMPLES
from segue_service.cli.studio_test import rehearse_edges
from segue_service.cli.train import train
from segue_service.cli.verify import verify
from segue_service.cli.version import version

app = typer.Typer(
    name="segue",
    help="Live, generated, adaptive soundtracks for games.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (serve, demo, render, listen, check, build, train, bench, verify, version):
    app.command()(command)
app.command("eval")(evaluate)
app.command("test", epilog=TEST_EXAMPLES)(rehearse_edges)
app.command(epilog=BAKE_EXAMPLES)(bake)
app.add_typer(models, name="models")
app.add_typer(config, name="config")
app.add_typer(keys, name="keys")


def main() -> None:
    """Entry point of the `segue` program."""
    sys.exit(guarded(lambda: app(standalone_mode=True)))
