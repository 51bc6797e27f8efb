# SPDX-License-Identifier: Apache-2.0
"""The server's certificate, as new as its files: what gRPC and gRPC-Web take for every new connection.

A connection keeps what it was opened with, so that streams go on through a change. Files that can't be used are said
once and counted, and the certificate before them stays in use.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from segue_service.config import Settings
from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics

_SOON: Final = timedelta(days=7)
_TRIES: Final = 3
_log = logger("tls")


class TlsError(Exception):
    """A certificate, key or authority that can't be used; the message names setting and file, and holds no key."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where they are: PEM files."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> TlsFiles | None:
        """The files that the settings name; None: no TLS."""
        if settings.tls_cert is None or settings.tls_key is None:
            return None
        return cls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)

    def read(self) -> tuple[bytes, bytes, bytes | None]:
        """Certificate chain, key and client authorities. Raises TlsError."""
        authorities = None if self.client_ca is None else _read("tls_client_ca", self.client_ca)
        return _read("tls_cert", self.cert), _read("tls_key", self.key), authorities


@dataclass(frozen=True, slots=True)
class Material:
    """What was in the files at one moment, found good."""

    chain: bytes
    key: bytes
    client_ca: bytes | None
    not_after: datetime
    serial: str
    web: ssl.SSLContext

    def for_grpc(self) -> grpc.ServerCertificateConfiguration:
        """As gRPC takes it."""
        return grpc.ssl_server_certificate_configuration([(self.key, self.chain)], root_certificates=self.client_ca)


def read_material(files: TlsFiles, now: datetime) -> Material:
    """Read and check the files. Raises TlsError: unreadable, not PEM, no pair, expired or not yet valid."""
    for _ in range(_TRIES):
        found = files.read()
        try:
            material = _checked(files, found, now)
        except TlsError:
            raise
        except Exception as error:  # what the library says of odd certificates and keys has many types
            raise TlsError(f"tls_cert: {files.cert}: can't be used: {type(error).__name__}") from None
        if files.read() == found:  # else they were replaced while they were read
            return material
    raise TlsError(f"tls_cert: {files.cert}: is being replaced again and again")


class Certificates:
    """Material in use. `look` reloads it; the rest may be called from any thread. Raises TlsError on construction."""

    def __init__(
        self, files: TlsFiles, metrics: Metrics, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._files, self._metrics, self._clock = files, metrics, clock
        self._not_after = metrics.tls_not_after.labels(str(files.cert))
        self._stale = metrics.tls_stale.labels(str(files.cert))
        self._lock = Lock()
        self._now = self._told_grpc = read_material(files, clock())
        self._refused: str | None = None
        self._warned: tuple[str, str] | None = None
        self._not_after.set(self._now.not_after.timestamp())
        self._stale.set(0)
        self._mind_the_date()

    @property
    def material(self) -> Material:
        """What the next connection is opened with."""
        return self._now

    def look(self) -> None:
        """Take new files into use if there are any and they are good; say once what is wrong with them if not."""
        now = self._now
        try:
            if self._files.read() == (now.chain, now.key, now.client_ca):
                self._refused = None
                self._stale.set(0)
            else:
                self._now = fresh = read_material(self._files, self._clock())
                self._refused = None
                self._metrics.tls_reloads.labels("loaded").inc()
                self._not_after.set(fresh.not_after.timestamp())
                self._stale.set(0)
                _log.info("new certificate in use", serial=fresh.serial, not_after=fresh.not_after.isoformat())
        except TlsError as error:
            if str(error) != self._refused:
                self._refused = str(error)
                self._metrics.tls_reloads.labels("refused").inc()
                self._stale.set(1)
                _log.error("new certificate not used, the one before stays", why=str(error), serial=now.serial)
        self._mind_the_date()

    async def watch(self, every_s: float) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await asyncio.to_thread(self.look)

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For one port."""

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            """Called by gRPC for every connection, on threads of its own; None: as before."""
            with self._lock:
                material = self._now
                if material is self._told_grpc:
                    return None
                self._told_grpc = material
                return material.for_grpc()

        first = self._told_grpc
        return grpc.dynamic_ssl_server_credentials(
            first.for_grpc(),
            fetch,  # type: ignore[arg-type]  # grpc takes None for "no change"; its stubs don't say so
            require_client_authentication=first.client_ca is not None,
        )

    def web_context(self) -> ssl.SSLContext:
        """For a listening socket."""
        context = _Newest(ssl.PROTOCOL_TLS_SERVER)
        context.certificates = self
        return context

    def _mind_the_date(self) -> None:
        left = self._now.not_after - self._clock()
        state = "expired" if left <= timedelta() else "soon" if left <= _SOON else ""
        if not state or self._warned == (state, self._now.serial):
            return
        self._warned = (state, self._now.serial)
        facts = {"file": str(self._files.cert), "not_after": self._now.not_after.isoformat()}
        if state == "expired":
            _log.error("the certificate has expired: clients refuse it until the file is replaced", **facts)
        else:
            _log.warning("the certificate expires soon", **facts)


class _Newest(ssl.SSLContext):
    """Opens every connection with the material in use. One context that is loaded again would keep old authorities."""

    certificates: Certificates

    def wrap_bio(self, *given: Any, **named: Any) -> ssl.SSLObject:
        """See ssl.SSLContext; asyncio and uvloop open connections by this."""
        return self.certificates.material.web.wrap_bio(*given, **named)


def _read(setting: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TlsError(f"{setting}: {file}: {(error.strerror or str(error)).lower()}") from None


def _checked(files: TlsFiles, found: tuple[bytes, bytes, bytes | None], now: datetime) -> Material:
    chain, key, client_ca = found
    leaf = _certificates("tls_cert", files.cert, chain)[0]
    if client_ca is not None:
        _certificates("tls_client_ca", files.client_ca, client_ca)
    _check_pair(files, leaf, key)
    if now >= leaf.not_valid_after_utc:
        raise TlsError(f"tls_cert: {files.cert}: expired at {leaf.not_valid_after_utc.isoformat()}")
    if now < leaf.not_valid_before_utc:
        raise TlsError(f"tls_cert: {files.cert}: not valid before {leaf.not_valid_before_utc.isoformat()}")
    web = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    web.minimum_version = ssl.TLSVersion.TLSv1_2
    web.set_alpn_protocols(["http/1.1"])
    try:
        web.load_cert_chain(files.cert, files.key, password=lambda: "")
        if client_ca is not None:
            web.load_verify_locations(cadata=client_ca.decode("ascii", "replace"))
            web.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        raise TlsError(f"tls_cert: {files.cert}: can't be used: {error}") from None
    return Material(chain, key, client_ca, leaf.not_valid_after_utc, format(leaf.serial_number, "x"), web)


def _certificates(setting: str, file: Path | None, text: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        raise TlsError(f"{setting}: {file}: expected certificates in PEM, as in -----BEGIN CERTIFICATE-----") from None


def _check_pair(files: TlsFiles, leaf: x509.Certificate, key: bytes) -> None:
    try:
        private = load_pem_private_key(key, password=None)
    except TypeError:
        raise TlsError(f"tls_key: {files.key}: expected a key without a password") from None
    except Exception:  # ValueError, or UnsupportedAlgorithm; what they say may quote the file
        raise TlsError(f"tls_key: {files.key}: expected a private key in PEM") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise TlsError(f"tls_key: {files.key}: is not the key of the first certificate in {files.cert}")
