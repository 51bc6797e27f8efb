# SPDX-License-Identifier: Apache-2.0
"""`segue test`: play every edge of a soundtrack once, measure it, and fail where it breaks what the studio has set."""

from __future__ import annotations

import asyncio
import json as json_module
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from segue_service.cli.console import EXIT_BAD_INPUT, EXIT_FAILED, CommandError, console, stop_requested
from segue_service.cli.engine import Codec, Device, Dtype, Mapper, ModelName, ModelsDir, StyleLevels
from segue_service.cli.extras import needs
from segue_service.cli.files import read_soundtrack
from segue_service.cli.studio import Slots, compiled, engine_for, progress, write_whole
from segue_service.soundtrack import Machine, Soundtrack

if TYPE_CHECKING:
    from segue_engine.assemble import Assembly
    from segue_service.rehearsal.ears import Blends, Ear
    from segue_service.rehearsal.edges import Edge
    from segue_service.rehearsal.page import Rehearsal
    from segue_service.rehearsal.run import Lengths, Plan
    from segue_service.rehearsal.thresholds import TestFile

STARTER, JUDGING = "starter", "test: judging the starter's styles"
EXAMPLES = """
    segue test dungeon.soundtrack.yaml                           figures, and dungeon.test.html

    segue test dungeon.soundtrack.yaml --seeds 3 --junit t.xml   for continuous integration

    segue test dungeon.soundtrack.yaml --only "→ boss" --min-adherence 0.7
"""


def rehearse_edges(
    file: Annotated[Path, typer.Argument(help="Soundtrack: a .soundtrack.yaml, or what `segue build` wrote.")],
    seconds: Annotated[float, typer.Option(min=4, max=60, help="How long the source plays before the change.")] = 6.0,
    after: Annotated[float, typer.Option(min=4, max=60, help="How long is listened after the fade.")] = 8.0,
    seeds: Annotated[int, typer.Option(min=1, max=32, help="Takes of each edge, each with a seed of its own.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Another one gives other takes; the same one the same.")] = 0,
    only: Annotated[str | None, typer.Option(help="Only edges with this in their name, as `combat →`.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Play no more edges than this.")] = 128,
    max_settle: Annotated[float | None, typer.Option(help="Seconds from the fade's end (default: 4).")] = None,
    min_adherence: Annotated[float | None, typer.Option(help="Likeness in the end, 0 to 1 (default: 0.5).")] = None,
    max_click: Annotated[float | None, typer.Option(help="Roughness at a frame's edge (default: 25).")] = None,
    max_loudness: Annotated[float | None, typer.Option(help="LU beyond what gain_db asks (default: 5).")] = None,
    max_off: Annotated[float | None, typer.Option(help="Milliseconds off the beat or bar (default: 40).")] = None,
    thresholds: Annotated[
        Path | None, typer.Option(help="Thresholds (TOML) (default: segue-test.toml beside the soundtrack, if any).")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="HTML report (default: NAME.test.html).")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no HTML report.")] = False,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Also write JUnit XML to this file.")] = None,
    slots: Slots = None,
    model: ModelName = "starter",
    device: Device = "auto",
    models_dir: ModelsDir = None,
    dtype: Dtype = "auto",
    codec: Codec = "auto",
    style_levels: StyleLevels = 12,
    mapper: Mapper = "auto",
) -> None:
    """Play every transition and stinger of a soundtrack, measure them, write a report. Exit code 1: an edge fails.

    Per edge: how soon the new style is heard (settle) and how surely (adherence), clicks, the jump of loudness, and
    how far the change is from its beat or bar. docs/segue-test.md defines every figure and the thresholds' file, whose
    entries for single edges go before these options, which go before its general ones.
    """
    from segue_service.rehearsal.edges import edges_of
    from segue_service.rehearsal.run import Lengths, plans

    if model == STARTER:
        needs("sklearn", JUDGING)
    soundtrack = read_soundtrack(file)
    limits = _limits(
        *(file, thresholds),
        {"settle": max_settle, "adherence": min_adherence, "click": max_click, "loudness": max_loudness,
         "alignment": max_off},
    )  # fmt: skip
    found = [edge for edge in edges_of(soundtrack) if only is None or only in edge.name]
    if not found:
        known = "it has no transition and no style stinger" if only is None else f"no edge has {only!r} in its name"
        raise CommandError(f"{file}: nothing to test: {known}", EXIT_BAD_INPUT)
    edges, left = _choose(found, limit)
    lengths = Lengths(seconds, after)
    planned = plans(Machine(soundtrack), edges, lengths)
    left += [(plan.edge.name, plan.why) for plan in planned if plan.stage is None]
    left += [(f"♪ {name}", "a clip, which the client mixes in") for name, s in soundtrack.stingers.items() if s.clip]
    count = sum(plan.stage is not None for plan in planned)
    if not count:
        raise CommandError(f"{file}: nothing to test: no edge can happen ({left[0][0]}: {left[0][1]})", EXIT_BAD_INPUT)
    engine = engine_for(
        *(model, count * seeds, slots, device, models_dir),
        dtype=dtype,
        codec=codec,
        style_levels=style_levels,
        mapper=mapper,
    )
    with engine as assembly:
        excerpts = not no_report
        rehearsal = asyncio.run(
            _rehearse(assembly, soundtrack, file.parent, planned, limits, lengths, seed, seeds, left, excerpts)
        )
    _tell(rehearsal)
    _write(rehearsal, None if no_report else report or Path(f"{soundtrack.soundtrack}.test.html"), json, junit)
    if rehearsal.failing:
        raise stop_requested(EXIT_FAILED)


