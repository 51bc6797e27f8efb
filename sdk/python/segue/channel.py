# SPDX-License-Identifier: Apache-2.0
"""How channels are opened: retries of what is safe to repeat, keepalive, tokens in the metadata."""

from __future__ import annotations

import json
import random
from typing import Any, Final

import grpc

DEFAULT_TIMEOUT: Final = 10.0
"""Seconds for a unary call, retries included."""
RECONNECT_TRIES: Final = 12
"""Some 18 s in all: a little more than the server keeps of the music."""
_SERVICES: Final = ("LiveSoundtrackService", "SoundtrackAuthoringService", "OperationsService")

_SERVICE_CONFIG: Final = {
    "methodConfig": [
        {
            # Every control and CreateSession carry a request_id, so that a repeated one happens once.
            "name": [{"service": f"segue.v1.{service}"} for service in _SERVICES],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        },
        # A stream is resumed by the client, from the sample that it holds.
        {"name": [{"service": "segue.v1.LiveSoundtrackService", "method": "StreamAudio"}]},
    ]
}

OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    # grpc waits between connections as well, 1 s at first and up to 2 minutes: a stream that wants to be back would be
    # told again and again that the last try has failed.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # despite its name how long one try may take
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", 16 << 20),
)

Metadata = tuple[tuple[str, str], ...]


def bearer(token: str | None) -> Metadata:
    """Metadata that carries a token; none without one."""
    return () if token is None else (("authorization", f"Bearer {token}"),)


def credentials(
    root_certificates: bytes | None, client_certificate: tuple[bytes, bytes] | None = None
) -> grpc.ChannelCredentials:
    """TLS by these roots, or by the system's. client_certificate: chain and key, where the server demands them."""
    chain, key = client_certificate or (None, None)
    return grpc.ssl_channel_credentials(root_certificates, key, chain)


def backoff(attempt: int) -> float:
    """Seconds before reconnecting after n tries in vain: at once, then 0.1, 0.2, … 3, with jitter."""
    if attempt == 0:
        return random.uniform(0.0, 0.03)
    return min(3.0, 0.1 * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)
