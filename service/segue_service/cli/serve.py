# SPDX-License-Identifier: Apache-2.0
"""`segue serve`: the service."""

from __future__ import annotations

import asyncio
import json as json_module
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue_service.cli.config_options import Assigned, ConfigFile
from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console
from segue_service.cli.ears import ear_for
from segue_service.cli.engine import (
    Codec,
    Device,
    Devices,
    Dtype,
    Mapper,
    ModelName,
    ModelsDir,
    StyleLevels,
    build_engine,
)
from segue_service.cli.files import prompt_audio
from segue_service.cli.termination import ends_on_sigterm

if TYPE_CHECKING:
    from segue_engine.assemble import Assembly
    from segue_service.config import Settings
    from segue_service.server import Offer, Server
    from segue_service.settings import Layer, Resolved
    from segue_service.soundtrack_files import SoundtrackFiles


def load_offers(paths: list[Path]) -> tuple[list[Offer], SoundtrackFiles]:
    """Soundtracks ready to be served, and the files that they come from; every mistake in any of them is a CommandError
    with line and column."""
    from segue_service.server import Offer
    from segue_service.soundtrack import SoundtrackError
    from segue_service.soundtrack_files import SoundtrackFiles, SoundtrackFilesError, find_soundtracks

    files, offers = SoundtrackFiles(paths, prompt_audio), []
    try:
        for file in find_soundtracks(paths):
            try:
                offers.append(Offer(files.load(file), prompt_audio(file.parent)))
            except SoundtrackError as error:
                raise CommandError(f"{file} is not a soundtrack:\n{error}", EXIT_BAD_INPUT) from None
            except OSError as error:
                raise CommandError(f"{file}: {error.strerror or error}", EXIT_BAD_INPUT) from None
    except SoundtrackFilesError as error:
        raise CommandError(str(error), EXIT_BAD_INPUT) from None
    return offers, files


def settings_of(config: Path | None, flags: Layer, *, web: bool = True) -> Resolved:
    """What a server would be told; raises CommandError with every mistake."""
    from segue_service.settings import SettingsError, load

    try:
        return load(config, flags).with_web(wanted=web)
    except SettingsError as error:
        raise CommandError(f"settings:\n{error}", EXIT_BAD_INPUT) from None


def check_start(settings: Settings, *, read_files: bool = True) -> None:
    """Raises CommandError if a server with these settings would refuse to start, before an engine is built for it."""
    from datetime import UTC, datetime

    from segue_service.security.guarded import check_files
    from segue_service.security.watched import FileError
    from segue_service.settings import refusal_to_bind
    from segue_service.tls import TlsError, TlsFiles, read_material

    refusal = refusal_to_bind(settings)
    if refusal is not None:
        raise CommandError(refusal, EXIT_BAD_INPUT)
    try:
        files = TlsFiles.of(settings)
        if files is not None and read_files:
            read_material(files, datetime.now(UTC))
        if read_files:
            check_files(settings)
    except (TlsError, FileError) as error:
        raise CommandError(str(error), EXIT_BAD_INPUT) from None


def log_settings(resolved: Resolved) -> None:
    """One line with what the server was told: all of it in JSON, what is no default on a console."""
    from segue_service.observe.log import logger
    from segue_service.settings import shown

    values = shown(resolved.settings)
    if resolved.settings.log_format == "console":
        values = {name: value for name, value in values.items() if name in resolved.origins}
    log = logger("settings")
    for note in resolved.notes:
        log.warning(note)
    if values:
        log.info("settings", sources={name: str(origin) for name, origin in resolved.origins.items()}, **values)


def run_server(
    settings: Settings,
    build: Callable[[], Assembly],
    offers: list[Offer],
    on_ready: Any,
    files: SoundtrackFiles | None = None,
) -> None:
    """Build the engine and serve until SIGTERM or Ctrl-C; what goes wrong is a sentence. files: of the offers."""

    from segue_engine.contract import EngineError
    from segue_service.server import ServeError, serve

    if sys.platform != "win32":
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    else:
        runner = asyncio.Runner()
    with ends_on_sigterm(), runner:
        assembly = build()
        try:
            ear = ear_for(assembly)
            runner.run(serve(settings, assembly, offers, on_ready=on_ready, ear=ear, files=files))
        except (ServeError, EngineError) as error:
            raise CommandError(str(error)) from None


def serve(
    soundtracks: Annotated[
        list[Path] | None,
        typer.Argument(help="Soundtrack files, or folders of them; changes are taken up. More can be uploaded later."),
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
    devices: Devices = "auto",
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
    tls_cert: Annotated[
        Path | None, typer.Option(help="PEM file of the certificate and its chain; gRPC and gRPC-Web speak TLS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of its private key.")] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(help="PEM file of authorities; clients must show a certificate of one of them.")
    ] = None,
    allow_anonymous: Annotated[
        bool | None,
        typer.Option("--allow-anonymous", help="Callers need not say who they are [default: on loopback only]"),
    ] = None,
    config: ConfigFile = None,
    assigned: Assigned = None,
    announce: Annotated[
        Path | None, typer.Option(help="Write address and facts to this file (JSON) when ready, for scripts.")
    ] = None,
) -> None:
    """Serve live soundtracks over gRPC and gRPC-Web until Ctrl-C or SIGTERM."""
    from segue_service.settings import from_flags

    flags = from_flags(
        [
            ("--host", "host", host),
            ("--port", "port", port),
            ("--web-host", "web_host", web_host),
            ("--web-port", "web_port", web_port),
            ("--web-origin", "web_origins", web_origin),
            ("--metrics-port", "metrics_port", metrics_port),
            ("--log", "log_format", log),
            ("--session-log", "session_log_dir", session_log),
            ("--resume-keys", "resume_keys_file", resume_keys),
            ("--tls-cert", "tls_cert", tls_cert),
            ("--tls-key", "tls_key", tls_key),
            ("--tls-client-ca", "tls_client_ca", tls_client_ca),
            ("--allow-anonymous", "allow_anonymous", allow_anonymous),
        ],
        assigned or (),
    )
    resolved = settings_of(config, flags, web=not no_web)
    settings = resolved.settings
    check_start(settings)
    from segue_service.observe.log import configure

    configure(settings.log_format, settings.log_level)
    log_settings(resolved)
    offers, files = load_offers(soundtracks or [])
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
            "devices": info.devices,
            "slots": info.slots,
            "ready_s": round(time.perf_counter() - started, 2),
            "soundtracks": [record.name for record in server.records],
        }
        for record in server.records:
            for style, note in record.styles.notes.items():
                console.print(f" note: {record.name}: styles.{style}: {note}", style="yellow", markup=False)
        if settings.log_format == "console":
            listed = ", ".join(facts["soundtracks"]) or "none yet (UploadSoundtrack)"
            where = info.device if info.devices == 1 else f"{info.devices} × {info.device}"
            web = f" gRPC-Web on {server.web_address}\n" if server.web_address else ""
            console.print(
                f" {info.version} ready in {facts['ready_s']} s on {where}, room for {info.slots} sessions\n"
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
            devices=devices,
        )

    run_server(settings, build, offers, ready, files)
