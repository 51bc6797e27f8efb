# SPDX-License-Identifier: Apache-2.0
"""The two ports of a server, with TLS or without; what is wrong with them is a sentence."""

from __future__ import annotations

import contextlib
import errno
import os
import socket

import grpc

from segue_service.api.web.serving import WebServer
from segue_service.config import Settings
from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics
from segue_service.settings.safety import public_warning, refusal_to_bind
from segue_service.tls import Certificates, TlsError, TlsFiles

_log = logger("server")


class ServeError(Exception):
    """The server can't start; the message is one sentence for whoever started it."""


def url_host(host: str) -> str:
    """As it stands in a URL: IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def certificates_of(settings: Settings, metrics: Metrics) -> Certificates | None:
    """The certificate that the settings name; None: no TLS. Raises ServeError if strangers could come in unasked."""
    refusal = refusal_to_bind(settings)
    if refusal is not None:
        raise ServeError(refusal)
    warning, files = public_warning(settings), TlsFiles.of(settings)
    if warning is not None:
        _log.warning(warning)
    try:
        return None if files is None else Certificates(files, metrics)
    except TlsError as error:
        raise ServeError(str(error)) from None


def bind_web(
    stack: contextlib.AsyncExitStack, settings: Settings, certificates: Certificates | None
) -> WebServer | None:
    """The port for gRPC-Web, closed with the stack unless it is started. Raises ServeError."""
    if settings.web_port is None:
        return None
    host = settings.web_host or settings.host
    try:
        web = WebServer(host, settings.web_port, None if certificates is None else certificates.web_context())
    except OSError as error:
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else error.strerror  # the resolver's numbers are negative
        raise ServeError(
            f"can't serve gRPC-Web on {host}:{settings.web_port}: {why}; name another web_port, or none"
        ) from error
    stack.callback(web.close)
    return web


def bind(server: grpc.aio.Server, settings: Settings, certificates: Certificates | None) -> int:
    """The port for native gRPC, as taken. Raises ServeError."""
    address = f"{url_host(settings.host)}:{settings.port}"
    try:
        _try_port(settings)  # grpc would print an error of its own beside ours
        if certificates is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, certificates.grpc_credentials())
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
