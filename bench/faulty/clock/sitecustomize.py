# SPDX-License-Identifier: Apache-2.0
"""A wall clock that can be made to jump: seconds in the file $BENCH_CLOCK are added to what Python says the time is.

Python imports this module at its start where its folder is in $PYTHONPATH. The monotonic clock goes on as it is.
"""

from __future__ import annotations

import datetime
import os
import time
from typing import Any

_REAL_TIME, _REAL_NS = time.time, time.time_ns
_REAL = datetime.datetime


def _offset() -> int:
    try:
        with open(os.environ["BENCH_CLOCK"], encoding="ascii") as file:
            return int(file.read() or 0)
    except (KeyError, OSError):
        return 0


class _Kind(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _REAL)


class _Datetime(_REAL, metaclass=_Kind):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _REAL.fromtimestamp(time.time(), tz)


time.time = lambda: _REAL_TIME() + _offset()
time.time_ns = lambda: _REAL_NS() + _offset() * 1_000_000_000
datetime.datetime = _Datetime  # type: ignore[misc]
