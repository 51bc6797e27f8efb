# SPDX-License-Identifier: Apache-2.0
"""Every RPC over native gRPC: noise, messages with anything in them, such messages mangled, and any metadata."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor

from fuzzing.cases import Case
from fuzzing.chance import Chance
from fuzzing.messages import every_method, message, path_of
from fuzzing.subject import OPERATOR_TOKEN, SESSION, TOKEN, Subject

NAME: Final = "rpc"
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS: Final = bytes.fromhex("000000040000000000")
_HEAD: Final = bytes.fromhex("00001e010400000001838684410f") + b"127.0.0.1:7470\x00"


def draw(chance: Chance, subject: Subject, number: int) -> Case:
    """Methods take turns, so that a run covers all of them."""
    if chance.once_in(50):
        frames = _PREFACE + _SETTINGS + _HEAD + chance.noise(200)
        return Case(NAME, "http2", chance.mangled(frames) if chance.once_in(2) else chance.noise(500))
    methods = every_method()
    if subject.may_drain:
        methods = tuple(method for method in methods if method.name == "Drain") or methods
    return draw_call(chance, subject, methods[number % len(methods)])


def draw_call(chance: Chance, subject: Subject, method: MethodDescriptor) -> Case:
    """An input of one method."""
    kind = chance.of("noise", "wild", "mild", "mild", "mangled")
    chance.is_mild = kind != "wild"
    if kind == "noise":
        data = chance.noise(2000)
    else:
        data = message(chance, method.input_type, subject.words, SESSION).SerializeToString()
        data = chance.mangled(data) if kind == "mangled" else data
    metadata = _metadata(chance, method, subject)
    options: dict[str, Any] = {"path": path_of(method), "streams": method.server_streaming, "metadata": metadata}
    if chance.once_in(15):
        options["deadline"] = chance.of(0.0, 1e-4, 1e-3, 0.01)
    return Case(NAME, kind, data, options)


async def send(case: Case, subject: Subject) -> str | None:
    """What goes wrong."""
    await subject.renew()
    if case.kind == "http2":
        return await _http2(case.data, subject)
    metadata = [(key, base64.b64decode(value) if key.endswith("-bin") else value) for key, value in _pairs(case)]
    answer = await subject.call(
        *(case.options["path"], case.data, metadata),
        streams=int(case.options["streams"]),
        deadline=case.options.get("deadline"),
    )
    return None if answer.fault is None else f"{case.options['path']}: {answer.fault}"


def _pairs(case: Case) -> list[tuple[str, str]]:
    return [(key, value) for key, value in case.options["metadata"]]


def _metadata(chance: Chance, method: MethodDescriptor, subject: Subject) -> list[tuple[str, str]]:
    """Tokens that open what is asked for, mostly; keys and values that gRPC lets through; "-bin" ones as base64."""
    of_session = method.containing_service.name.startswith("Live")
    found: list[tuple[str, str]] = []
    # Nobody else could be fuzzed after a Drain.
    if method.name != "Drain" or subject.may_drain:
        token = TOKEN if of_session else OPERATOR_TOKEN
        found = [("authorization", f"Bearer {token}")]
    for _ in range(chance.size(6) if chance.once_in(4) else 0):
        keys = ("authorization", "segue-session-token", "traceparent", "tracestate", "x-any", "grpc-trace-bin", "x-bin")
        key = chance.of(*keys)
        printable = "".join(chr(chance.randrange(0x20, 0x7F)) for _ in range(chance.size(300)))
        value = chance.of(printable, f"Bearer {printable}", "Bearer ", "00-" + "0" * 32 + "-" + "f" * 16 + "-01")
        if key.endswith("-bin"):
            value = base64.b64encode(chance.noise(200)).decode()
        found.insert(chance.randrange(len(found) + 1), (key, value.strip()))
    return found


async def _http2(data: bytes, subject: Subject) -> str | None:
    """Bytes on the socket; what counts is whether the server is there afterwards."""
    host, _, port = subject.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(0.05):
            await reader.read(1 << 16)
    writer.transport.abort()
    return None