async def _rehearse(
    assembly: Assembly,
    soundtrack: Soundtrack,
    folder: Path,
    planned: Sequence[Plan],
    limits: TestFile,
    lengths: Lengths,
    seed: int,
    seeds: int,
    left: Sequence[tuple[str, str]],
    excerpts: bool,
) -> Rehearsal:
    from segue_engine.contract import FRAME_RATE
    from segue_service.rehearsal.excerpt import Kept, keep
    from segue_service.rehearsal.page import Rehearsal, Result
    from segue_service.rehearsal.run import blends_of, rehearse
    from segue_service.rehearsal.verdict import judge

    takes: dict[Edge, list[Kept]] = {plan.edge: [] for plan in planned if plan.stage is not None}
    with ThreadPoolExecutor(1) as executor, progress("testing") as bar:
        record, notes = await compiled(assembly, soundtrack, folder, executor)
        blends = blends_of(record, planned)
        ear = _ear(assembly, blends)
        task = bar.add_task("", total=len(takes) * seeds, music=0.0)
        frames = 0

        def more(count: int) -> None:
            nonlocal frames
            frames += count
            bar.update(task, music=frames / FRAME_RATE)

        async for take in rehearse(
            *(assembly.engine, record, planned, ear, blends, executor),
            seed=seed,
            takes=seeds,
            lengths=lengths,
            slots=assembly.info.slots,
            on_frames=more,
        ):
            takes[take.edge].append(keep(take, excerpt=excerpts))
            bar.advance(task)
    own_scale = ear is not None and ear.scale == "own"
    if own_scale and "adherence" not in limits.thresholds.model_fields_set:
        limits = limits.without_adherence()
        notes.append("adherence has no scale on this model that all soundtracks share: it is judged only with a "
                     "threshold of your own")  # fmt: skip
    results = tuple(
        Result(
            judge(edge, [one.figures for one in kept], limits.of(edge), next((o.why for o in kept if o.why), "")),
            tuple(kept),
        )
        for edge, kept in takes.items()
    )
    info = assembly.info
    said = ear.said if ear is not None else "nobody: the model's style encoder takes no recordings"
    return Rehearsal(
        *(soundtrack, record.hash, info.model, info.version, seed, results, tuple(left), tuple(notes), said, own_scale),
        seconds=frames / FRAME_RATE,
    )


