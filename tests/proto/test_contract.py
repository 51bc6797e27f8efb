# SPDX-License-Identifier: Apache-2.0
"""The wire contract: the stubs are current, and what the README calls not built answers so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from segue.v1 import live_soundtrack_service_pb2, operations_service_pb2, soundtrack_authoring_service_pb2

ROOT = Path(__file__).parents[2]
SERVICES = [
    *live_soundtrack_service_pb2.DESCRIPTOR.services_by_name.values(),
    *soundtrack_authoring_service_pb2.DESCRIPTOR.services_by_name.values(),
    *operations_service_pb2.DESCRIPTOR.services_by_name.values(),
]


def test_the_stubs_are_current() -> None:
    pytest.importorskip("grpc_tools")
    command = [sys.executable, str(ROOT / "proto" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_rpc_has_its_own_request_and_response() -> None:
    seen: set[str] = set()
    for service in SERVICES:
        assert service.name.endswith("Service")
        for method in service.methods:
            names = (method.input_type.name, method.output_type.name)
            assert names == (f"{method.name}Request", f"{method.name}Response")
            assert not seen & set(names)
            seen |= set(names)


def test_only_streams_stream() -> None:
    streams = {method.name for service in SERVICES for method in service.methods if method.server_streaming}
    assert streams == {"StreamAudio", "WatchSessions"}
    assert not any(method.client_streaming for service in SERVICES for method in service.methods)
