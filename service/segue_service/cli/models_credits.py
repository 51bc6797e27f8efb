# SPDX-License-Identifier: Apache-2.0
"""`segue models credits`: whom a game must name for its music, and what it can tell a store about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console
from segue_service.cli.files import read_soundtrack
from segue_service.cli.models_shared import explained

if TYPE_CHECKING:
    from segue_engine.checkpoints.licences import SoundtrackFacts


def credits_(
    model: Annotated[
        str | None, typer.Argument(help="The model that plays; else a text for each that there is.")
    ] = None,
    soundtrack: Annotated[Path | None, typer.Option(help="The soundtrack that it plays.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead.")] = None,
) -> None:
    """Print licence attribution and a text for a game store's AI disclosure, as plain text."""
    from segue_engine.checkpoints.catalogue import PUBLISHED, STARTER
    from segue_engine.checkpoints.licences import credits_text

    facts = _facts(soundtrack) if soundtrack is not None else None
    with explained(EXIT_BAD_INPUT):
        texts = [credits_text(name, facts) for name in ([model] if model else [STARTER, *PUBLISHED])]
    text = "\n\n".join(texts)
    if out is None:
        print(text, end="")
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--out {out}: {(error.strerror or str(error)).lower()}", EXIT_BAD_INPUT) from None
    console.print(f" wrote {out}", markup=False)


def _facts(path: Path) -> SoundtrackFacts:
    from segue_engine.checkpoints.licences import SoundtrackFacts

    soundtrack = read_soundtrack(path)
    prompts = [prompt for style in soundtrack.styles.values() for prompt in style.prompts]
    recordings = sum(prompt.audio is not None for prompt in prompts)
    return SoundtrackFacts(soundtrack.soundtrack, len(soundtrack.styles), len(prompts) - recordings, recordings)