def _ear(assembly: Assembly, blends: Blends) -> Ear | None:
    """Who can judge this model's style, if anybody can."""
    from segue_service.rehearsal.ears import AudioEar, CodeEar, TokenEar

    if assembly.info.model == "fake":
        return CodeEar(assembly.style_encoder.quantise(blends.embeddings))
    if assembly.info.model == STARTER:
        if len(blends.embeddings) < 2:
            return None
        needs("sklearn", JUDGING)
        from segue_engine.models.starter.evaluation.ear import TokenEar as Teller

        return TokenEar(Teller(blends.embeddings), blends.embeddings)
    return AudioEar(assembly.style_encoder, blends.embeddings) if assembly.style_encoder.takes_audio else None


def _limits(file: Path, given: Path | None, options: dict[str, float | None]) -> TestFile:
    from segue_service.rehearsal.thresholds import FILE_NAME, TestFile, read_thresholds

    path = given or file.parent / FILE_NAME
    try:
        read = TestFile.model_validate({}) if given is None and not path.is_file() else read_thresholds(path)
        return read.with_options(options)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}", EXIT_BAD_INPUT) from None
    except ValueError as error:
        raise CommandError(str(error), EXIT_BAD_INPUT) from None


def _choose(found: Sequence[Edge], limit: int) -> tuple[tuple[Edge, ...], list[tuple[str, str]]]:
    from segue_service.rehearsal.edges import choose

    edges = choose(found, limit)
    if len(edges) == len(found):
        return edges, []
    console.print(f" {len(found)} edges, of which {len(edges)} are played: --limit {limit}", style="yellow")
    chosen = set(edges)
    return edges, [(edge.name, f"left out by --limit {limit}") for edge in found if edge not in chosen]


def _tell(rehearsal: Rehearsal) -> None:
    from segue_service.rehearsal.page import seconds

    table = Table("edge", "settle", "like", "click", "loudness", "off beat", "", box=None, pad_edge=True)
    for column in table.columns[1:6]:
        column.justify, column.no_wrap = "right", True
    for result in rehearsal.results:
        verdict, figures = result.verdict, result.verdict.figures
        name = escape(verdict.edge.name)
        mark = "[green]✓[/green]" if verdict.passed else "[bold red]✗[/bold red]"
        if figures is None:
            table.add_row(f"[red]{name}[/red]", "", "", "", "", "", mark)
            continue
        before = "" if figures.adherence_before is None else f"{figures.adherence_before:.2f} → "
        cells = {
            "settle": seconds(figures.settle),
            "adherence": "n/a" if figures.adherence is None else f"{before}{figures.adherence:.2f}",
            "click": "n/a" if figures.click is None else f"{figures.click:.1f}",
            "loudness": "n/a" if figures.jump is None else f"{figures.jump:+.1f} LU",
            "alignment": "n/a" if figures.off_ms is None else f"{figures.off_ms:.0f} ms",
        }
        shown = [f"[red]{cell}[/red]" if verdict.failed(metric) else cell for metric, cell in cells.items()]
        table.add_row(name if verdict.passed else f"[red]{name}[/red]", *shown, mark)
    console.print(table)
    for result in rehearsal.failing:
        console.print(f" [bold red]✗[/bold red] [red]{escape(result.verdict.edge.name)}[/red]")
        for failure in result.verdict.failures:
            console.print(f"   {escape(failure.said)}\n     [bright_black]try:[/bright_black] {escape(failure.advice)}")
    for name, why in rehearsal.left:
        console.print(f" not played: {escape(name)}: {escape(why)}", style="bright_black")
    total, failed = len(rehearsal.results), len(rehearsal.failing)
    console.print(f" {total - failed} of {total} edges pass", style="bold red" if failed else "bold green")


def _write(rehearsal: Rehearsal, report: Path | None, json: Path | None, junit: Path | None) -> None:
    from segue_service.rehearsal.outcome import as_json, as_junit
    from segue_service.rehearsal.page import html

    if report is not None:
        page = html(rehearsal).encode()
        write_whole(report, page)
        console.print(f" wrote {report}, {len(page) / 1e6:.1f} MB", markup=False)
    if json is not None:
        text = json_module.dumps(as_json(rehearsal), indent=2, ensure_ascii=False) + "\n"
        write_whole(json, text.encode())
    if junit is not None:
        write_whole(junit, as_junit(rehearsal).encode())
