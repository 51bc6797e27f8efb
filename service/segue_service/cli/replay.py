# SPDX-License-Identifier: Apache-2.0
"""`segue render --replay`: a served session's audio again, out of its log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from segue_service.cli.console import EXIT_BAD_INPUT, EXIT_FAILED, CommandError, console, write_json
from segue_service.cli.files import check_audio_path, write_audio

if TYPE_CHECKING:
    from segue_engine.assemble import Assembly
    from segue_service.session.replay import Logged, Replayed


def replay_log(
    path: Path, out: Path | None, models_dir: Path | None, json: Path | None, *, verify: bool, force: bool
) -> None:
    """Render a session again from its log. Raises CommandError; where build or device differ, unless `force`."""
    from segue_engine.journal import Journalled, ReenactError
    from segue_service.session.replay import LogError, frames_of, read_log, replay

    try:
        logged = read_log(path)
    except (LogError, OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}", EXIT_BAD_INPUT) from None
    recipe, session = logged.header.get("recipe", {}), str(logged.header.get("session"))
    if "provenance" not in logged.header:
        raise CommandError(f"{path}: the engine {logged.header.get('model')} keeps no journal to replay from", 2)
    if out is None and not verify:
        out = Path(f"{session}.flac")
    if out is not None:
        check_audio_path(out)
    with console.status("loading the model …"):
        assembly = build_again(recipe, models_dir)
    try:
        engine = assembly.engine
        if not isinstance(engine, Journalled):
            raise CommandError(f"the engine {engine.info.model} keeps no journal, so it can't replay one", 2)
        _check(logged.header["provenance"], engine.provenance, force=force)
        with console.status("compiling the model …"):
            engine.warm_up()
        total, started = frames_of(logged), time.perf_counter()
        columns = TextColumn(" replaying"), BarColumn(40), TaskProgressColumn(), TimeRemainingColumn()
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=total)
            try:
                replayed = replay(logged, engine.info, engine.reenact, lambda: bar.advance(task))
            except ReenactError as error:
                raise CommandError(f"{path}: {error}", EXIT_BAD_INPUT) from None
        spent = time.perf_counter() - started
    finally:
        assembly.engine.close()
    if out is not None:
        write_audio(out, replayed.pcm, 48_000)
        console.print(f" wrote {out}", markup=False)
    _tell(logged, replayed, spent)
    write_json(json, _report(session, replayed))
    _judge(replayed, verify=verify)


def build_again(recipe: Mapping[str, Any], models_dir: Path | None) -> Assembly:
    """An engine by the recipe that `assemble` gave of another. Raises CommandError."""
    from segue_engine.assemble import AssembleError, assemble
    from segue_engine.assemble_magenta import MagentaOptions
    from segue_engine.contract import EngineError

    if not recipe:
        raise CommandError("the log does not say how its engine was put together", EXIT_BAD_INPUT)
    try:
        magenta = MagentaOptions(**recipe["magenta"])
        given = {name: recipe[name] for name in ("model", "slots", "device", "rewind_frames", "guidance")}
        devices = recipe.get("devices", "auto")
        return assemble(**given, models_dir=models_dir, magenta=magenta, devices=devices)
    except (AssembleError, KeyError, TypeError) as error:
        raise CommandError(f"the log's engine can't be put together here: {error}", EXIT_BAD_INPUT) from None
    except (EngineError, ValueError) as error:
        raise CommandError(str(error)) from None


def _check(then: Mapping[str, str], now: Mapping[str, str], *, force: bool) -> None:
    differing = [name for name in (*then, *(now.keys() - then.keys())) if then.get(name) != now.get(name)]
    if not differing:
        return
    told = "\n".join(f"  {name}: {then.get(name, 'none')}\n    here: {now.get(name, 'none')}" for name in differing)
    if not force:
        raise CommandError(
            f"the log was written by another build or on another device, so bytes may differ:\n{told}\n"
            "--force replays it all the same",
            EXIT_BAD_INPUT,
        )
    console.print(f" bytes may differ, since build or device do:\n{told}", style="yellow", markup=False)


def _tell(logged: Logged, replayed: Replayed, spent: float) -> None:
    length = len(replayed.pcm) / 48_000
    speed = f", {length / spent:.1f} × real time" if length else ""
    console.print(f" {length:.2f} s from {replayed.first / 48_000:.2f} s on{speed}", markup=False)
    if logged.cut or not logged.ended:
        reason = logged.cut or "it does not say how the session ended: the process died, or goes on"
        console.print(f" the log does not hold all of the session: {reason}", style="yellow", markup=False)


def _judge(replayed: Replayed, *, verify: bool) -> None:
    """What the comparison with the log's checksums came to."""
    difference = replayed.difference
    if difference is None:
        console.print(f" the same as was played, by the checksums of {replayed.compared} frames", markup=False)
        if verify and replayed.compared == 0:
            raise CommandError("there are no checksums in the log to compare with", EXIT_FAILED)
        return
    where = f"from sample {difference.begin} on, before sample {difference.end}"
    if verify:
        raise CommandError(f"not what was played: the first difference is {where}", EXIT_FAILED)
    console.print(f" not what was played: the first difference is {where}", style="yellow", markup=False)


def _report(session: str, replayed: Replayed) -> dict[str, Any]:
    difference = replayed.difference
    return {
        "session": session,
        "first_sample": replayed.first,
        "samples": len(replayed.pcm),
        "frames_made": replayed.made,
        "frames_compared": replayed.compared,
        "first_difference": None if difference is None else [difference.begin, difference.end],
    }
