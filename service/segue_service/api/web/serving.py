# SPDX-License-Identifier: Apache-2.0
"""The HTTP/1.1 server under the gRPC-Web adapter: uvicorn, in the running event loop, without its signal handlers."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from segue_service.api.web.app import WebAdapter

UNSENT: Final = 64 << 10
"""Bytes that may wait for a client to read, in the process and again in the kernel: 0.3 s of S16 each. The kernel would
take megabytes, so that a client that has stopped reading would look like one that reads for many seconds."""
_KEEP_ALIVE_SECONDS: Final = 75
"""For which an idle connection is kept: the next control should not have to wait for a new one."""
_HEADER_SECONDS: Final = 20.0
"""A request's head must have arrived within this time of its first byte, or of the connection's beginning."""
_CLOSING_SECONDS: Final = 0.5
"""For which a connection may take to close: where a client says nothing, the end of TLS would be waited for."""

_IF_KNOWN: Final = {"TCP_NOTSENT_LOWAT": UNSENT, "TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Options of a connection where the system has them."""


class WebConnection(H11Protocol):
    """A connection whose chunks leave at once, and which does not wait for ever for a request."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=UNSENT)
        _tune(transport.get_extra_info("socket"))
        self.app_state = {**self.app_state, "connection": self}
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """As uvicorn, which calls it for what is no HTTP, but not where a response has begun or gone out already."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        self._stop_waiting()

    def abort(self) -> None:
        """Drop it at once, with whatever has not been sent."""
        self.transport.abort()

    def is_closing(self) -> bool:
        """Whether nothing that is written to it arrives any more."""
        return self.transport.is_closing()

    def _wait_for_head(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._patience is None:
            self._patience = self.loop.call_later(_HEADER_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if self.cycle is None or self.cycle.response_complete:
            self.abort()


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the service's: uvicorn would raise them again when it has ended."""
        yield


class WebServer:
    """Bound from construction on, which raises OSError if the address can't be had."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._sockets = _listening(host, port)
        self._tls = tls
        self._server: _Uvicorn | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._sockets[0].getsockname()[1])

    def close(self) -> None:
        """Give the port back, for one that was never started. Idempotent."""
        for bound in self._sockets:
            bound.close()

    def start(self, app: WebAdapter) -> None:
        """Serve the adapter. Call it inside the event loop."""
        tls = self._tls
        config = uvicorn.Config(
            app,
            http=WebConnection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        )
        self._server = _Uvicorn(config)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=self._sockets))

    async def stop(self, grace: float) -> None:
        """Let calls that are under way go on for so many seconds, then drop what is left and give the port back."""
        if self._server is None or self._serving is None:
            return
        state = self._server.server_state
        if state.tasks:
            await asyncio.wait(set(state.tasks), timeout=grace)
        if state.tasks:
            for connection in list(state.connections):
                connection.transport.abort()
        self._server.should_exit = True
        await asyncio.wait({self._serving}, timeout=_CLOSING_SECONDS)
        for connection in list(state.connections):
            connection.transport.abort()
        await self._serving


def _listening(host: str, port: int) -> list[socket.socket]:
    """A socket for every address of the host that this machine has, all on one port."""
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    made: list[socket.socket] = []
    refused: OSError | None = None
    for family, address in dict.fromkeys((family, str(address[0])) for family, *_, address in found):
        both = address == "::" and socket.has_dualstack_ipv6()
        try:
            wanted = made[0].getsockname()[1] if made else port
            made.append(socket.create_server((address, wanted), family=family, backlog=1024, dualstack_ipv6=both))
        except OSError as error:
            refused = error
    if refused is not None and (not made or refused.errno == errno.EADDRINUSE):
        for bound in made:
            bound.close()
        raise refused
    return made


def _tune(connection: Any) -> None:
    """No waiting for fuller packets, little room for what a client has not read, and an end where one is gone."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _IF_KNOWN.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
