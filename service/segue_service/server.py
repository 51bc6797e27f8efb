# SPDX-License-Identifier: Apache-2.0
"""A whole service: engine thread, sessions, handlers and adapters, from first warm step to the last Goodbye."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from segue_engine.contract import FRAME_RATE, Engine, StyleEncoder
from segue_engine.journal import Journalled
from segue_service.api.authoring import AuthoringHandlers
from segue_service.api.calls import SERVICE_NAMES, Handlers, methods_of
from segue_service.api.grpc_adapter import generic_handlers
from segue_service.api.live import LiveHandlers
from segue_service.api.operations import OperationsHandlers
from segue_service.api.web.app import WebAdapter
from segue_service.api.web.serving import WebServer
from segue_service.config import Settings
from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics
from segue_service.observe.session_log import SessionLogs, WrittenSessionLogs
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

_SERVING, _NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
_log = logger("server")


class ServeError(Exception):
    """The server can't start; the message is one sentence for whoever started it."""


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
        settings = self.registry.parts.settings
        return (
            None if self.web_port is None else f"http://{_url_host(settings.web_host or settings.host)}:{self.web_port}"
        )


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    assembly: Assembly,
    soundtracks: Iterable[Soundtrack | Offer] = (),
    *,
    on_death: Callable[[BaseException], None] = exit_process,
    ear: Ear | None = None,
) -> AsyncIterator[Server]:
    """A server for as long as the block runs; leaving it drains within `settings.drain_ms`. Owns the engine.

    ear: who tells how like the sessions are to what was asked for.
    Raises ServeError if a port is taken, PromptError if a style can't be embedded, and what the warm-up raises.
    The port answers (health: NOT_SERVING) while the engine warms up.
    """
    metrics = Metrics()
    engine = assembly.engine
    async with contextlib.AsyncExitStack() as stack:
        server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", settings.max_request_bytes),
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ),
        )
        port = _bind(server, settings)
        web = _bind_web(stack, settings)
        metrics_port = _serve_metrics(stack, metrics, settings)
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
        parts = Parts(engine, hub, device, executor, slow, codecs, _seal(settings), settings, metrics, logs, adherence)
        registry = Registry(parts)
        library = Library(
            *(assembly.style_encoder, slow, engine.info.capabilities),
            limit=settings.max_soundtracks,
            cache=settings.style_cache,
        )
        operations = OperationsHandlers(registry)
        handlers = Handlers(LiveHandlers(registry, library), AuthoringHandlers(registry, library), operations)
        methods = list(methods_of(handlers))
        server.add_generic_rpc_handlers(tuple(generic_handlers(methods, metrics, settings.retry_after_ms)))
        health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        reflection.enable_server_reflection(
            (*SERVICE_NAMES, "grpc.health.v1.Health", reflection.SERVICE_NAME),
            server,
        )
        await _tell_health(health, _NOT_SERVING)
        await server.start()
        if web is not None:
            web.start(WebAdapter(methods, settings, metrics, lambda: registry.ready and not registry.draining))
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
            await _tell_health(health, _SERVING)
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
            await _tell_health(health, _NOT_SERVING)
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
        async with running(settings, assembly, soundtracks, ear=ear) as server:
            on_ready(server)
            await wanted.wait()
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


def _seal(settings: Settings) -> Seal:
    keys = [key.get_secret_value().encode() for key in settings.resume_keys]
    if not keys:
        _log.info("no resume_keys: resume points of this server are good for itself only, until it stops")
        keys = [secrets.token_bytes(32)]
    return Seal(keys, settings.resume_days)


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _bind_web(stack: contextlib.AsyncExitStack, settings: Settings) -> WebServer | None:
    if settings.web_port is None:
        return None
    host = settings.web_host or settings.host
    try:
        web = WebServer(host, settings.web_port)
    except OSError as error:
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else error.strerror  # the resolver's numbers are negative
        raise ServeError(
            f"can't serve gRPC-Web on {host}:{settings.web_port}: {why}; name another web_port, or none"
        ) from error
    stack.callback(web.close)
    return web


def _bind(server: grpc.aio.Server, settings: Settings) -> int:
    host = _url_host(settings.host)
    try:
        _try_port(settings)  # grpc would print an error of its own beside ours
        port = server.add_insecure_port(f"{host}:{settings.port}")
    except (OSError, RuntimeError):
        port = 0
    if port == 0:
        raise ServeError(
            f"can't listen on {settings.host}:{settings.port}: the port is in use or the address is not this machine's"
        )
    return port


def _try_port(settings: Settings) -> None:
    """Raises OSError if somebody listens there already. What else may be wrong with an address is grpc's to find."""
    if settings.port == 0:
        return
    try:
        found = socket.getaddrinfo(settings.host.strip("[]"), settings.port, type=socket.SOCK_STREAM)
    except OSError:
        return
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                if os.name != "nt":  # on Windows the option would let two servers share a port
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise


def _serve_metrics(stack: contextlib.AsyncExitStack, metrics: Metrics, settings: Settings) -> int | None:
    if settings.metrics_port is None:
        return None
    try:
        http, thread = metrics.serve(settings.metrics_host, settings.metrics_port)
    except OSError as error:
        raise ServeError(
            f"can't serve metrics on {settings.metrics_host}:{settings.metrics_port}: {error.strerror}"
        ) from error

    def close() -> None:
        http.shutdown()
        http.server_close()
        thread.join()

    stack.callback(close)
    return int(http.server_port)


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


async def _tell_health(health: HealthServicer, status: int) -> None:
    for name in ("", *SERVICE_NAMES):
        await health.set(name, status)


async def _drained(registry: Registry, within_ms: int) -> None:
    """Wait until nobody listens any more, or for so long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_ms / 1000
    while loop.time() < deadline and any(session.listeners for session in registry):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
