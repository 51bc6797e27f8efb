# SPDX-License-Identifier: Apache-2.0
"""Idempotency: a request_id that comes again gets the first reply, and nothing happens twice."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from segue_service.errors import invalid

T = TypeVar("T")


class RequestMemory(Generic[T]):
    """The last `size` request_ids and their replies, or the calls that are still at work on them. Event loop only."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[str, tuple[bytes, asyncio.Future[T]]] = OrderedDict()

    async def once(self, request_id: str, fingerprint: bytes, do: Callable[[], Awaitable[T]]) -> T:
        """Do it, unless this request_id has been here. A failure is not remembered: nothing was applied.

        The call goes on even if who asked first goes away. Raises Refused if the request_id came with another request.
        """
        if not request_id:
            return await do()
        fingerprint = hashlib.sha256(fingerprint).digest()  # a request may hold a recording of megabytes
        known = self._known.get(request_id)
        if known is not None:
            if known[0] != fingerprint:
                raise invalid("request_id", "expected one that has not been used for another request")
            self._known.move_to_end(request_id)
            return await asyncio.shield(known[1])
        future = asyncio.ensure_future(do())
        self._known[request_id] = (fingerprint, future)
        future.add_done_callback(lambda done: self._settle(request_id, done))
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        return await asyncio.shield(future)

    def forget(self, request_id: str) -> None:
        """The reply is no longer true."""
        self._known.pop(request_id, None)

    def _settle(self, request_id: str, done: asyncio.Future[T]) -> None:
        failed = done.cancelled() or done.exception() is not None
        known = self._known.get(request_id)
        if failed and known is not None and known[1] is done:
            del self._known[request_id]
