# SPDX-License-Identifier: Apache-2.0
"""`segue bench`: how long a step takes on this machine, and how many sessions that makes in real time."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console, write_json
from segue_service.cli.engine import Codec, Device, Dtype, ModelName, ModelsDir, build_engine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from segue_engine.assemble import Assembly
    from segue_engine.contract import SlotHandle

FRAME_MS = 40.0
STYLES = (
    "calm exploration, harp",
    "combat, war drums",
    "stealth, dark",
    "synthwave",
    "village, flute",
    "horror",
    "boss, choir",
)


@dataclass(frozen=True)
class StepTimes:
    """Wall milliseconds from dispatch to blocks on the host, all slots due, over `steps` steps."""

    slots: int
    steps: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cpu_ms: float
    """CPU milliseconds of the whole process per step, on all cores."""

    @property
    def realtime(self) -> bool:
        return self.p95_ms <= FRAME_MS


class Bench:
    """An engine that is filled up slot by slot and timed at each size."""

    def __init__(self, assembly: Assembly, steps: int) -> None:
        from segue_engine.contract import Conditioning, Prompt

        self._engine, self._steps = assembly.engine, steps
        encoder = assembly.style_encoder
        codes = encoder.quantise(encoder.embed([Prompt(text=text) for text in STYLES]).embeddings)
        self._conditioning = [Conditioning(style_codes=tuple(int(c) for c in row)) for row in codes]
        self._handles: list[SlotHandle] = []

    def measure(self, slots: int, steps: int | None = None) -> StepTimes:
        """Bind exactly `slots` slots and time steps in which all of them are due."""
        while len(self._handles) > slots:
            self._engine.release(self._handles.pop())
        while len(self._handles) < slots:
            i = len(self._handles)
            self._handles.append(self._engine.insert(1000 + i, self._conditioning[i % len(self._conditioning)]))
        for _ in range(12):
            self._step()
        cpu = time.process_time()
        times: NDArray[np.float64] = np.array([self._step() for _ in range(steps or self._steps)])
        cpu = (time.process_time() - cpu) / len(times)
        p50, p95, p99 = np.percentile(times, (50, 95, 99))
        return StepTimes(slots, len(times), *(round(float(x), 2) for x in (p50, p95, p99, times.max(), cpu * 1000)))

    def _step(self) -> float:
        started = time.perf_counter()
        self._engine.step(self._handles)
        blocks = self._engine.flush()
        if blocks is None or blocks.count != len(self._handles):
            raise CommandError("the engine did not hand over a block for every slot: this is a bug")
        return (time.perf_counter() - started) * 1000

    def largest_realtime(self, measured: list[StepTimes], most: int) -> StepTimes | None:
        """Between the sizes measured, the most sessions whose p95 step fits into 40 ms, found by bisection."""
        fitting = [times for times in measured if times.realtime]
        best = max(fitting, key=lambda times: times.slots, default=None)
        low = best.slots if best else 0
        high = min((t.slots for t in measured if not t.realtime and t.slots > low), default=most + 1)
        while high - low > max(1, low // 16):
            middle = (low + high) // 2
            times = self.measure(middle)
            if times.realtime:
                best, low = times, middle
            else:
                high = middle
        return best


def hardware() -> dict[str, Any]:
    """What the figures were taken on."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        name = names[0] if names else name
    return {
        "cpu": name,
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "jax": metadata.version("jax"),
        "jaxlib": metadata.version("jaxlib"),
    }


def parse_sizes(text: str) -> list[int]:
    """ "1,4,16" → [1, 4, 16]; raises CommandError."""
    try:
        sizes = sorted({int(part) for part in text.split(",")})
    except ValueError:
        sizes = []
    if not sizes or sizes[0] < 1 or sizes[-1] > 4096:
        raise CommandError(f'--slots: expected numbers such as "1,4,16", each 1..4096, got "{text}"', EXIT_BAD_INPUT)
    return sizes


def bench(
    model: ModelName = "starter",
    slots: Annotated[str, typer.Option(help="Numbers of slots to time.")] = "1,4,16,32,64",
    steps: Annotated[int, typer.Option(min=20, max=100_000, help="Steps timed at each size.")] = 250,
    device: Device = "auto",
    models_dir: ModelsDir = None,
    dtype: Dtype = "auto",
    codec: Codec = "auto",
    json: Annotated[Path | None, typer.Option(help="Also write the figures to this file.")] = None,
) -> None:
    """Time steps of the batched engine and find how many sessions run in real time (p95 of a step ≤ 40 ms)."""
    sizes = parse_sizes(slots)
    started = time.perf_counter()
    with console.status(f"loading {model} and compiling (kept for the next run) …"):
        assembly = build_engine(model, sizes[-1], device, models_dir, dtype=dtype, codec=codec)
        assembly.engine.warm_up()
    ready = time.perf_counter() - started
    info = assembly.engine.info
    console.print(f" {info.version} ready in {ready:.1f} s on {info.device}, {info.bytes_per_slot / 1e6:.2f} MB a slot")
    measured: list[StepTimes] = []
    try:
        timing = Bench(assembly, steps)
        columns = TextColumn(" {task.description:<12}"), BarColumn(40), TimeElapsedColumn()
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=len(sizes) + 1)
            for size in sizes:
                progress.update(task, description=f"{size} slots")
                measured.append(timing.measure(size))
                progress.advance(task)
            progress.update(task, description="real time")
            best = timing.largest_realtime(measured, sizes[-1])
    finally:
        assembly.engine.close()
    _print(measured, best)
    report = {
        "model": info.version,
        "device": info.device,
        "hardware": hardware(),
        "frame_ms": FRAME_MS,
        "ready_s": round(ready, 2),
        "bytes_per_slot": info.bytes_per_slot,
        "steps": [asdict(times) for times in measured],
        "realtime_sessions": best.slots if best else 0,
        "realtime_step": asdict(best) if best else None,
    }
    write_json(json, report)


def _print(measured: list[StepTimes], best: StepTimes | None) -> None:
    table = Table("slots", "p50 ms", "p95 ms", "p99 ms", "max ms", "CPU ms", "× real time", box=None, pad_edge=True)
    for column in table.columns:
        column.justify = "right"
    for t in measured:
        cells = [t.p50_ms, t.p95_ms, t.p99_ms, t.max_ms, t.cpu_ms]
        table.add_row(str(t.slots), *(f"{x:.1f}" for x in cells), f"{FRAME_MS / t.p50_ms:.1f}")
    console.print(table)
    facts = hardware()
    where = f"{facts['cores']} cores of {facts['cpu']}"
    if best is None:
        console.print(f" 0 real-time sessions on {where}: not even one slot is stepped within {FRAME_MS:.0f} ms at p95")
    else:
        console.print(
            f" {best.slots} real-time sessions on {where}: step p95 {best.p95_ms:.1f} ms of {FRAME_MS:.0f} ms"
        )
