# SPDX-License-Identifier: Apache-2.0
"""`segue serve`: the service."""

from __future__ import annotations

import asyncio
import json as json_module
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console
from segue_service.cli.ears import ear_for
from segue_service.cli.engine import Codec, Device, Dtype, Mapper, ModelName, ModelsDir, StyleLevels, build_engine
from segue_service.cli.files import prompt_audio, read_soundtrack

if TYPE_CHECKING:
    from segue_engine.assemble import Assembly
    from segue_service.config import Settings
    from segue_service.server import Offer, Server

_LAST_PORT = 65_535
SOUNDTRACK_PATTERNS = ("*.soundtrack.yaml", "*.soundtrack.json")


def find_soundtracks(paths: list[Path]) -> list[Path]:
    """The soundtrack files among and below the given paths; raises CommandError for a path that is not there."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for pattern in SOUNDTRACK_PATTERNS for file in path.rglob(pattern))
            if not inside:
                raise CommandError(f"{path}: no *.soundtrack.yaml or *.soundtrack.json in it", EXIT_BAD_INPUT)
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise CommandError(f"{path}: no such file or folder", EXIT_BAD_INPUT)
    return found


def load_offers(paths: list[Path]) -> list[Offer]:
    """Soundtracks ready to be served; every mistake in any of them is a CommandError with line and column."""
    from segue_service.server import Offer

    return [Offer(read_soundtrack(path), prompt_audio(path.parent)) for path in find_soundtracks(paths)]


def settings_of(config: Path | None, **flags: Any) -> Settings:
    """Settings from a JSON file, overridden by the flags that were given; raises CommandError naming the key."""
    from pydantic import ValidationError

    from segue_service.config import Settings

    values: dict[str, Any] = {}
    if config is not None:
        try:
            values = json_module.loads(config.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(f"{config}: {error}", EXIT_BAD_INPUT) from None
        if not isinstance(values, dict):
            raise CommandError(f"{config}: expected a JSON object of settings", EXIT_BAD_INPUT)
    values |= {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**values)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise CommandError(f"settings: {said}", EXIT_BAD_INPUT) from None


def with_web(settings: Settings, *, wanted: bool) -> Settings:
    """With gRPC-Web on the port after the native one where nothing else was said, or without it."""
    if not wanted:
        return settings.model_copy(update={"web_port": None})
    if "web_port" in settings.model_fields_set:
        return settings
    beside = 0 if settings.port == 0 else settings.port + 1
    return settings.model_copy(update={"web_port": beside if beside <= _LAST_PORT else 0})


def keys_of(file: Path | None) -> list[str] | None:
    """The keys of a file, else those of the environment, else None; raises CommandError."""
    if file is None:
        listed = os.environ.get("SEGUE_RESUME_KEYS", "")
        return [key.strip() for key in listed.split(",") if key.strip()] or None
    try:
        keys = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise CommandError(f"--resume-keys: {file}: {error}", EXIT_BAD_INPUT) from None
    if not keys:
        raise CommandError(f"--resume-keys: {file}: expected at least one key, a line each", EXIT_BAD_INPUT)
    return keys


def run_server(settings: Settings, build: Callable[[], Assembly], offers: list[Offer], on_ready: Any) -> None:
    """Build the engine and serve until SIGTERM or Ctrl-C; what goes wrong is a sentence."""

    from segue_engine.contract import EngineError
    from segue_service.server import ServeError, serve

    assembly = build()
    if sys.platform != "win32":
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    else:
        runner = asyncio.Runner()
    with runner:
        try:
            runner.run(serve(settings, assembly, offers, on_ready=on_ready, ear=ear_for(assembly)))
        except (ServeError, EngineError) as error:
            raise CommandError(str(error)) from None


def serve(
    soundtracks: Annotated[
        list[Path] | None, typer.Argument(help="Soundtrack files, or folders of them. They can be uploaded later too.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one [default: 7470]")] = None,
    web_host: Annotated[
        str | None, typer.Option(help="Address to serve gRPC-Web on [default: as --host]", show_default=False)
    ] = None,
    web_port: Annotated[
        int | None,
        typer.Option(help="Port of gRPC-Web, for browsers and engines; 0 takes a free one [default: one above --port]"),
    ] = None,
    no_web: Annotated[bool, typer.Option("--no-web", help="Serve native gRPC only.")] = False,
    web_origin: Annotated[
        list[str] | None,
        typer.Option(
            help='Origin whose pages may call, such as "https://game.example"; again for more; "*": any '
            "[default: this machine's on loopback, else none]"
        ),
    ] = None,
    model: ModelName = "starter",
    slots: Annotated[int | None, typer.Option(min=1, help="Sessions at once; default by device.")] = None,
    device: Device = "auto",
    models_dir: ModelsDir = None,
    dtype: Dtype = "auto",
    codec: Codec = "auto",
    style_levels: StyleLevels = 12,
    mapper: Mapper = "auto",
    rewind: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=60.0,
            help="Seconds of generated audio that a control can still change; costs memory per session "
            "[default: 10; with a Magenta RT 2]",
        ),
    ] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Serve Prometheus metrics here, on loopback.")] = None,
    log: Annotated[str | None, typer.Option(help="console or json.")] = None,
    session_log: Annotated[
        Path | None,
        typer.Option(help="Write a log of every session into this folder, for `segue render --replay`."),
    ] = None,
    resume_keys: Annotated[
        Path | None,
        typer.Option(
            help="File of keys, one a line and oldest first, that resume points are signed with. Servers that share "
            "them take over each other's sessions. Or $SEGUE_RESUME_KEYS, with commas. [default: a random one]"
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="JSON file of settings; flags win over it.")] = None,
    announce: Annotated[
        Path | None, typer.Option(help="Write address and facts to this file (JSON) when ready, for scripts.")
    ] = None,
) -> None:
    """Serve live soundtracks over gRPC and gRPC-Web until Ctrl-C or SIGTERM."""
    settings = settings_of(
        *(config,),
        host=host,
        port=port,
        web_host=web_host,
        web_port=web_port,
        web_origins=web_origin,
        metrics_port=metrics_port,
        log_format=log,
        session_log_dir=session_log,
        resume_keys=keys_of(resume_keys),
    )
    settings = with_web(settings, wanted=not no_web)
    from segue_service.observe.log import configure

    configure(settings.log_format, settings.log_level)
    offers = load_offers(soundtracks or [])
    started = time.perf_counter()

    def ready(server: Server) -> None:
        info = server.registry.parts.engine.info
        facts: dict[str, Any] = {
            "address": server.address,
            "web": server.web_address,
            "web_port": server.web_port,
            "metrics_port": server.metrics_port,
            "model": info.version,
            "device": info.device,
            "slots": info.slots,
            "ready_s": round(time.perf_counter() - started, 2),
            "soundtracks": [record.name for record in server.records],
        }
        for record in server.records:
            for style, note in record.styles.notes.items():
                console.print(f" note: {record.name}: styles.{style}: {note}", style="yellow", markup=False)
        if settings.log_format == "console":
            listed = ", ".join(facts["soundtracks"]) or "none yet (UploadSoundtrack)"
            web = f" gRPC-Web on {server.web_address}\n" if server.web_address else ""
            console.print(
                f" {info.version} ready in {facts['ready_s']} s on {info.device}, room for {info.slots} sessions\n"
                f" listening on {server.address}    soundtracks: {listed}\n{web}"
                " Ctrl-C stops",
                markup=False,
            )
        if announce is not None:
            part = announce.with_suffix(announce.suffix + ".part")
            part.write_text(json_module.dumps(facts), encoding="utf-8")
            part.replace(announce)

    def build() -> Assembly:
        return build_engine(
            *(model, slots, device, models_dir),
            dtype=dtype,
            codec=codec,
            style_levels=style_levels,
            mapper=mapper,
            rewind_seconds=rewind,
        )

    run_server(settings, build, offers, ready)
