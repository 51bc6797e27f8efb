# SPDX-License-Identifier: Apache-2.0
"""How channels are opened: retries of what is safe to repeat, keepalive, tokens in the metadata."""

from __future__ import annotations

import json
import random
from typing import Any, Final

import grpc

DEFAULT_TIMEOUT: Final = 10.0
"""Seconds for a unary call, retries included."""
RECONNECT_TRIES: Final = 6
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
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", 16 << 20),
)

Metadata = tuple[tuple[str, str], ...]


def bearer(token: str | None) -> Metadata:
    """Metadata that carries a token; none without one."""
    return () if token is None else (("authorization", f"Bearer {token}"),)


def credentials(root_certificates: bytes | None) -> grpc.ChannelCredentials:
    """TLS by these roots, or by the system's."""
    return grpc.ssl_channel_credentials(root_certificates)


def backoff(attempt: int) -> float:
    """Seconds before reconnecting for the n-th time: 0.1, 0.2, … 3, with jitter."""
    return min(3.0, 0.1 * 2.0**attempt) * random.uniform(0.5, 1.0)
