# SPDX-License-Identifier: Apache-2.0
"""What a server must go on doing whatever is sent to it: live, answer, stay small, log no fault, and play its music."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2
from network.serving import Served, connect
from network.transcript import Transcript

import segue
from fuzzing.pace import Pace
from fuzzing.subject import PATIENCE, Subject
from segue.channel import OPTIONS

LEAD_MS: Final = 1_000
_EVERY: Final = 0.5
_KEPT: Final = 1_500
"""Frames that one neighbour may be behind the other: a minute."""
_QUIET: Final = re.compile(r"Note: |Warning: |\[src/libmpg123|\s*$|[IWE]\d{4} \d\d:")
"""Lines that libraries write by themselves: libsndfile's decoder of MP3, and gRPC about bytes that are no HTTP/2."""
_WRONG: Final = ("error", "critical")
Book = Callable[[str], None]


class Twins:
    """Two sessions that play the same, which nobody steers: each is the other's witness."""

    def __init__(self, pace: Pace) -> None:
        self.compared = self.different = 0
        """Frames that both have got, and those of them that were not bit for bit the same."""
        self.longest_wait = 0.0
        """Seconds between two blocks, by the pace."""
        self._pace = pace
        self._sessions: list[tuple[segue.aio.Session, Transcript]] = []
        self._is_over = False
        self._frames: dict[int, bytes] = {}
        self._last: dict[str, float] = {}

    @contextlib.asynccontextmanager
    async def playing(self, address: str, soundtrack: str, book: Book) -> AsyncIterator[None]:
        """Listen for as long as the block runs."""
        async with connect(address) as music:
            tasks = []
            for name in ("one", "other"):
                session = await music.play(soundtrack, seed=5, parameters={"danger": 0.4}, lead_ms=LEAD_MS)
                transcript = Transcript(1.0, self._settled)
                self._sessions.append((session, transcript))
                tasks.append(asyncio.create_task(self._listen(name, session, transcript, book)))
            try:
                yield
            finally:
                self._is_over = True
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for session, _ in self._sessions:
                    with contextlib.suppress(segue.SegueError, grpc.aio.AioRpcError):
                        await session.close()

    async def _listen(self, name: str, session: segue.aio.Session, transcript: Transcript, book: Book) -> None:
        self._last[name] = self._pace.now()
        try:
            async for block in session.audio():
                now = self._pace.now()
                self.longest_wait = max(self.longest_wait, now - self._last[name])
                self._last[name] = now
                transcript.put(block)
                if block.take or transcript.gaps or transcript.rewritten:
                    book(f"the neighbour {name} got another take, or samples were left out")
                    return
        except (segue.SegueError, grpc.aio.AioRpcError) as error:
            if not self._is_over:
                book(f"the neighbour {name}'s stream ended: {error}")

    def _settled(self, frame: int, pcm: bytes) -> None:
        other = self._frames.pop(frame, None)
        if other is not None:
            self.compared += 1
            self.different += other != pcm
            return
        self._frames[frame] = pcm
        self._frames.pop(frame - _KEPT, None)

    def check(self, stall: float, book: Book) -> None:
        """Book it if they did not get the same, had to begin anew, or got nothing for so many seconds."""
        self.longest_wait = max([self.longest_wait, *(self._pace.now() - last for last in self._last.values())])
        if self.longest_wait > stall:
            book(f"a neighbour got no music for more than {stall:g} s")
        if self.different:
            book(f"neighbours differ in {self.different} frames")
        for session, _ in self._sessions:
            if session.stats.reconnects or session.stats.resumes:
                book("a neighbour's stream broke and had to begin anew")


class Log:
    """A server's log as it grows: whatever is an error, or no line of ours."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0

    def wrong(self) -> list[str]:
        """What has come since the last time, a text for each fault."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        cut = data.rfind(b"\n") + 1
        self._at += cut
        found, loose = list[str](), list[str]()
        for line in data[:cut].decode("utf-8", "replace").splitlines():
            told, rest = _told(line)
            loose += [] if _QUIET.match(rest) else [rest]
            if told.get("level") in _WRONG:
                found.append(
                    f"log: {told.get('event')}: {told.get('error', '')}\n{str(told.get('exception', ''))[-4000:]}"
                )
        return found + (["log: " + "\n".join(loose)[-4000:]] if loose else [])


def _told(line: str) -> tuple[dict[str, Any], str]:
    """What the log says in a line, and what a library has written before its end."""
    try:
        told, end = json.JSONDecoder().raw_decode(line)
    except ValueError:
        return {}, line
    return (told, line[end:]) if isinstance(told, dict) else ({}, line)


async def watch(
    server: Served, log: Log, subject: Subject, grow_mb: float, book: Book, figures: dict[str, Any]
) -> None:
    """Look at the server until cancelled, or until it is dead. Health: it serves, or it was drained."""
    pace, limit = subject.pace, subject.limit
    start = server.resident_megabytes() or 0.0
    figures |= {"mb_start": round(start), "mb_most": round(start)}
    options = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))
    async with grpc.aio.insecure_channel(server.address, options=options) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        while True:
            for fault in log.wrong():
                book(fault)
            if server.process is not None and server.process.returncode is not None:
                book(f"the server died: exit code {server.process.returncode}")
                return
            now = server.resident_megabytes() or start
            figures["mb_end"], figures["mb_most"] = round(now), max(figures["mb_most"], round(now))
            if now > start + grow_mb:
                book(f"the server has grown by more than {grow_mb:g} MB")
                start = now
            began = pace.now()
            try:
                answer = await check(health_pb2.HealthCheckRequest(), timeout=PATIENCE * limit)
                if answer.status != health_pb2.HealthCheckResponse.SERVING and not subject.may_drain:
                    book(f"health: {answer.status}")
            except grpc.aio.AioRpcError as error:
                if server.process is None or server.process.returncode is None:
                    book(f"health was not answered: {error.code().name}")
            spent = pace.now() - began
            if spent > limit:
                book(f"health was not answered within {limit:g} s")
            figures["health_ms_max"] = max(figures.get("health_ms_max", 0), round(1000 * spent))
            await asyncio.sleep(_EVERY)
