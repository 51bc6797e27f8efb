# SPDX-License-Identifier: Apache-2.0
"""The port for whoever watches a server: /metrics, and /healthz and /readyz for probes. Plain HTTP, on threads of its
own, so that it answers also while the event loop does not."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from threading import Thread
from typing import TYPE_CHECKING, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from segue_service.observe.pulse import Pulse

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    App = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]

_SILENT_SECONDS: Final = 30.0
_REASONS: Final = {200: "200 OK", 503: "503 Service Unavailable"}


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = _SILENT_SECONDS

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged per request."""


class Endpoint:
    """Serves from construction on, until closed. Raises OSError if the port is taken."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, pulse: Pulse) -> None:
        family, address = _address(host, port)
        kind = type("_Family", (_Server,), {"address_family": family})
        self._http: WSGIServer = make_server(address, port, _app(registry, pulse), kind, handler_class=_Handler)
        self._thread = Thread(target=self._http.serve_forever, name="segue-endpoint", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._http.server_port)

    def close(self) -> None:
        """Give the port back."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _app(registry: CollectorRegistry, pulse: Pulse) -> App:
    metrics: App = make_wsgi_app(registry)

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        verb, told = environ.get("REQUEST_METHOD", ""), pulse.told(environ.get("PATH_INFO", ""))
        if told is None or verb not in ("GET", "HEAD"):
            return metrics(environ, start)
        status, text = told
        body = text.encode()
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        start(_REASONS[status], headers)
        return [b"" if verb == "HEAD" else body]

    return app


def _address(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    family, _, _, _, address = found[0]
    return family, str(address[0])
