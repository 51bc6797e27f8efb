# SPDX-License-Identifier: Apache-2.0
"""`segue demo`: start the service, play a soundtrack over gRPC in real time as a game would, show what happened."""

from __future__ import annotations

import asyncio
import contextlib
import json as json_module
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console, write_json
from segue_service.cli.extras import needs
from segue_service.cli.files import check_audio_path, read_script, read_soundtrack, write_audio
from segue_service.cli.render import clock

if TYPE_CHECKING:
    from segue_service.report.recording import Recording

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
START_SECONDS = 600.0
SAMPLE_RATE = 48_000


@contextlib.contextmanager
def server_process(soundtrack: Path, model: str, device: str, slots: int | None) -> Iterator[dict[str, Any]]:
    """A `segue serve` of its own on a free port, for as long as the block runs; yields what it announced."""
    with tempfile.TemporaryDirectory(prefix="segue-demo-") as folder:
        announce, log = Path(folder) / "ready.json", Path(folder) / "server.log"
        command = [
            sys.executable,
            "-m",
            "segue_service",
            "serve",
            str(soundtrack),
            "--port",
            "0",
            "--metrics-port",
            "0",
        ]
        command += ["--model", model, "--device", device, "--announce", str(announce), "--log", "json"]
        command += [] if slots is None else ["--slots", str(slots)]
        with log.open("wb") as output:
            # a session of its own, so that Ctrl-C reaches the demo, which then stops the server in order
            process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=os.name != "nt")
        try:
            with console.status("starting the service (the first time compiles the model and keeps it) …"):
                yield _announced(process, announce, log)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _announced(process: subprocess.Popen[bytes], announce: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while not announce.exists():
        if process.poll() is not None:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise CommandError("the service did not start:\n" + "\n".join(lines[-15:]))
        if time.monotonic() > deadline:
            raise CommandError(f"the service was not ready after {START_SECONDS:.0f} s")
        time.sleep(0.05)
    facts: dict[str, Any] = json_module.loads(announce.read_text(encoding="utf-8"))
    return facts


def step_seconds(metrics_port: int) -> float | None:
    """Mean seconds of engine work for a frame since the server started, from its metrics; None if it has made none.

    Steps in which no slot got a frame, since passes had to be worked off, count for the frame that came of them.
    """
    from prometheus_client.parser import text_string_to_metric_families

    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("le", "0.0") == "0.0":
                totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    count = totals.get("segue_step_seconds_count", 0.0) - totals.get("segue_step_rows_bucket", 0.0)
    return totals["segue_step_seconds_sum"] / count if count else None


def demo(
    soundtrack: Annotated[Path | None, typer.Argument(help="Soundtrack to play [default: examples/dungeon]")] = None,
    script: Annotated[Path | None, typer.Option(help="What the game says when [default: the soundtrack's own]")] = None,
    seconds: Annotated[float | None, typer.Option(min=5, max=3600, help="Length; the script's.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the session.")] = None,
    out: Annotated[Path, typer.Option(help="Where the audio goes (.flac, .wav, .ogg).")] = Path("demo.flac"),
    picture: Annotated[Path, typer.Option(help="Where the picture goes (.png, .svg).")] = Path("demo.png"),
    model: Annotated[str, typer.Option(help="Model to play with.")] = "starter",
    device: Annotated[str, typer.Option(help="auto, cpu, gpu or tpu.")] = "auto",
    slots: Annotated[int | None, typer.Option(min=1, help="Room for so many sessions; default by device.")] = None,
    json: Annotated[Path | None, typer.Option(help="Also write the figures to this file.")] = None,
) -> None:
    """Start the service, play a scripted game against it in real time, write what was heard and a picture of it."""
    needs("matplotlib", "demo: drawing")
    file = soundtrack or EXAMPLES / "dungeon" / "dungeon.soundtrack.yaml"
    name = read_soundtrack(file).soundtrack
    chosen = script or file.with_name(file.name.split(".")[0] + ".script.yaml")
    if not chosen.is_file():
        raise CommandError(f"{chosen}: no such script; name one with --script", EXIT_BAD_INPUT)
    plan = read_script(chosen)
    check_audio_path(out)
    if seconds is not None:
        plan = plan.model_copy(update={"length": seconds})
    if seed is not None:
        plan = plan.model_copy(update={"seed": seed})
    from segue_service.cli.game import Game

    with server_process(file, model, device, slots) as facts:
        console.print(
            f" {facts['model']} ready in {facts['ready_s']} s on {facts['device']}, {os.cpu_count()} cores, "
            f"room for {facts['slots']} sessions",
            markup=False,
        )
        game = Game(facts["address"], name, plan, tell=_line)
        recording = asyncio.run(game.play(f"{name} · seed {plan.seed} · {facts['model']}"))
        step = step_seconds(facts["metrics_port"]) if facts.get("metrics_port") else None
    write_audio(out, recording.pcm, SAMPLE_RATE)
    from segue_service.report.picture import draw

    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(recording, picture)
    factor = 0.04 / step if step else None
    _table(recording)
    speed = f", {factor:.1f} × real time" if factor else ""
    if game.first_audio is not None:
        console.print(f" first audio {game.first_audio * 1000:.0f} ms after the session was asked for")
    console.print(f" wrote {out}, {picture}         {len(recording.underruns)} underruns{speed}", markup=False)
    write_json(json, _report(recording, facts, factor, game.first_audio))


def _line(sample: int, text: str) -> None:
    console.print(f" {clock(sample / SAMPLE_RATE)}  {text}", markup=False)


def _table(recording: Recording) -> None:
    table = Table("event", "sent at", "audible at", "latency", box=None, pad_edge=True)
    for column in table.columns[1:]:
        column.justify = "right"
    for control in recording.controls:
        sent, heard = control.sent_sample / SAMPLE_RATE, control.audible_sample / SAMPLE_RATE
        table.add_row(control.label, clock(sent), clock(heard), f"{control.latency * 1000:.0f} ms")
    console.print(table)


def _report(
    recording: Recording, facts: dict[str, Any], factor: float | None, first_audio: float | None
) -> dict[str, Any]:
    return {
        **{key: facts[key] for key in ("model", "device", "slots", "ready_s")},
        "seconds": round(recording.seconds, 2),
        "underruns": len(recording.underruns),
        "first_audio_ms": None if first_audio is None else round(first_audio * 1000, 1),
        "real_time_factor": None if factor is None else round(factor, 2),
        "events": [
            {
                "event": control.label,
                "sent_sample": control.sent_sample,
                "audible_sample": control.audible_sample,
                "latency_ms": round(control.latency * 1000, 1),
            }
            for control in recording.controls
        ],
        "lead_ms": {
            "min": round(1000 * min((lead for _, lead in recording.lead), default=0.0)),
            "max": round(1000 * max((lead for _, lead in recording.lead), default=0.0)),
        },
    }
