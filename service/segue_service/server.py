# SPDX-License-Identifier: Apache-2.0
"""A whole service: engine thread, sessions, handlers and adapters, from first warm step to the last Goodbye."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from segue_engine.contract import FRAME_RATE, Engine, StyleEncoder
from segue_engine.journal import Journalled
from segue_service.api.answering import Desk
from segue_service.api.authoring import AuthoringHandlers
from segue_service.api.calls import SERVICE_NAMES, Handlers, methods_of
from segue_service.api.grpc_adapter import generic_handlers
from segue_service.api.health import follow, tell
from segue_service.api.live import LiveHandlers
from segue_service.api.operations import OperationsHandlers
from segue_service.api.web.app import WebAdapter
from segue_service.binding import ServeError as ServeError
from segue_service.binding import bind, bind_web, certificates_of, url_host
from segue_service.config import Settings
from segue_service.observe.endpoint import Endpoint
from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics
from segue_service.observe.pulse import Pulse
from segue_service.observe.session_log import SessionLogs, WrittenSessionLogs
from segue_service.observe.tracing import Tracing
from segue_service.reloading import reloading
from segue_service.security.guarded import Security, guarded
from segue_service.security.hook import HookError
from segue_service.security.watched import FileError
from segue_service.session.adherence import Adherence, Ear
from segue_service.session.codecs import Codecs
from segue_service.session.device_thread import DeviceThread, exit_process
from segue_service.session.hub import Hub
from segue_service.session.library import Library, Record
from segue_service.session.liveness import Guard
from segue_service.session.parts import Parts
from segue_service.session.registry import Registry
from segue_service.session.resume_point import Seal
from segue_service.session.styles import AudioLoader
from segue_service.soundtrack import Soundtrack
from segue_service.soundtrack_files import SoundtrackFiles

_log = logger("server")


class Assembly(Protocol):
    """An engine and the style encoder that belongs to its model."""

    @property
    def engine(self) -> Engine: ...

    @property
    def style_encoder(self) -> StyleEncoder: ...


@dataclass(frozen=True, slots=True)
class Offer:
    """A soundtrack to begin with, and how its audio prompts are read."""

    soundtrack: Soundtrack
    audio: AudioLoader | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int
    web_port: int | None
    metrics_port: int | None
    registry: Registry
    library: Library
    records: Sequence[Record]
    metrics: Metrics

    @property
    def address(self) -> str:
        return f"{self.registry.parts.settings.host}:{self.port}"

    @property
    def web_address(self) -> str | None:
        """Where gRPC-Web is served, as a URL."""
        if self.web_port is None:
            return None
        settings = self.registry.parts.settings
        scheme = "http" if settings.tls_cert is None else "https"
        return f"{scheme}://{url_host(settings.web_host or settings.host)}:{self.web_port}"


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    assembly: Assembly,
    soundtracks: Iterable[Soundtrack | Offer] = (),
    *,
    on_death: Callable[[BaseException], None] = exit_process,
    ear: Ear | None = None,
    tracing: Tracing | None = None,
    files: SoundtrackFiles | None = None,
) -> AsyncIterator[Server]:
    """A server for as long as the block runs; leaving it drains within `settings.drain_ms`. Owns the engine.

    ear: who tells how like the sessions are to what was asked for. tracing: instead of what the settings ask for.
    files: where the soundtracks come from, to be looked at meanwhile.
    Raises ServeError if a port is taken, the certificate is no good or strangers could come in unasked, PromptError if
    a style can't be embedded, and what the warm-up raises.
    The port answers (health: NOT_SERVING) while the engine warms up.
    """
    metrics = Metrics()
    engine = assembly.engine
    metrics.tell_build(metadata.version("segue"), engine.info.version, engine.info.device)
    certificates = certificates_of(settings, metrics)
    async with contextlib.AsyncExitStack() as stack:
        server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", settings.max_request_bytes),
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ),
        )
        port = bind(server, settings, certificates)
        web = bind_web(stack, settings, certificates)
        pulse = Pulse()
        metrics_port = _watched_at(stack, metrics, pulse, settings)
        tracing = _tracing(settings) if tracing is None else tracing
        stack.push_async_callback(asyncio.to_thread, tracing.close)
        executor = stack.enter_context(ThreadPoolExecutor(settings.style_workers, "segue-styles"))
        slow = stack.enter_context(ThreadPoolExecutor(settings.style_workers, "segue-embed"))
        encoders = stack.enter_context(ThreadPoolExecutor(settings.encode_workers, "segue-encode"))
        logs = _session_logs(stack, settings, assembly)
        places, history_frames = 2 * engine.info.slots, -(-settings.history_ms * FRAME_RATE // 1000)
        guard = Guard(places, engine.info.levels, settings, metrics)
        hub = Hub(engine, places, history_frames, metrics, logs, guard)
        listening = stack.enter_context(ThreadPoolExecutor(1, "segue-ear"))
        adherence = Adherence(ear, hub.history, guard, listening, settings, metrics)
        device = DeviceThread(engine, hub.on_report, metrics, on_death=on_death)
        codecs = Codecs(encoders, settings.opus_bit_rate)
        keys = _resume_keys(settings)
        security = await _guarded(stack, settings, keys, metrics)
        seal = Seal(keys, settings.resume_days)
        parts = Parts(
            *(engine, hub, device, executor, slow, codecs, seal, settings, metrics, logs, adherence, security)
        )
        registry = Registry(parts)
        pulse.follow(lambda: registry.ready, lambda: registry.ready and not registry.draining, device.busy_for)
        library = Library(
            *(assembly.style_encoder, slow, engine.info.capabilities),
            limit=settings.max_soundtracks,
            cache=settings.style_cache,
        )
        operations = OperationsHandlers(registry)
        handlers = Handlers(LiveHandlers(registry, library), AuthoringHandlers(registry, library), operations)
        methods = list(methods_of(handlers))
        desk = Desk(metrics, tracing, security.audit, settings.retry_after_ms, settings.session_route)
        server.add_generic_rpc_handlers(tuple(generic_handlers(methods, desk)))
        health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        reflection.enable_server_reflection(
            (*SERVICE_NAMES, "grpc.health.v1.Health", reflection.SERVICE_NAME),
            server,
        )
        await tell(health, serving=False, room=False)
        await server.start()
        if web is not None:
            web.start(WebAdapter(methods, settings, desk, pulse))
        try:
            await device.start()
            records = []
            for item in soundtracks:
                offer = item if isinstance(item, Offer) else Offer(item)
                record = await library.compile(offer.soundtrack, offer.audio)
                library.keep(record)
                records.append(record)
            registry.start()
            hearing = asyncio.get_running_loop().create_task(adherence.run())
            stack.callback(hearing.cancel)
            if files is not None:
                await stack.enter_async_context(reloading(files, library, registry))
            if certificates is not None:
                watching = asyncio.get_running_loop().create_task(certificates.watch(settings.tls_reload_ms / 1000))
                stack.callback(watching.cancel)
            await tell(health, serving=True, room=True)
            following = asyncio.get_running_loop().create_task(follow(health, registry))
            stack.callback(following.cancel)
            web_port = None if web is None else web.port
            running_server = Server(port, web_port, metrics_port, registry, library, records, metrics)
            _log.info(
                "ready",
                address=running_server.address,
                web=running_server.web_address,
                model=engine.info.model,
                device=engine.info.device,
                slots=registry.slots,
            )
            yield running_server
        finally:
            await registry.drain("the server is going down")
            await tell(health, serving=False, room=False)
            await _drained(registry, settings.drain_ms)
            await operations.close()
            await registry.close_all("the server is going down")
            grace = settings.goodbye_ms / 1000
            await asyncio.gather(server.stop(grace), *([] if web is None else [web.stop(grace)]))
            await device.stop()
            _log.info("stopped")


async def serve(
    settings: Settings,
    assembly: Assembly,
    soundtracks: Iterable[Soundtrack | Offer] = (),
    *,
    on_ready: Callable[[Server], None] = lambda server: None,
    stop: asyncio.Event | None = None,
    ear: Ear | None = None,
    files: SoundtrackFiles | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`; `on_ready` is called once sessions can be created. Raises as `running`."""
    wanted = asyncio.Event() if stop is None else stop
    loop = asyncio.get_running_loop()
    taken: list[signal.Signals] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, wanted.set)
            taken.append(number)
    try:
        async with running(settings, assembly, soundtracks, ear=ear, files=files) as server:
            on_ready(server)
            await wanted.wait()
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


