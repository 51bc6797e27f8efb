# SPDX-License-Identifier: Apache-2.0
"""A server in this process that can be fuzzed, and what `bench/fuzz.py` shares with the tests."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.server import running
from segue_service.soundtrack import load_soundtrack

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "bench"))


def _died(error: BaseException) -> None:
    raise AssertionError("the device thread died") from error


@pytest.fixture
def serve() -> Any:
    """serve(): (server, subject) for the length of the block."""
    from fuzzing.subject import SETTINGS, Subject

    @contextlib.asynccontextmanager
    async def make() -> AsyncIterator[Any]:
        settings = Settings(port=0, web_port=0, drain_ms=0, **SETTINGS)
        assembly: Any = SimpleNamespace(engine=FakeEngine(slots=8), style_encoder=HashStyleEncoder())
        soundtrack = load_soundtrack(ROOT / "examples" / "dungeon" / "dungeon.soundtrack.yaml")
        async with (
            running(settings, assembly, [soundtrack], on_death=_died) as server,
            Subject(server.address, ("127.0.0.1", server.web_port or 0), limit=60.0).open() as subject,
        ):
            yield server, subject

    return make
