# SPDX-License-Identifier: Apache-2.0
"""The Unity SDK's client without Unity, in a process that plays in real time (its Tests/Core/Outside/Listen.cs)."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from network.serving import BenchError

TOOLS: Final = Path(__file__).resolve().parents[2] / "sdk" / "unity" / "test.py"
CLOSE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Runtime:
    """How the client is started. name: "mono" or "dotnet"."""

    name: str
    command: tuple[str, ...]
    variables: dict[str, str]


def runtime(name: str) -> Runtime:
    """Compile the client and find what runs it. Raises BenchError."""
    spec = importlib.util.spec_from_file_location("segue_unity_tools", TOOLS)
    assert spec is not None
    assert spec.loader is not None
    tools: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tools)
    found = (tools.mono if name == "mono" else tools.dotnet)()
    if found is None or tools.dotnet() is None:
        raise BenchError(f"{name} or the C# compiler is not there: python3 sdk/unity/test.py --install")
    if tools.compile_all(whole=False) != 0:
        raise BenchError("the Unity SDK does not compile")
    words = (*found[0], tools.BUILT / "Segue.Core.Tests.exe", "listen")
    return Runtime(name, tuple(str(word) for word in words), found[1])


class Client:
    """A player that runs. Event loop only."""

    def __init__(self, process: asyncio.subprocess.Process, seconds: float) -> None:
        self._process, self._seconds = process, seconds

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def end(self) -> dict[str, Any]:
        """Let it end now; what `figures` gives."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(b"end\n")
            await self._process.stdin.drain()
        self._seconds = 0.0
        return await self.figures()

    async def figures(self) -> dict[str, Any]:
        """What it prints once its time is over. "said": its other lines. Raises BenchError."""
        async with asyncio.timeout(self._seconds + CLOSE_SECONDS):
            output, errors = await self._process.communicate()
        lines = (output + errors).decode(errors="replace").strip().splitlines()
        for line in lines:
            if line.startswith("{"):
                return {**json.loads(line), "said": [other for other in lines if other is not line]}
        raise BenchError("the client gave no figures:\n" + "\n".join(lines[-15:]))


@contextlib.asynccontextmanager
async def listening(
    runtime: Runtime,
    address: str,
    soundtrack: str,
    seconds: float,
    lead_ms: int,
    states: Sequence[str],
    *words: str,
) -> AsyncIterator[Client]:
    """A client for as long as the block runs, at most `seconds`. words: as `listen` takes them after the states."""
    arguments = (address, soundtrack, str(seconds), str(lead_ms), ",".join(states), *words)
    process = await asyncio.create_subprocess_exec(
        *runtime.command,
        *arguments,
        env={**os.environ, **runtime.variables},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=os.name != "nt",  # Ctrl-C reaches the bench alone
    )
    try:
        yield Client(process, seconds)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
