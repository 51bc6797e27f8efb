# SPDX-License-Identifier: Apache-2.0
"""Controls that wait: those that arrive while one is on its way are taken together, in order, by the next placement.

A worker lands batch after batch while something waits, or once after a nudge, which needs no control. One control's
error is that control's own; what keeps a whole batch from landing is told to all who are in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from segue_service.observe import tracing
from segue_service.observe.log import logger
from segue_service.session.landing import Landed
from segue_service.soundtrack import ControlError, Input

Batch = tuple[str, Sequence[Input]]
"""What a control says, by its request_id."""
Land = Callable[[Sequence[Batch], tracing.Trace], Awaitable[Sequence[Landed | ControlError] | None]]
"""Lands batches at one place, for all of their traces: what has become of each, None where there is no slot."""
_log = logger("steering")


@dataclass(slots=True)
class _Waiting:
    request: str
    inputs: Sequence[Input]
    future: asyncio.Future[Landed]
    trace: tracing.Trace


class Batching:
    """One session's. Event loop only; holds `lock` while it lands something."""

    def __init__(self, land: Land, lock: asyncio.Lock, session_id: str = "") -> None:
        """session_id: to be logged."""
        self._land, self._lock, self._session_id = land, lock, session_id
        self._queue: list[_Waiting] = []
        self._nudged = False
        self._worker: asyncio.Task[None] | None = None

    async def apply(self, inputs: Sequence[Input], request: str) -> Landed:
        """Apply changes together. Raises ControlError, of which nothing was applied; asyncio.CancelledError where
        there is no slot."""
        future: asyncio.Future[Landed] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(request, inputs, future, tracing.current()))
        self.nudge()
        return await future

    def nudge(self) -> None:
        """See that the machine goes on; controls that wait are taken along."""
        self._nudged = True
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work())
            self._worker.add_done_callback(self._log_fault)

    def cancel(self) -> None:
        """The session is gone: whoever waits is told so."""
        if self._worker is not None:
            self._worker.cancel()
        for waiting in self._queue:
            waiting.future.cancel()
        self._queue.clear()

    async def _work(self) -> None:
        try:
            while True:
                async with self._lock:
                    batch, self._queue, self._nudged = self._queue, [], False
                    await self._take(batch)
                if not self._queue and not self._nudged:
                    return
        finally:
            self._worker = None

    async def _take(self, batch: list[_Waiting]) -> None:
        try:
            said = [(item.request, item.inputs) for item in batch]
            outcomes = await self._land(said, tracing.shared(item.trace for item in batch))
        except BaseException as error:
            for item in batch:
                if isinstance(error, asyncio.CancelledError):
                    item.future.cancel()
                elif not item.future.done():
                    item.future.set_exception(error)
            if not batch or isinstance(error, asyncio.CancelledError):
                raise
            return
        if outcomes is None:
            for item in batch:
                item.future.cancel()
            return
        for item, outcome in zip(batch, outcomes, strict=True):
            if item.future.done():  # whoever asked has gone away
                continue
            if isinstance(outcome, ControlError):
                item.future.set_exception(outcome)
            else:
                item.future.set_result(outcome)

    def _log_fault(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("a session could not go on", session=self._session_id, error=repr(error), exc_info=error)
