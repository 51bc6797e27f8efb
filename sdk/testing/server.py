# SPDX-License-Identifier: Apache-2.0
"""The real service for the end-to-end tests of Unity's and Godot's SDK, on the fake engine or on the starter model: it
can be killed and started again while they run.

It is started by `sdk/unity/test.py` and `sdk/godot/test.py`, belongs to neither and ships with neither; it wants the
repository's .venv.

Prints one line, its address and the port of its control socket, which takes "kill" and "start" and answers "ok". Ends
with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOUNDTRACKS = {
    "fake": ROOT / "tests" / "service" / "dungeon.soundtrack.yaml",
    "starter": ROOT / "examples" / "dungeon" / "dungeon.soundtrack.yaml",
}
SLOTS = {"fake": 6, "starter": 4}
KEY = "a key of these tests, which is no secret"


def assembled(model: str) -> Any:
    """The engine and its styles."""
    if model == "fake":
        from segue_engine.batch.fake import FakeEngine
        from segue_engine.batch.fake_styles import HashStyleEncoder

        return SimpleNamespace(engine=FakeEngine(slots=SLOTS[model]), style_encoder=HashStyleEncoder())
    from segue_engine.assemble import assemble

    return assemble(model, SLOTS[model], "cpu")


async def serve(model: str, port: int) -> None:
    """The service, until it is killed."""
    from segue_service.config import Settings
    from segue_service.server import running
    from segue_service.soundtrack import parse_soundtrack

    given: dict[str, Any] = {"port": 0, "web_port": port, "resume_keys": (KEY,), "drain_ms": 100, "goodbye_ms": 100}
    soundtrack = parse_soundtrack(SOUNDTRACKS[model].read_text(encoding="utf-8"))
    told, log = sys.stdout, io.StringIO()
    with contextlib.redirect_stdout(log):  # the log's lines would be taken for the word that is waited for
        async with running(Settings(**given), assembled(model), [soundtrack]):
            print("ready", file=told, flush=True)
            await asyncio.Event().wait()


class Keeper:
    """Starts and kills the service, which runs in a process of its own."""

    def __init__(self, model: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._model = model
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, __file__, "--model", self._model, "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise SystemExit("the service did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def control(keeper: Keeper, listening: socket.socket) -> None:
    """Do what connections ask for."""
    while True:
        connection, _ = listening.accept()
        # Whoever goes without a word takes nothing of it along.
        with contextlib.suppress(ConnectionError), connection, connection.makefile("rw", encoding="ascii") as lines:
            for line in lines:
                (keeper.kill if line.strip() == "kill" else keeper.start)()
                lines.write("ok\n")
                lines.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=tuple(SOUNDTRACKS), default="fake", help="starter: its first start compiles")
    parser.add_argument("--port", type=int, help="be the service itself, on this port")
    wanted = parser.parse_args()
    if wanted.port is not None:
        asyncio.run(serve(wanted.model, wanted.port))
        return
    keeper = Keeper(wanted.model)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        keeper.start()
        listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=control, args=(keeper, listening), daemon=True).start()
        print(f"http://127.0.0.1:{keeper.port} {listening.getsockname()[1]}", flush=True)
        sys.stdin.read()
    finally:
        keeper.kill()


if __name__ == "__main__":
    main()
