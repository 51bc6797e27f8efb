# SPDX-License-Identifier: Apache-2.0
"""What all sessions of a server share."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from segue_engine.contract import Engine
from segue_service.config import Settings
from segue_service.observe.metrics import Metrics
from segue_service.observe.session_log import SessionLogs
from segue_service.security.guarded import Security
from segue_service.session.adherence import Adherence
from segue_service.session.codecs import Codecs
from segue_service.session.device_thread import DeviceThread
from segue_service.session.hub import Hub
from segue_service.session.resume_point import Seal


@dataclass(frozen=True, slots=True)
class Parts:
    """The engine and what stands around it."""

    engine: Engine
    hub: Hub
    device: DeviceThread
    executor: Executor
    """Quantises the styles of running sessions. What may take long (embedding, parsing) has `slow`, so that no upload
    stands in the way of a control."""
    slow: Executor
    codecs: Codecs
    seal: Seal
    settings: Settings
    metrics: Metrics
    logs: SessionLogs
    adherence: Adherence
    security: Security
