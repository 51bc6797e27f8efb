# SPDX-License-Identifier: Apache-2.0
"""`segue check FILE`: prints a soundtrack's graph, what can't be reached, and what is probably not meant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segue_service.cli.soundtrack_file import fail, read_checked, show
from segue_service.soundtrack import graph_mermaid, graph_svg, outline, reachable


def check(
    path: Annotated[Path, typer.Argument(help="A *.soundtrack.yaml, or a .json that `segue build` wrote.")],
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print the graph as Mermaid text instead.")] = False,
    svg: Annotated[Path | None, typer.Option("--svg", help="Draw the graph into this file.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 1 if there is a warning.")] = False,
) -> None:
    """Check a soundtrack and show its graph. Exit code 2: the file is broken."""
    soundtrack, diagnostics = read_checked(path)
    unreachable = frozenset(soundtrack.states) - reachable(soundtrack)
    if svg is not None:
        try:
            svg.write_text(graph_svg(soundtrack, unreachable), encoding="utf-8")
        except OSError as error:
            fail(f"--svg {svg}: {(error.strerror or str(error)).lower()}")
    typer.echo(graph_mermaid(soundtrack) if mermaid else outline(soundtrack, unreachable), nl=False)
    show(diagnostics)
    warnings = sum(diagnostic.severity == "warning" for diagnostic in diagnostics)
    if not mermaid:
        said = "1 warning" if warnings == 1 else f"{warnings or 'no'} warnings"
        typer.echo(f"\n{len(soundtrack.states)} states, {len(soundtrack.transitions)} transitions, {said}")
    if strict and warnings:
        raise typer.Exit(1)
