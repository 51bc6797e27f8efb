# SPDX-License-Identifier: Apache-2.0
"""Traces of calls, as the service tells them: off here, and then nothing is kept; `observe.spans` makes them spans.

A call's trace has a *lap* for each piece of work done for it, and may go on after the reply: a control's follows its
first changed sample until that is heard. Times are those of time.monotonic.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Final

Fact = str | int | float | bool


class Trace:
    """One that keeps nothing. `is_recording` says whether it is worth preparing what is told."""

    is_recording = False

    def lap(self, name: str, began: float, ended: float | None = None, **facts: Fact) -> None:
        """A piece of work, done by now or by `ended`."""

    def tell(self, **facts: Fact) -> None:
        """Something about the whole."""

    def fail(self, code: int, reason: str) -> None:
        """The call ends with this google.rpc code, for this ErrorReason."""

    def after(self, name: str, began: float, **facts: Fact) -> Trace:
        """What follows from it, a trace of its own within this one."""
        return self

    def end(self, at: float | None = None) -> None:
        """It is over, now or at a moment that may lie ahead."""


class Several(Trace):
    """Work that is done for several calls at once."""

    is_recording = True

    def __init__(self, traces: Sequence[Trace]) -> None:
        self._traces = traces

    def lap(self, name: str, began: float, ended: float | None = None, **facts: Fact) -> None:
        """See Trace."""
        for trace in self._traces:
            trace.lap(name, began, ended, **facts)


NOTHING: Final = Trace()
_current: ContextVar[Trace] = ContextVar("segue_trace", default=NOTHING)


class Tracing:
    """Traces nothing."""

    def begin(self, service: str, method: str, metadata: Mapping[str, str]) -> Trace:
        """A call comes in; metadata: what it says of the trace that it is part of (`PARENTS`)."""
        return NOTHING

    def close(self) -> None:
        """Hand over what waits; takes a few seconds at most."""


PARENTS: Final[tuple[str, ...]] = ("traceparent", "tracestate")
"""Metadata that names the trace which a call is part of (W3C Trace Context)."""


def current() -> Trace:
    """Of the call that this task works for."""
    return _current.get()


@contextlib.contextmanager
def within(trace: Trace) -> Iterator[None]:
    """What is done in the block, and in tasks begun there, is done for this trace."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def shared(traces: Iterable[Trace]) -> Trace:
    """For work that is done for all of these."""
    recording = [trace for trace in traces if trace.is_recording]
    return NOTHING if not recording else recording[0] if len(recording) == 1 else Several(recording)
