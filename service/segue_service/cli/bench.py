# SPDX-License-Identifier: Apache-2.0
"""`segue bench`: how long a step takes on this machine and where the time goes, how many sessions that makes in real
time, and what a session takes of memory."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from segue_service.cli.bench_run import Figures, Plan, run
from segue_service.cli.bench_steps import FEWEST_STEPS, FRAME_MS
from segue_service.cli.bench_tables import print_figures, print_ready
from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console, write_json
from segue_service.cli.engine import Codec, Device, Devices, Dtype, ModelName, ModelsDir, build_engine

if TYPE_CHECKING:
    from segue_engine.assemble_profile import Examined


ACCELERATOR_PACKAGES: Final = ("jax-cuda12-plugin", "jax-cuda13-plugin", "libtpu")


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
        **{name: version for name in ACCELERATOR_PACKAGES if (version := _installed(name))},
    }


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


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
    steps: Annotated[int, typer.Option(min=FEWEST_STEPS, max=100_000, help="Steps timed at each size.")] = 250,
    seconds: Annotated[
        float,
        typer.Option(
            min=0.0,
            help=f"Fewer steps where they take longer than this, but {FEWEST_STEPS} always, "
            "and two chunks of every slot where the model has an encoder.",
        ),
    ] = 60.0,
    parts: Annotated[bool, typer.Option(help="Also time the parts of a step, each compiled alone.")] = True,
    rewind: Annotated[
        int, typer.Option(min=0, max=2500, help="Frames that a session can go back, which takes memory.")
    ] = 0,
    device: Device = "auto",
    devices: Devices = "auto",
    models_dir: ModelsDir = None,
    dtype: Dtype = "auto",
    codec: Codec = "auto",
    json: Annotated[Path | None, typer.Option(help="Also write the figures to this file.")] = None,
) -> None:
    """Time steps of the batched engine and their parts, find how many sessions run in real time (p95 of a step ≤ 40 ms)
    and what a session takes of memory."""
    sizes = parse_sizes(slots)
    if json is not None and json.is_dir():
        raise CommandError(f"--json: expected a file, but {json} is a folder", EXIT_BAD_INPUT)
    started = time.perf_counter()
    with console.status(f"loading {model} …") as status:
        assembly = build_engine(model, sizes[-1], device, models_dir, dtype=dtype, codec=codec, devices=devices)
        plan = Plan(tuple(sizes), steps, seconds, rewind, parts)
        figures = run(assembly, plan, started, lambda doing: status.update(f"{doing} …"), print_ready)
    print_figures(figures, _where(figures.examined))
    write_json(json, report(figures))


def report(figures: Figures) -> dict[str, Any]:
    """The figures as they are written to a file; times in milliseconds, sizes in bytes."""
    info, examined = figures.info, figures.examined
    return {
        "model": info.version,
        "device": info.device,
        "settings": examined.settings if examined else {},
        "hardware": hardware() | ({"device": examined.device} if examined else {}),
        "frame_ms": FRAME_MS,
        "ready_s": figures.ready_s,
        "bytes_per_slot": info.bytes_per_slot,
        "rewind_frames": info.rewind_frames,
        "steps": [asdict(times) for times in figures.steps],
        "realtime_sessions": figures.best_p95.slots if figures.best_p95 else 0,
        "realtime_step": asdict(figures.best_p95) if figures.best_p95 else None,
        "realtime_sessions_p99": figures.best_p99.slots if figures.best_p99 else 0,
        "realtime_step_p99": asdict(figures.best_p99) if figures.best_p99 else None,
        "parts": [asdict(times) for times in figures.parts],
        "encoder": asdict(figures.encoder) if figures.encoder else None,
        "memory": _memory(examined) if examined else None,
        "left_out": [asdict(left_out) for left_out in figures.left_out],
    }


def _memory(examined: Examined) -> dict[str, Any]:
    memory = examined.memory
    return {
        "session_bytes": round(memory.session),
        "weights_bytes": memory.weights,
        "groups": [
            {
                "name": group.name,
                "bytes": round(group.measured),
                "formula_bytes": group.expected,
                "formula": dict(group.formula),
            }
            for group in memory.groups
        ],
    }


def _where(examined: Examined | None) -> str:
    facts = hardware()
    cpu = f"{facts['cores']} cores of {facts['cpu']}"
    if examined is None or examined.device["platform"] == "cpu":
        return cpu
    return f"{examined.device['count']} × {examined.device['kind']}"
