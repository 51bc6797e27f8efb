# SPDX-License-Identifier: Apache-2.0
"""A prompt hook, "module:function", in a process of its own: one that hangs or dies takes nothing with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any, Final

from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics

_BEGIN_SECONDS: Final = 30.0
_END_SECONDS: Final = 5.0
_LONGEST_ANSWER: Final = 64 << 10
_log = logger("prompts")


class HookError(Exception):
    """The hook could not be asked; the message says why."""


class Hook:
    """function(prompt: str, tenant: str) -> None, or the reason why not. Event loop only; one prompt at a time."""

    def __init__(self, entry: str, limit_s: float, metrics: Metrics) -> None:
        self._entry, self._limit, self._metrics = entry, limit_s, metrics
        self._lock = asyncio.Lock()
        self._worker: asyncio.subprocess.Process | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Load it. Raises HookError."""
        async with self._lock:
            await self._begin()

    async def ask(self, prompt: str, tenant: str) -> str | None:
        """Why a prompt is not allowed; None if it is. Raises HookError if there is no answer in time."""
        async with self._lock:
            worker = self._worker
            if worker is None or worker.returncode is not None:
                self._kill()
                worker = await self._begin()
            try:
                answer = await asyncio.wait_for(_exchange(worker, [prompt, tenant]), self._limit)
            except TimeoutError:
                self._fail("timeout")
                raise HookError(f"the prompt filter gave no answer within {1000 * self._limit:.0f} ms") from None
            except (OSError, ValueError):
                self._fail("died")
                raise HookError("the prompt filter has died") from None
            except asyncio.CancelledError:
                self._kill()  # its answer would be taken for that of the next prompt
                raise
        if "error" in answer:
            self._metrics.hook_failures.labels("raised").inc()
            _log.error("the prompt hook has failed", error=str(answer["error"])[:500])
            raise HookError("the prompt filter has failed")
        reason = answer.get("reason")
        return None if reason is None else str(reason)[:200]

    async def close(self) -> None:
        """End its process. Idempotent."""
        self._kill()
        await asyncio.gather(*self._ending)

    async def _begin(self) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "segue_service.security.hook_worker", self._entry)
        pipe = asyncio.subprocess.PIPE
        try:
            worker = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=_LONGEST_ANSWER)
        except OSError as error:
            raise HookError(f"the prompt hook {self._entry} can't be started: {error}") from None
        self._worker = worker
        try:
            said = await asyncio.wait_for(_answer(worker), _BEGIN_SECONDS)
        except (TimeoutError, OSError, ValueError, asyncio.CancelledError) as error:
            self._kill()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise HookError(f"the prompt hook {self._entry} could not be loaded") from None
        if "ready" not in said:
            self._kill()
            raise HookError(f"the prompt hook {self._entry}: {said.get('error')}")
        return worker

    def _fail(self, how: str) -> None:
        self._metrics.hook_failures.labels(how).inc()
        _log.error("the prompt hook was ended and will be started again", hook=self._entry, cause=how)
        self._kill()

    def _kill(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            ending = asyncio.get_running_loop().create_task(_reap(worker))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


async def _exchange(worker: asyncio.subprocess.Process, question: list[str]) -> dict[str, Any]:
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(question).encode() + b"\n")
    await worker.stdin.drain()
    return await _answer(worker)


async def _answer(worker: asyncio.subprocess.Process) -> dict[str, Any]:
    """Raises ValueError where there is none."""
    assert worker.stdout is not None
    found = json.loads(await worker.stdout.readline())
    if not isinstance(found, dict):
        raise ValueError("expected a map")
    return found


async def _reap(worker: asyncio.subprocess.Process) -> None:
    """Wait for the end of a process that was killed, and of its pipes."""
    with contextlib.suppress(TimeoutError, OSError, ValueError):
        await asyncio.wait_for(worker.communicate(), _END_SECONDS)
