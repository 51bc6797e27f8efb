# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web on the socket: torn frames, huge lengths, trailers, base64, odd HTTP, pipelines, and clients that dawdle."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from google.rpc import code_pb2

from fuzzing.cases import Case
from fuzzing.chance import Chance
from fuzzing.messages import every_method, message, path_of
from fuzzing.subject import OPERATOR_TOKEN, PATIENCE, SESSION, TOKEN, Subject
from fuzzing.web_requests import BINARY, TEXT, Headers, Reader, frame, frames, in_text, odd_headers, request

NAME: Final = "web"
_KINDS: Final = ("call", "call", "call", "frames", "frames", "http", "http", "mangled", "pipelined", "slow", "noise")
_QUIET: Final = 0.04
"""Seconds without a byte after which no more is expected, where the request was not one that must be answered."""
_HELD: Final = 48
_held: deque[asyncio.StreamWriter] = deque()
"""Connections of those who dawdle, so that there are always some."""


def draw(chance: Chance, subject: Subject, number: int) -> Case:
    """Bytes of a connection. options: answers, how many whole responses must come; cuts, where to pause."""
    kind = chance.choice(_KINDS)
    if kind == "noise":
        return Case(NAME, kind, chance.noise(4000), {"answers": 0})
    if kind == "pipelined":
        calls = [_call(chance, subject, number + place, "call") for place in range(chance.randrange(2, 6))]
        # The first one that streams is answered for ever.
        count = next((place for place, (_, streams) in enumerate(calls) if streams), len(calls))
        return Case(NAME, kind, b"".join(data for data, _ in calls), {"answers": count})
    data, streams = _call(chance, subject, number, kind)
    if kind == "mangled":
        return Case(NAME, kind, chance.mangled(data, 3), {"answers": 0})
    options: dict[str, Any] = {"answers": 1 if kind in ("call", "frames") and not streams else 0}
    if kind == "slow" or chance.once_in(10):
        options["cuts"] = sorted(chance.randrange(len(data) + 1) for _ in range(chance.size(8)))
        options["pause"] = chance.of(0.0, 0.001, 0.02)
    if kind == "slow":
        data, options["answers"] = data[: chance.randrange(len(data) + 1)], 0
    return Case(NAME, kind, data, options)


async def send(case: Case, subject: Subject) -> str | None:
    """What goes wrong."""
    assert subject.web is not None, "the server has no gRPC-Web"
    await subject.renew()
    try:
        async with asyncio.timeout(PATIENCE * subject.limit):
            reader, writer = await asyncio.open_connection(*subject.web)
    except TimeoutError:
        return f"no connection within {PATIENCE * subject.limit:g} s"
    answers, began = Reader(), subject.pace.now()
    try:
        await _written(case, writer)
        what = await _read(case, reader, answers, subject)
    except ConnectionError:
        what = None
    finally:
        _let_go(case, writer)
    for response in answers.responses:
        trailer = response.grpc_status
        name = f"HTTP {response.status}" if trailer is None else code_pb2.Code.Name(trailer)
        subject.answers[name] = subject.answers.get(name, 0) + 1
        subject.is_gone |= f'no session "{SESSION}"'.encode() in response.body
        if response.status >= 500 and response.status not in (501, 505):
            return f"{name}: {response.body[:200]!r}"
        if trailer in (code_pb2.UNKNOWN, code_pb2.INTERNAL, code_pb2.DATA_LOSS):
            return f"{name}: {response.body[:300]!r}"
    if what is None and subject.pace.now() - began > subject.limit:
        return f"it took more than {subject.limit:g} s"
    return what


def _call(chance: Chance, subject: Subject, number: int, kind: str) -> tuple[bytes, bool]:
    """A request, and whether its answer is a stream."""
    methods = [method for method in every_method() if method.name != "Drain" or subject.may_drain]
    method = methods[number % len(methods)]
    chance.is_mild = chance.once_in(2)
    data = message(chance, method.input_type, subject.words, SESSION).SerializeToString()
    token = TOKEN if method.containing_service.name.startswith("Live") else OPERATOR_TOKEN
    as_text = chance.once_in(3)
    headers: Headers = [("content-type", TEXT if as_text else BINARY), ("authorization", f"Bearer {token}")]
    body = frames(chance, data) if kind == "frames" else frame(data)
    if as_text:
        body = in_text(chance, body)
    verb, path = "POST", path_of(method)
    if kind == "http":
        headers = odd_headers(chance, headers)
        verb = chance.of("POST", "POST", "POST", "GET", "OPTIONS", "PUT", "CONNECT", "PRI", "post", "A" * 300)
        paths = (
            "/healthz",
            "/",
            "*",
            f"http://x{path}",
            f"{path}/",
            f"/{path}",
            f"{path}?a=b",
            "/%00",
            "/" + "a" * 9000,
        )
        path = path if chance.once_in(2) else chance.choice(paths)
    chunks = [chance.size(len(body)) for _ in range(chance.size(6))] if chance.once_in(5) else None
    return request(verb, path, headers, body, chunks), method.server_streaming


async def _written(case: Case, writer: asyncio.StreamWriter) -> None:
    at = 0
    for cut in [*case.options.get("cuts", ()), len(case.data)]:
        writer.write(case.data[at:cut])
        at = cut
        await writer.drain()
        if case.options.get("pause"):
            await asyncio.sleep(case.options["pause"])


async def _read(case: Case, reader: asyncio.StreamReader, answers: Reader, subject: Subject) -> str | None:
    """Until everything that must come has come, or nothing comes any more."""
    wanted, taken = case.options["answers"], 0
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE * subject.limit
    while True:
        done = sum(response.is_whole for response in answers.responses)
        if answers.is_broken or taken > 1 << 20 or (wanted and done >= wanted):
            return None
        try:
            async with asyncio.timeout(max(0.0, end - loop.time()) if wanted else _QUIET):
                data = await reader.read(1 << 16)
        except TimeoutError:
            return f"{done} of {wanted} answers within {PATIENCE * subject.limit:g} s" if wanted else None
        answers.feed(data)
        taken += len(data)
        if not data:
            done = sum(response.is_whole for response in answers.responses)
            return f"the connection ended after {done} of {wanted} answers" if done < wanted else None


def _let_go(case: Case, writer: asyncio.StreamWriter) -> None:
    if case.kind != "slow":
        writer.transport.abort()
        return
    _held.append(writer)
    release(_HELD)


def release(left: int = 0) -> None:
    """Drop the connections of those who dawdle, the oldest first, but for so many."""
    while len(_held) > left:
        writer = _held.popleft()  # named, or it would be gone, and complain, before it is closed
        writer.transport.abort()
