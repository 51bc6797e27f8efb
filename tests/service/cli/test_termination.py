# SPDX-License-Identifier: Apache-2.0
"""SIGTERM while an engine is built."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Any

import pytest

from segue_service.cli.serve import run_server
from segue_service.cli.termination import ends_on_sigterm
from segue_service.config import Settings


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal to send")
def test_a_server_that_is_not_ready_ends_at_once() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def build() -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)

    with pytest.raises(SystemExit) as ended:
        run_server(Settings(), build, [], None)
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before


async def test_it_does_nothing_on_other_threads() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def elsewhere() -> Any:
        with ends_on_sigterm():
            return signal.getsignal(signal.SIGTERM)

    assert await asyncio.to_thread(elsewhere) is before
