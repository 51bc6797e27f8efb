# SPDX-License-Identifier: Apache-2.0
"""The service's settings. `segue_service.settings` fills them from file, environment and flags; an unknown key is an
error. A field's docstring is its line in docs/configuration.md."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

_LEAST_KEY: Final = 32
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#@A-Z]+")
_FUNCTION: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_ROUTE: Final = re.compile(r"[0-9A-Fa-f.:\[\]]{1,48}")
_USER: Final = re.compile(r"^([A-Za-z][\w+.-]*://)?.*@", re.DOTALL)


class Settings(BaseModel):
    """Everything that a server can be told. Frozen; validated on construction (pydantic.ValidationError)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    """Address to listen on. Loopback unless told otherwise."""
    port: int = Field(default=7470, ge=0, le=65_535)
    """0 takes a free one; `Server.port` says which."""
    metrics_host: str = "127.0.0.1"
    """Address of the metrics endpoint."""
    metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    """Port of the metrics endpoint, 0 takes a free one. None: no metrics endpoint."""
    web_host: str | None = None
    """Address to listen on for gRPC-Web. None: `host`."""
    web_port: int | None = Field(default=None, ge=0, le=65_535)
    """Where gRPC-Web is served over HTTP/1.1, for browsers and engines; 0 takes a free one. None: nowhere, except that
    `segue serve` takes the one above `port`."""
    web_origins: tuple[str, ...] | None = None
    """Origins whose pages may call, such as "https://game.example"; "*": any. None: on loopback those of this machine,
    elsewhere none."""
    operator_token: SecretStr | None = None
    """Opens OperationsService and UploadSoundtrack. Without one they are open on loopback and closed elsewhere."""

    # TLS, and who may come in.
    tls_cert: Path | None = None
    """PEM file of the certificate and its chain, for gRPC and gRPC-Web. None: no TLS."""
    tls_key: Path | None = None
    """PEM file of the certificate's private key, without a password."""
    tls_client_ca: Path | None = None
    """PEM file of authorities; clients have to show a certificate of one of them. None: they need not show any."""
    tls_reload_ms: int = Field(default=10_000, ge=50, le=3_600_000)
    """How often the three files are looked at. New ones hold for new connections; open ones go on."""
    allow_anonymous: bool | None = None
    """Whether sessions may be created by callers that don't say who they are. None: on loopback only. Where they may
    not, or others reach the server (also by a front door: session_route), it does not start without tenants_file or
    jwks_file."""

    # Tenants, tokens, prompts, audit.
    tenants_file: Path | None = None
    """YAML file of tenants, their API keys (hashed) and their quotas (docs/security.md). Read again when it changes."""
    jwks_file: Path | None = None
    """JWKS file of the public keys (RSA, Ed25519) that tenants' JWTs are signed with. Read again when it changes."""
    jwt_issuer: str | None = None
    """What a JWT's `iss` must be. Needed with jwks_file."""
    jwt_audience: str | None = None
    """What a JWT's `aud` must hold. Needed with jwks_file."""
    jwt_leeway_s: float = Field(default=30.0, ge=0.0, le=300.0)
    """How far the clock of whoever issues JWTs may be off."""
    token_hours: float = Field(default=0.0, ge=0.0, le=8_760.0)
    """How long the token that CreateSession gives is good. 0: for as long as its session."""
    audit_log: Path | None = None
    """File of JSON lines: who created, closed, uploaded, granted, drained, and who was refused. Opened anew when it has
    been renamed. None: no audit log."""
    prompt_list: Path | None = None
    """File of words and phrases that prompts may not hold, a line each. Read again when it changes."""
    prompt_hook: str | None = None
    """Python function, "module:function", that is asked about every prompt: (prompt, tenant) → None, or the reason why
    not. It runs in a process of its own."""
    prompt_hook_ms: int = Field(default=500, ge=10, le=30_000)
    """How long the hook may take for a prompt. A prompt that nobody has judged is refused."""

    max_sessions: int | None = Field(default=None, ge=1)
    """Fewer than the engine's slots, if wanted."""
    max_listeners: int = Field(default=64, ge=1, le=4096)
    """Per session."""
    retry_after_ms: int = Field(default=2_000, ge=1, le=600_000)
    """What a client is told to wait when the server is full."""

    default_lead_ms: int = Field(default=300, ge=40, le=10_000)
    """Lead of a session that asks for none."""
    min_lead_ms: int = Field(default=100, ge=40, le=10_000)
    """The least lead that a session or listener gets."""
    max_lead_ms: int = Field(default=10_000, ge=100, le=60_000)
    """The most lead that a session or listener gets."""
    history_ms: int = Field(default=15_000, ge=1_000, le=120_000)
    """Audio kept per session for streams that come back; at least the largest lead."""
    chunk_ms: int = Field(default=80, ge=40, le=1_000)
    """Audio in one message of a stream."""
    single_frame_chunks: int = Field(default=4, ge=0, le=100)
    """How many chunks at the beginning of a stream are one frame each."""
    listener_lag_ms: int = Field(default=2_000, ge=200, le=60_000)
    """How far a listener may fall behind the head, beyond the session's lead, before it is cut off."""
    goodbye_ms: int = Field(default=1_000, ge=0, le=60_000)
    """How long a listener that is cut off may take to read its Goodbye."""
    report_every_ms: int = Field(default=500, ge=50, le=60_000)
    """How often clients are asked to report their playback."""
    rewind_margin_ms: int = Field(default=100, ge=0, le=5_000)
    """How far beyond the playhead a control replaces what is generated already; a measured round trip is added."""
    rewinds_per_second: float = Field(default=2.0, ge=0.0, le=25.0)
    """Per session; what is beyond lands at the head. 0 switches rewinding off."""
    rewind_share: float = Field(default=4.0, ge=0.0, le=100.0)
    """Seconds of audio that a session may have replaced per second, over a while."""

    grace_ms: int = Field(default=30_000, ge=100, le=3_600_000)
    """How long a session lives that nobody listens to."""
    pause_ms: int = Field(default=600_000, ge=100, le=86_400_000)
    """How long a paused session keeps its slot."""
    max_suspended: int = Field(default=1_024, ge=0, le=1_000_000)
    """Sessions that are kept, some 12 KB each, after their slot was freed because of a long pause."""
    resume_keys: tuple[SecretStr, ...] = ()
    """What resume points are signed with, oldest first: the last one signs, all are accepted. Servers that share them
    take over each other's sessions. None: a random one, so that only this process can."""
    resume_days: float = Field(default=90.0, gt=0.0, le=36_500.0)
    """How old a resume point may be; long enough for save files."""
    drain_ms: int = Field(default=10_000, ge=0, le=600_000)
    """How long a server that shuts down waits for its listeners."""

    max_request_bytes: int = Field(default=1 << 22, ge=1 << 10, le=1 << 26)
    """The largest request. 28 s of stereo FLAC fit in the default."""
    max_soundtrack_bytes: int = Field(default=256 << 10, ge=1 << 10, le=1 << 24)
    """The largest soundtrack that can be uploaded."""
    max_soundtrack_prompts: int = Field(default=512, ge=1, le=8_192)
    """Prompts of all styles of a soundtrack that can be uploaded."""
    max_soundtrack_ways: int = Field(default=16_384, ge=1, le=1 << 20)
    """Ways from state to state of a soundtrack that can be uploaded: transitions times the states that each leaves."""
    max_soundtracks: int = Field(default=256, ge=1)
    """Soundtracks kept at once."""
    soundtrack_reload_ms: int = Field(default=1_000, ge=0, le=3_600_000)
    """How often the files and folders that `segue serve` was given are looked at. What has changed there is
    played, by running sessions of the same version too; a file with a mistake changes nothing. 0: never, else at least
    50."""
    remembered_requests: int = Field(default=256, ge=1, le=65_536)
    """request_ids remembered per session."""
    style_workers: int = Field(default=2, ge=1, le=64)
    """Threads that quantise the styles of running sessions, and as many that embed prompts."""
    opus_bit_rate: int = Field(default=128_000, ge=16_000, le=510_000)
    """Bits a second of Opus streams, both channels together."""
    encode_workers: int = Field(default=2, ge=1, le=64)
    """Threads that encode Opus and QOA."""
    style_cache: int = Field(default=4_096, ge=16)
    """Blends whose style codes are remembered per soundtrack."""

    guard: bool = True
    """Whether sessions whose model has gone silent, loops or is over range begin afresh by themselves."""
    guard_silence_ms: int = Field(default=20_000, ge=0, le=600_000)
    """So long near-silence (below -66 dBFS before mastering) is taken for a fault. Rests of a piece are shorter; what
    is silent on purpose asks for a gain of guard_quiet_db. 0 switches a detector off, here and below."""
    guard_quiet_db: float = Field(default=-40.0, ge=-96.0, le=24.0)
    """Where no more gain than this is asked for, nothing is done: nobody would hear it."""
    guard_loop_ms: int = Field(default=5_000, ge=0, le=60_000)
    """So long the same codes again and again are taken for a fault."""
    guard_over_range_ms: int = Field(default=1_000, ge=0, le=5_000)
    """So much of 5 s may be more than 6 dB over full scale before mastering."""
    guard_drift_ms: int = Field(default=0, ge=0, le=600_000)
    """So long adherence below guard_drift_below is taken for a fault. Off: a model that plays something else than it
    was asked for usually can't play what was asked for, and would not after a refresh either."""
    guard_drift_below: float = Field(default=0.25, ge=0.0, le=1.0)
    """Similarity that counts as drifted; what is usual depends on the model (docs/liveness.md)."""
    guard_cooldown_ms: int = Field(default=10_000, ge=1_000, le=600_000)
    """How long nothing is done after a refresh; doubled with each one in a row."""
    guard_refreshes: int = Field(default=3, ge=1, le=10)
    """Refreshes in a row for one cause, after which it is left alone for as long as it lasts."""
    guard_calm_ms: int = Field(default=60_000, ge=1_000, le=3_600_000)
    """So long without the fault, and the next refresh is the first in a row again."""
    adherence_every_ms: int = Field(default=5_000, ge=0, le=600_000)
    """How often at most a session's sound is compared with the style that was asked for; 0: never."""
    adherence_share: float = Field(default=0.1, gt=0.0, le=1.0)
    """Share of one core's time that comparing may take, all sessions together: with many of them, or a slow encoder,
    each one's turn comes more seldom."""

    session_log_dir: Path | None = None
    """Folder for the session event logs, a file a session, which `segue render --replay` reads. None: no logs."""
    session_log_bytes: int = Field(default=256 << 20, ge=1 << 10, le=1 << 40)
    """Where a session's log ends."""

    log_format: Literal["console", "json"] = "console"
    """How the server's log is written, on standard error."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is written."""

    # Traces.
    otel_endpoint: str | None = None
    """Collector that traces of calls are sent to by OTLP over gRPC, such as http://localhost:4317; https:// is TLS.
    Needs segue[otel]. None: no traces."""
    otel_share: float = Field(default=0.01, ge=0.0, le=1.0)
    """Share of the calls that are traced where the caller has not decided; one that sends a sampled traceparent is."""

    # A front door that brings a session's calls to its process.
    session_route: str | None = None
    """Address and port of this process as the front door knows it, such as 10.1.2.3:7470; session tokens carry it (see
    docs/kubernetes.md). None: they carry none."""

    @field_validator("soundtrack_reload_ms")
    @classmethod
    def _is_no_hurry(cls, every_ms: int) -> int:
        if 0 < every_ms < 50:
            raise ValueError(f"expected 0 or at least 50, got {every_ms}")
        return every_ms

    @field_validator("otel_endpoint")
    @classmethod
    def _is_a_collector(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not _ORIGIN.fullmatch(endpoint):
            raise ValueError(f"expected a scheme, host and port, as in http://localhost:4317, got {quoted(endpoint)}")
        return endpoint

    @field_validator("resume_keys")
    @classmethod
    def _keys_are_long(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for place, key in enumerate(keys):
            if len(key.get_secret_value()) < _LEAST_KEY:
                raise ValueError(f"key {place}: expected at least {_LEAST_KEY} characters")
        return keys

    @field_validator("web_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for origin in origins or ():
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f'expected "*" or a scheme, host and port, as in https://game.example, got {quoted(origin)}'
                )
        return origins

    @field_validator("prompt_hook")
    @classmethod
    def _is_a_function(cls, hook: str | None) -> str | None:
        if hook is not None and not _FUNCTION.fullmatch(hook):
            raise ValueError(f'expected "module:function", as in "studio.prompts:judge", got {quoted(hook)}')
        return hook

    @field_validator("session_route")
    @classmethod
    def _is_an_address(cls, route: str | None) -> str | None:
        if route is not None and not _ROUTE.fullmatch(route):
            raise ValueError(f"expected an IP address and a port, as in 10.1.2.3:7470, got {quoted(route)}")
        return route

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Settings:
        """All rules over several fields, a line each. A context {"unknown": names} leaves out what they decide."""
        unknown = set((info.context or {}).get("unknown", ()))
        problems = [said for fields, said in self._misfits() if unknown.isdisjoint(fields)]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _misfits(self) -> Iterator[tuple[set[str], str]]:
        """Broken rules: the fields that a rule is about, and what is said, which begins with the name of one."""
        if (self.tls_cert is None) != (self.tls_key is None):
            missing, given = ("tls_key", "tls_cert") if self.tls_key is None else ("tls_cert", "tls_key")
            yield {"tls_cert", "tls_key"}, f"{missing}: expected beside {given}"
        if self.tls_client_ca is not None and self.tls_cert is None and self.tls_key is None:
            yield {"tls_client_ca", "tls_cert", "tls_key"}, "tls_client_ca: expected tls_cert and tls_key beside it"
        for name in ("jwt_issuer", "jwt_audience"):
            if self.jwks_file is not None and not getattr(self, name):
                said = "expected beside jwks_file: else tokens for other services would be taken"
                yield {name, "jwks_file"}, f"{name}: {said}"
        if not self.min_lead_ms <= self.default_lead_ms <= self.max_lead_ms:
            yield (
                {"min_lead_ms", "default_lead_ms", "max_lead_ms"},
                f"default_lead_ms: expected {self.min_lead_ms}..{self.max_lead_ms}, from min_lead_ms to max_lead_ms, "
                f"got {self.default_lead_ms}",
            )
        least = self.max_lead_ms + self.listener_lag_ms
        if self.history_ms < least:
            yield (
                {"history_ms", "max_lead_ms", "listener_lag_ms"},
                f"history_ms: expected at least max_lead_ms + listener_lag_ms = {least}, got {self.history_ms}",
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only callers of this machine reach the server: also no front door brings others here."""
        return (
            self.session_route is None and self.is_native_loopback and (self.web_port is None or self.is_web_loopback)
        )

    @property
    def is_native_loopback(self) -> bool:
        """Whether only this machine can reach it by native gRPC."""
        return _is_loopback(self.host)

    @property
    def is_web_loopback(self) -> bool:
        """Whether only this machine can reach it by gRPC-Web."""
        return _is_loopback(self.web_host or self.host)


def quoted(text: str) -> str:
    """A value for a message, without the user and password that an address may hold."""
    return repr(_USER.sub(r"\1******@", text))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name can mean any address, 127.example.com as well
        return False
