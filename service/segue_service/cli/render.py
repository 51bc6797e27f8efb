# SPDX-License-Identifier: Apache-2.0
"""`segue render`: play a soundtrack by a script into a file, offline and reproducible."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from segue_service.cli.console import CommandError, console, write_json
from segue_service.cli.engine import Codec, Device, Dtype, Mapper, ModelName, ModelsDir, StyleLevels, build_engine
from segue_service.cli.extras import needs
from segue_service.cli.files import (
    check_audio_path,
    prompt_audio,
    read_audio,
    read_script,
    read_soundtrack,
    write_audio,
)
from segue_service.cli.replay import replay_log
from segue_service.cli.script import Happening, Script
from segue_service.soundtrack import ControlError, Input, PostEvent, PostTrigger, SetParameters, SetState, Soundtrack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from segue_engine.assemble import Assembly
    from segue_service.report.recording import Recording
    from segue_service.session.offline import Performance

MAX_SECONDS = 4 * 3600.0


def inputs_of(happening: Happening) -> list[Input]:
    """What the state machine is told."""
    said: list[Input] = []
    if happening.set_:
        said.append(SetParameters(dict(happening.set_)))
    if happening.post:
        said.append(PostEvent(happening.post))
    if happening.trigger:
        said.append(PostTrigger(happening.trigger))
    if happening.state:
        said.append(SetState(happening.state))
    return said


async def perform(
    assembly: Assembly,
    soundtrack: Soundtrack,
    folder: Path,
    script: Script,
    seconds: float,
    seed: int,
    prefill: NDArray[np.float32] | None,
    progress: Any,
) -> Performance:
    """Play the script, going on from `prefill` if given; `progress(frame)` is called after each frame."""
    from segue_engine.contract import FRAME_RATE, EngineError, PromptError
    from segue_service.session.library import Library
    from segue_service.session.offline import Performer, Said, frame_of
    from segue_service.session.shortfalls import shortfalls

    with ThreadPoolExecutor(1) as executor:
        try:
            record = await Library(assembly.style_encoder, executor, assembly.info.capabilities).compile(
                soundtrack, prompt_audio(folder)
            )
        except EngineError as error:
            raise CommandError(f"{folder}: {error}", 2) from None
        for style, note in record.styles.notes.items():
            console.print(f" note: styles.{style}: {note}", style="yellow", markup=False)
        for sentence in shortfalls(soundtrack, assembly.info):
            console.print(f" note: {sentence}", style="yellow", markup=False)
        performer = Performer(assembly.engine, record, seed, executor)
        said = [Said(frame_of(h.at), h.label, inputs_of(h)) for h in script.in_order() if h.at < seconds]
        try:
            return await performer.perform(round(seconds * FRAME_RATE), said, progress, prefill)
        except PromptError as error:
            raise CommandError(f"--prefill: {error}", 2) from None


def record_of(performance: Performance, title: str) -> Recording:
    """The performance as a report shows it."""
    from segue_engine.contract import SAMPLE_RATE
    from segue_service.report.recording import Control, Fade, Recording, StateSpan
    from segue_service.soundtrack import StateChanged, TransitionStarted

    axis = performance.axis
    recording = Recording(title, performance.pcm, SAMPLE_RATE, beats=performance.beats, bars=performance.bars)
    recording.states.append(StateSpan(0, performance.initial_state))
    for effect in performance.effects:
        match effect:
            case StateChanged():
                recording.states.append(StateSpan(axis.audible(effect.frame), effect.state))
            case TransitionStarted():
                recording.fades.append(Fade(axis.audible(effect.frame), axis.audible(effect.ends_at), effect.target))
    for said, outcome in performance.outcomes:
        begins = [] if isinstance(outcome, ControlError) else [r.begins_at for r in outcome if r.begins_at is not None]
        if begins:
            recording.controls.append(Control(said.name, axis.audible(said.frame), axis.audible(min(begins))))
        for one in said.inputs:
            if isinstance(one, SetParameters):
                for name, value in one.values.items():
                    recording.parameters.setdefault(name, []).append((axis.audible(said.frame), value))
    return recording


def render(
    file: Annotated[
        Path | None, typer.Argument(help="Soundtrack: a .soundtrack.yaml, or what `segue build` wrote.")
    ] = None,
    script: Annotated[Path | None, typer.Option(help="What the game says when (YAML); see examples/.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Length; the script's, or 60.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same bytes.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Audio file: .flac, .wav or .ogg.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw states, spectrogram and loudness (PNG, SVG).")] = None,
    prefill: Annotated[Path | None, typer.Option(help="Audio file that the music goes on from (Magenta RT).")] = None,
    model: ModelName = "starter",
    device: Device = "auto",
    models_dir: ModelsDir = None,
    dtype: Dtype = "auto",
    codec: Codec = "auto",
    style_levels: StyleLevels = 12,
    mapper: Mapper = "auto",
    replay: Annotated[
        Path | None, typer.Option(help="Instead: a served session again, from its log (`segue serve --session-log`).")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="With --replay: fail if it is not what was played, by the log's checksums.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --replay: even if build or device differ; bytes may differ then.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Also write facts and timings to this file.")] = None,
) -> None:
    """Render a soundtrack to a file, faster than real time, with a script as the game. Reproducible by seed."""
    if replay is not None:
        if file is not None or script is not None or seconds is not None or seed is not None or prefill is not None:
            raise CommandError("--replay: goes with -o, --models-dir, --verify, --force and --json only", 2)
        replay_log(replay, out, models_dir, json, verify=verify, force=force)
        return
    if file is None:
        raise CommandError("expected a soundtrack file, or --replay with a session's log", 2)
    if verify or force:
        raise CommandError("--verify, --force: go with --replay only", 2)
    if picture is not None:
        needs("matplotlib", "--picture: drawing")
    soundtrack = read_soundtrack(file)
    plan = read_script(script) if script else Script()
    length = seconds if seconds is not None else plan.length
    if not 0.04 <= length <= MAX_SECONDS:
        raise CommandError(f"--seconds: expected 0.04..{MAX_SECONDS:.0f}, got {length:g}", 2)
    chosen_seed = plan.seed if seed is None else seed
    path = check_audio_path(out or Path(f"{soundtrack.soundtrack}.flac"))
    past = None if prefill is None else read_audio("--prefill", prefill)
    with console.status(f"loading {model} …"):
        assembly = build_engine(
            *(model, 1, device, models_dir), dtype=dtype, codec=codec, style_levels=style_levels, mapper=mapper
        )
        assembly.engine.warm_up()
    try:
        columns = TextColumn(" rendering"), BarColumn(40), TaskProgressColumn(), TimeRemainingColumn()
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=round(length * 25))
            started = time.perf_counter()
            performance = asyncio.run(
                perform(
                    assembly,
                    soundtrack,
                    file.parent,
                    plan,
                    length,
                    chosen_seed,
                    past,
                    lambda frame: bar.update(task, completed=frame),
                )
            )
            spent = time.perf_counter() - started
    finally:
        assembly.engine.close()
    write_audio(path, performance.pcm, 48_000)
    recording = record_of(performance, f"{soundtrack.soundtrack} · seed {chosen_seed} · {model}")
    _tell(recording, performance)
    if picture is not None:
        from segue_service.report.picture import draw

        picture.parent.mkdir(parents=True, exist_ok=True)
        draw(recording, picture)
    console.print(f" wrote {path}{f', {picture}' if picture else ''}    {length / spent:.1f} × real time", markup=False)
    write_json(json, _report(recording, chosen_seed, length, spent, assembly.engine.info.version))


def _tell(recording: Recording, performance: Performance) -> None:
    for control in recording.controls:
        at, heard = control.sent_sample / recording.sample_rate, control.audible_sample / recording.sample_rate
        console.print(f" {clock(at)}  {control.label:<32} heard at {clock(heard)}", markup=False)
    for said, outcome in performance.outcomes:
        if isinstance(outcome, ControlError):
            console.print(f" {clock(said.frame / 25)}  {said.name}: {outcome}", style="red", markup=False)


def clock(seconds: float) -> str:
    """75.4 → "01:15.4"."""
    return f"{int(seconds // 60):02d}:{seconds % 60:05.2f}"


def _report(recording: Recording, seed: int, seconds: float, spent: float, version: str) -> dict[str, Any]:
    return {
        "model": version,
        "seed": seed,
        "seconds": seconds,
        "real_time_factor": round(seconds / spent, 2),
        "states": [[span.sample, span.state] for span in recording.states],
        "controls": [[c.label, c.sent_sample, c.audible_sample] for c in recording.controls],
        "bars": recording.bars,
    }
