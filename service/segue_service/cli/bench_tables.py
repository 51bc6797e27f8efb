# SPDX-License-Identifier: Apache-2.0
"""What `segue bench` shows: steps by number of slots, the parts of a frame, and what a session takes of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from segue_service.cli.bench_steps import FRAME_MS
from segue_service.cli.console import console

if TYPE_CHECKING:
    from segue_engine.assemble_profile import Examined
    from segue_engine.batch.memory import Memory
    from segue_engine.batch.profile import PartTimes
    from segue_engine.batch.profile_passes import EncoderTimes, Spread
    from segue_service.cli.bench_run import Figures, LeftOut
    from segue_service.cli.bench_steps import StepTimes

_FEW: Final = 3


def print_ready(figures: Figures) -> None:
    info, examined = figures.info, figures.examined
    settings = "".join(f", {name} {value}" for name, value in examined.settings.items()) if examined else ""
    console.print(
        f" {info.version} ready in {figures.ready_s:.1f} s on {info.device}{settings}, "
        f"{info.bytes_per_slot / 1e6:.2f} MB a slot"
    )


def print_figures(figures: Figures, where: str) -> None:
    """where: what it was measured on, such as "2 cores of …"."""
    console.print(_steps_table(figures.steps))
    _print_real_time(figures.best_p95, figures.best_p99, where)
    if figures.parts:
        console.print()
        console.print(_parts_table(figures.steps, figures.parts, figures.encoder))
        console.print(" Each part is compiled and timed alone, so they need not add up.")
    if figures.encoder:
        console.print(_encoder_table(figures.encoder))
    if figures.examined:
        console.print()
        _print_memory(figures.examined)
    for left_out in figures.left_out:
        console.print(f" {_sentence(left_out)}", markup=False)


def _steps_table(measured: list[StepTimes]) -> Table:
    table = _table("slots", "steps", "p50 ms", "p95 ms", "p99 ms", "max ms", "CPU ms", "frame ms", "× real time")
    for t in measured:
        cells = (t.p50_ms, t.p95_ms, t.p99_ms, t.max_ms, t.cpu_ms, t.frame_ms)
        table.add_row(str(t.slots), str(t.steps), *(f"{x:.1f}" for x in cells), f"{FRAME_MS / t.frame_ms:.2f}")
    return table


def _print_real_time(best_p95: StepTimes | None, best_p99: StepTimes | None, where: str) -> None:
    if best_p95 is None:
        console.print(f" 0 real-time sessions on {where}: not even one slot is stepped within {FRAME_MS:.0f} ms at p95")
        return
    at_p99 = "none" if best_p99 is None else f"{best_p99.slots} ({best_p99.p99_ms:.1f} ms)"
    console.print(
        f" {best_p95.slots} real-time sessions on {where}: step p95 {best_p95.p95_ms:.1f} ms of {FRAME_MS:.0f} ms; "
        f"by p99: {at_p99}"
    )


def _parts_table(steps: list[StepTimes], parts: list[PartTimes], encoder: EncoderTimes | None) -> Table:
    """A row for each part, indented under what it is a part of, a column for each number of slots.

    With 95th percentiles where there is room for them. An encoder's row is a mean, as is that of a whole frame, which
    is shown where there is one: its passes lie between steps too.
    """
    times = {(part.name, part.slots): part for part in parts}
    sizes = list(dict.fromkeys(part.slots for part in parts))
    both = len(sizes) <= _FEW
    title = "ms, median (p95)" if both else "ms, median"
    table = _table(title, *(f"{size} slot{'' if size == 1 else 's'}" for size in sizes))
    _name_first(table)
    whole = {t.slots: t for t in steps}
    if encoder:
        shares = {share.slots: share.ms for share in encoder.shares}
        table.add_row("frame of every slot, mean", *(f"{whole[size].frame_ms:.2f}" for size in sizes))
        table.add_row("  encoder, its share", *(f"{shares[size]:.2f}" for size in sizes))
    table.add_row("step, host and all", *(_milliseconds(whole[size], both) for size in sizes))
    for name, within in dict.fromkeys((part.name, part.within) for part in parts):
        cells = (times.get((name, size)) for size in sizes)
        indent = "    " if within else "  "
        table.add_row(indent + name, *(_milliseconds(part, both) if part else "" for part in cells))
    dispatched = {part.slots: part.rows for part in parts}
    table.add_row("rows of each dispatch", *(_rows(dispatched[size]) for size in sizes), style="dim")
    return table


def _encoder_table(encoder: EncoderTimes) -> Table:
    """What a slot's passes take, whatever the number of slots."""
    table = _table("encoder, of one slot, ms", "median (p95)", "a chunk")
    _name_first(table)
    count = encoder.passes
    table.add_row("  a piece", _milliseconds(encoder.piece, True), str(count * encoder.pieces))
    table.add_row("  finish and landing", _milliseconds(encoder.finish, True), str(count))
    table.add_row(f"  all passes of {encoder.frames} frames", _milliseconds(encoder.chunk, True), "1")
    return table


def _print_memory(examined: Examined) -> None:
    memory = examined.memory
    console.print(_memory_table(memory))
    console.print(f" Weights and tables: {_size(memory.weights)}, once on each device.")
    for group in memory.groups:
        for text, size in group.formula.items():
            console.print(f" {_size(size)}  {text}", markup=False, soft_wrap=True)


def _memory_table(memory: Memory) -> Table:
    table = _table("memory of a session", "measured", "by formula")
    _name_first(table)
    for group in memory.groups:
        expected = "as measured" if group.expected is None else _size(group.expected)
        table.add_row(group.name, _size(group.measured), expected)
    table.add_row(f"all, {memory.rewind_frames} frames of rewinding", _size(memory.session), "")
    return table


def _sentence(left_out: LeftOut) -> str:
    what = {
        "engine": "an engine",
        "steps": "the steps",
        "parts": "the parts of a step",
        "passes": "a bank for the encoder's passes",
    }[left_out.what]
    return f"{left_out.slots} slots left out: the device's memory does not hold {what} ({left_out.reason})"


def _rows(rows: tuple[int, ...]) -> str:
    """ "16, 16, 4" → "2 × 16, 4"."""
    counts = {size: rows.count(size) for size in dict.fromkeys(rows)}
    return ", ".join(str(size) if count == 1 else f"{count} × {size}" for size, count in counts.items())


def _milliseconds(times: StepTimes | PartTimes | Spread, both: bool) -> str:
    return f"{times.p50_ms:.2f} ({times.p95_ms:.2f})" if both else f"{times.p50_ms:.2f}"


def _size(count: float) -> str:
    return f"{count / 1e6:.3f} MB" if count >= 1e5 else f"{count / 1e3:.3f} kB"


def _name_first(table: Table) -> None:
    table.columns[0].justify, table.columns[0].no_wrap = "left", True


def _table(*columns: str) -> Table:
    table = Table(*columns, box=None, pad_edge=True)
    for column in table.columns:
        column.justify = "right"
    return table