def _resume_keys(settings: Settings) -> list[bytes]:
    keys = [key.get_secret_value().encode() for key in settings.resume_keys]
    if not keys:
        _log.info("no resume_keys: resume points of this server are good for itself only, until it stops")
        keys = [secrets.token_bytes(32)]
    return keys


async def _guarded(
    stack: contextlib.AsyncExitStack, settings: Settings, keys: Sequence[bytes], metrics: Metrics
) -> Security:
    try:
        return await stack.enter_async_context(guarded(settings, keys, metrics))
    except (FileError, HookError) as error:
        raise ServeError(str(error)) from None
    except OSError as error:
        raise ServeError(f"audit_log {settings.audit_log}: {error.strerror}") from None


def _watched_at(stack: contextlib.AsyncExitStack, metrics: Metrics, pulse: Pulse, settings: Settings) -> int | None:
    """The port for metrics and probes, if there is to be one."""
    host, port = settings.metrics_host, settings.metrics_port
    if port is None:
        return None
    try:
        endpoint = Endpoint(host, port, metrics.registry, pulse)
    except OSError as error:
        raise ServeError(f"can't serve metrics on {host}:{port}: {error.strerror}") from error
    stack.callback(endpoint.close)
    return endpoint.port


def _session_logs(stack: contextlib.AsyncExitStack, settings: Settings, assembly: Assembly) -> SessionLogs:
    """The logs that the settings ask for, told by the engine's journal if it keeps one. Closed after the engine is."""
    if settings.session_log_dir is None:
        return SessionLogs()
    engine = assembly.engine
    header: dict[str, Any] = {"segue": metadata.version("segue"), "model": engine.info.version}
    if isinstance(engine, Journalled):
        header |= {"recipe": dict(getattr(assembly, "recipe", {})), "provenance": dict(engine.provenance)}
    else:
        _log.warning("session logs of this engine can't be replayed", model=engine.info.model)
    try:
        logs = WrittenSessionLogs(settings.session_log_dir, header, settings.session_log_bytes)
    except OSError as error:
        raise ServeError(f"session_log_dir {settings.session_log_dir}: {error.strerror}") from error
    stack.callback(logs.close)
    if isinstance(engine, Journalled):
        engine.keep_journal(logs.journal)
    return logs


def _tracing(settings: Settings) -> Tracing:
    if settings.otel_endpoint is None:
        return Tracing()
    try:
        from segue_service.observe.spans import exporting
    except ImportError as error:
        raise ServeError("otel_endpoint: traces need OpenTelemetry: pip install 'segue[otel]'") from error
    return exporting(settings.otel_endpoint, settings.otel_share, metadata.version("segue"))


async def _drained(registry: Registry, within_ms: int) -> None:
    """Wait until nobody listens any more, or for so long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_ms / 1000
    while loop.time() < deadline and any(session.listeners for session in registry):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
