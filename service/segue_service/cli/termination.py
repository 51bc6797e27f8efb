# SPDX-License-Identifier: Apache-2.0
"""SIGTERM before there is anything that could be shut down in order."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def ends_on_sigterm() -> Iterator[None]:
    """SIGTERM raises SystemExit(143) inside the block, on the main thread; elsewhere nothing is changed.

    Without a handler Linux drops the signal where the process is the first of its container: a pod that is deleted
    while it loads weights and compiles would go on until it is killed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
