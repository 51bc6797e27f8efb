# SPDX-License-Identifier: Apache-2.0
"""`segue models download`: brings a published model's files, after its licence has been read and accepted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console, errors
from segue_service.cli.models_shared import ModelsDir, bars, explained

if TYPE_CHECKING:
    from segue_engine.checkpoints.catalogue import ModelEntry
    from segue_engine.checkpoints.download import Outcome, Plan
    from segue_engine.checkpoints.sources import Listing, Source

SHOWN_LINES = 60
"""Of a repository's own words on licence and terms; the rest is in the file."""


def download(
    model: Annotated[str, typer.Argument(help="mrt2_small, mrt2_base, mrt1_base or mrt1_large.")],
    models_dir: ModelsDir = None,
    mirror: Annotated[
        Path | None,
        typer.Option(help="Copy from this folder, which has the repositories' layout; no network."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no network; say what is missing.")] = False,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", "--accept-license", help="Accept licence and terms without a question.")
    ] = False,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the model's repository.")] = None,
) -> None:
    """Download a model's files, go on where an earlier try stopped, and verify every one."""
    from segue_engine.checkpoints import hub
    from segue_engine.checkpoints.catalogue import STARTER, published
    from segue_engine.checkpoints.places import models_folder
    from segue_engine.checkpoints.sources import Mirror

    if model == STARTER:
        console.print(" starter comes with the package; there is nothing to download")
        return
    with explained(EXIT_BAD_INPUT):
        entry = published(model)
    folder = models_folder(models_dir)
    if mirror is None and (offline or hub.offline()):
        _offline(entry, models_dir)
        return
    if mirror is not None and mirror.resolve() == folder.resolve():
        raise CommandError(f"--mirror {mirror}: is the models folder itself", EXIT_BAD_INPUT)
    sources: dict[tuple[str, ...], Source] = {
        (repository,): hub.Hub(repository, revision if repository == entry.repository else None)
        for repository in entry.repositories
    }
    if mirror is not None:
        sources = {entry.repositories: Mirror(mirror)}
    try:
        with explained():
            _download(entry, sources, folder, models_dir, accept_licence)
    except KeyboardInterrupt:
        errors.print("segue: stopped; the same command goes on from here")
        raise


@dataclass(frozen=True)
class _Part:
    """What one source brings of a model. name: of the folder for what it says about licences and terms."""

    source: Source
    listing: Listing
    plan: Plan
    name: str


def _download(
    entry: ModelEntry,
    sources: Mapping[tuple[str, ...], Source],
    folder: Path,
    models_dir: Path | None,
    accepted: bool,
) -> None:
    """sources: repositories → what serves them."""
    from segue_engine.checkpoints.download import download, fetch_terms
    from segue_engine.checkpoints.places import places

    parts = _plans(entry, sources, models_dir)
    with bars() as progress:
        terms = [path for part in parts for path in fetch_terms(part.source, part.listing, folder, part.name, progress)]
    _licence(entry, sum(part.plan.size for part in parts), folder, terms, accepted)
    elsewhere = [place.folder for place in places(models_dir, entry.family) if place.folder != folder]
    for part in parts:
        with bars() as progress:
            outcome = download(part.plan, part.source, part.listing, folder, elsewhere, progress)
        _report(entry, part.plan, part.listing, folder, outcome)


def _plans(entry: ModelEntry, sources: Mapping[tuple[str, ...], Source], models_dir: Path | None) -> list[_Part]:
    """Every source is asked before anything is fetched."""
    from segue_engine.checkpoints.catalogue import Role
    from segue_engine.checkpoints.download import plan
    from segue_engine.checkpoints.located import locate

    located = locate(entry.name, models_dir)
    here: tuple[Role, ...] = ("codec",) if located.codec_apart and located.codec else ()
    parts = []
    for repositories, source in sources.items():
        listing = source.listing()
        name = repositories[0].rsplit("/", 1)[-1] if len(repositories) == 1 else "mirror"
        parts.append(_Part(source, listing, plan(entry, listing, repositories, here), name))
    return parts


def _licence(entry: ModelEntry, size: int, folder: Path, terms: Sequence[Path], accepted: bool) -> None:
    """Show licence and terms, have them accepted, keep them beside the files. Raises CommandError if they are not."""
    from segue_engine.checkpoints.description import write_whole
    from segue_engine.checkpoints.errors import size_text
    from segue_engine.checkpoints.licences import LICENSE_FILES, licence_notice
    from segue_engine.checkpoints.manifest import read_manifest, write_manifest

    manifest = read_manifest(folder)
    notice = licence_notice(entry)
    new = [repository for repository in entry.repositories if repository not in manifest.licences]
    if new:
        console.print(notice, markup=False, soft_wrap=True)
        for path in terms:
            _show_terms(path)
        if not accepted:
            _ask(f" {size_text(size)} go to {folder}. Accept licence and terms?")
        today = time.strftime("%Y-%m-%d")
        for repository in new:
            manifest = manifest.with_licence(repository, f"accepted {today}, {entry.weights_licence}")
        write_manifest(folder, manifest)
    write_whole(folder / LICENSE_FILES[entry.family], notice)


def _show_terms(path: Path) -> None:
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = ["".join(letter for letter in line if letter.isprintable()) for line in text.splitlines()]
    console.print(f" {path.name}, from the repository:", style="bold", markup=False)
    console.print("\n".join(f"   {line}" for line in lines[:SHOWN_LINES]), markup=False, soft_wrap=True)
    if len(lines) > SHOWN_LINES:
        console.print(f"   … {len(lines) - SHOWN_LINES} more lines in {path}", markup=False, soft_wrap=True)


def _ask(question: str) -> None:
    try:
        answer = typer.confirm(question)
    except typer.Abort:
        raise CommandError("nobody is there to answer; `--accept-licence` accepts", EXIT_BAD_INPUT) from None
    if not answer:
        raise CommandError("licence and terms were not accepted; nothing was fetched")


def _report(entry: ModelEntry, planned: Plan, listing: Listing, folder: Path, outcome: Outcome) -> None:
    at = f" at {listing.revision[:12]}" if listing.revision else ""
    console.print(f" {entry.name} from {listing.name}{at}, in {folder}", markup=False, soft_wrap=True)
    for path in outcome.fetched:
        console.print(f"   fetched and verified  {path}", markup=False)
    for path, place in outcome.kept.items():
        console.print(
            f"   was here already      {place if place != folder / path else path}", markup=False, soft_wrap=True
        )
    for file in planned.lacking:
        console.print(f"   not offered           {file.path} (lost: {file.purpose})", style="dim", markup=False)


def _offline(entry: ModelEntry, models_dir: Path | None) -> None:
    from segue_engine.checkpoints.hub import OFFLINE_HELP
    from segue_engine.checkpoints.located import CODEC_HELP, locate
    from segue_engine.checkpoints.places import places

    located = locate(entry.name, models_dir)
    if located.missing:
        codec = f"\n{CODEC_HELP}" if located.codec_apart and not located.codec else ""
        looked = ", ".join(str(place.folder) for place in places(models_dir, entry.family))
        missing = f"{', '.join(located.missing)}{codec}"
        raise CommandError(f"offline, and {entry.name} is missing {missing}\nlooked in {looked}\n{OFFLINE_HELP}")
    console.print(
        f" offline: nothing was fetched; {entry.name} is here: {located.checkpoint}", markup=False, soft_wrap=True
    )
    for path in located.absent:
        console.print(f"   not here, and not required: {path}", style="dim", markup=False)
