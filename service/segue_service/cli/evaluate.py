# SPDX-License-Identifier: Apache-2.0
"""`segue eval starter`: measure the bundled model and the composer that taught it, side by side."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from segue_service.cli.bench import hardware
from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console, write_json
from segue_service.cli.extras import needs
from segue_service.cli.train import check_trainable

if TYPE_CHECKING:
    from segue_engine.models.starter.evaluation.generate import Performer
    from segue_engine.models.starter.evaluation.suite import Evaluation


class Bars:
    """One progress bar per stage; the finished ones leave their line behind."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._total = 0

    def stage(self, name: str, frames: int) -> None:
        self.finish()
        self._total = frames
        self._task = self._progress.add_task(name, total=frames)

    def advance(self, frames: int) -> None:
        if self._task is not None:
            self._progress.advance(self._task, frames)

    def finish(self) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=self._total)


def evaluate(
    model: Annotated[str, typer.Argument(help="Model to evaluate: starter.")] = "starter",
    quick: Annotated[bool, typer.Option("--quick", help="Short renders: a minute or two, rough figures.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The same seed gives the same figures.")] = 0,
    temperature: Annotated[float | None, typer.Option(min=0.0, max=4.0, help="Instead of the model's own.")] = None,
    guidance: Annotated[
        float, typer.Option(min=-1.0, max=7.0, help="Style guidance of the variant that also plays jumps and fades.")
    ] = 2.0,
    rows: Annotated[int, typer.Option(min=1, max=256, help="Streams generated at a time.")] = 16,
    weights: Annotated[Path | None, typer.Option(help="Folder of weights instead of the bundled ones.")] = None,
    composer_only: Annotated[bool, typer.Option("--composer-only", help="Leave the model out.")] = False,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
    card: Annotated[Path | None, typer.Option(help="Write the model card's section (Markdown) to this file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write pictures into this folder.")] = None,
) -> None:
    """Measure music, style, reactions and sound of the model beside its composer (full: minutes; --quick: less)."""
    check_trainable(model)
    for name, path in (("--json", json), ("--card", card)):
        if path is not None and path.is_dir():
            raise CommandError(f"{name}: expected a file, but {path} is a folder", EXIT_BAD_INPUT)
    if out is not None and out.exists() and not out.is_dir():
        raise CommandError(f"--out: expected a folder, but {out} is a file", EXIT_BAD_INPUT)
    needs("sklearn", "eval: judging styles")
    if out is not None:
        needs("matplotlib", "--out: drawing")
    from platformdirs import user_cache_path

    from segue_engine.models.starter.evaluation import suite
    from segue_engine.models.starter.evaluation.pictures import write_pictures
    from segue_engine.models.starter.evaluation.report import as_json, card_section
    from segue_engine.models.starter.evaluation.sizes import Sizes

    facts: dict[str, Any] = {"model": None, "quick": quick}
    player: Performer | None = None
    variants: list[Performer] = []
    if not composer_only:
        version, player, variants = _players(weights, temperature, guidance, rows)
        facts |= {"model": version, "temperature": temperature, "guidance": guidance}
    started = time.perf_counter()
    columns = TextColumn(" {task.description:<26}"), BarColumn(32), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        bars = Bars(progress)
        evaluation = suite.evaluate(
            player, variants, Sizes.quick() if quick else Sizes(), seed, user_cache_path("segue") / "judges", bars
        )
        bars.finish()
    _print(evaluation)
    report = as_json(evaluation, facts)
    took = time.perf_counter() - started
    write_json(json, {**report, "hardware": hardware(), "took_s": round(took, 1)})
    if card is not None:
        card.parent.mkdir(parents=True, exist_ok=True)
        card.write_text(card_section(evaluation, facts), encoding="utf-8")
    if out is not None:
        console.print(f" {len(write_pictures(evaluation, out))} pictures in {out}")
    console.print(f" {took:.0f} s, seed {seed}" + (", quick: rough figures" if quick else ""))


def _players(
    weights: Path | None, temperature: float | None, guidance: float, rows: int
) -> tuple[str, Performer, list[Performer]]:
    """The model's version, the model as a performer, and its guided variant."""
    from segue_engine.models.starter.evaluation.generate import Draw, ModelPerformer
    from segue_engine.models.starter.model import StarterModel
    from segue_engine.models.starter.weights import WeightsError
    from segue_engine.styles.starter_encoder import TagStyleEncoder

    try:
        starter = StarterModel.bundled(weights)
    except WeightsError as failure:
        raise CommandError(str(failure)) from None
    quantiser = TagStyleEncoder.bundled().quantiser
    plain = ModelPerformer(starter, quantiser, "model", Draw(temperature=temperature), rows)
    if guidance == 1.0:
        return starter.version, plain, []
    name = f"guidance {guidance:g}"
    return (
        starter.version,
        plain,
        [ModelPerformer(starter, quantiser, name, Draw(temperature=temperature, guidance=guidance), rows)],
    )


def _print(evaluation: Evaluation) -> None:
    from segue_engine.models.starter.evaluation.report import shortfalls
    from segue_engine.models.starter.evaluation.table import lines, model_of

    table = Table("", *(p.name for p in evaluation.performances), "held against", box=None, pad_edge=True)
    table.columns[0].no_wrap = True
    for column in table.columns[1:-1]:
        column.justify = "right"
    section = ""
    for line in lines(evaluation):
        if line.section != section:
            section = line.section
            table.add_row(f"[bold]{section}[/bold]")
        table.add_row(f"  {line.label}", *line.cells, line.bar)
    console.print(table)
    if model_of(evaluation) is None:
        return
    found = shortfalls(evaluation)
    if not found:
        console.print(" no render is worse than the composer's 10th percentile of its style on any musical figure")
        return
    console.print(" [bold]worse than the composer's 10th percentile of the style[/bold] (the card must say so):")
    for sentence in found:
        console.print(f"   {sentence}", markup=False)
