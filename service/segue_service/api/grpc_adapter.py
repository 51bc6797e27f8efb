# SPDX-License-Identifier: Apache-2.0
"""The native gRPC adapter: bytes in, a handler in the middle, bytes out; refusals as google.rpc.Status.

Requests are parsed here, not by gRPC, so that malformed bytes are INVALID_ARGUMENT; streams yield serialised messages,
so that what several listeners get is serialised once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final

import grpc
from google.rpc import code_pb2

from segue.v1 import errors_pb2
from segue_service.api.answering import Call, Desk
from segue_service.api.caller import Caller
from segue_service.api.calls import Method
from segue_service.errors import Refused

Context = grpc.aio.ServicerContext
DETAILS_KEY: Final = "grpc-status-details-bin"
_ELSEWHERE: Final = ("segue-elsewhere", "1")
"""Told to a front door: another server may have room, or the session that is not here."""
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


def generic_handlers(methods: Iterable[Method], desk: Desk) -> list[grpc.GenericRpcHandler]:
    """What a grpc.aio server is given."""
    services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = {}
    for method in methods:
        services.setdefault(method.service, {})[method.name] = _adapted(method, desk)
    return [grpc.method_handlers_generic_handler(name, adapted) for name, adapted in services.items()]


def _adapted(method: Method, desk: Desk) -> grpc.RpcMethodHandler[bytes, bytes]:
    async def unary(data: bytes, context: Context[bytes, bytes]) -> bytes:
        call = desk.call(method, _caller(context))
        try:
            return await call.answer(data)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # By its handler, since the session has ended under it: gRPC would leave the client without an answer.
            ended = Refused(code_pb2.CANCELLED, errors_pb2.ERROR_REASON_UNSPECIFIED, "the call was cancelled")
            return await _refuse(context, ended, call)
        except Exception as error:
            return await _refuse(context, error, call)

    async def stream(data: bytes, context: Context[bytes, bytes]) -> AsyncIterator[bytes]:
        call = desk.call(method, _caller(context))
        try:
            async for message in call.stream(data):
                yield message
        except Exception as error:
            await _refuse(context, error, call)

    if method.streams:
        return grpc.unary_stream_rpc_method_handler(stream)
    return grpc.unary_unary_rpc_method_handler(unary)


def _caller(context: Context[bytes, bytes]) -> Caller:
    return Caller.of(((key, value) for key, value in context.invocation_metadata() or ()), context.peer() or "")


async def _refuse(context: Context[bytes, bytes], error: Exception, call: Call) -> bytes:
    """End the call with the error's status."""
    if isinstance(error, grpc.aio.AbortError | asyncio.CancelledError):
        raise error
    status = call.failed(error)
    details: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
    if call.may_be_elsewhere(status):
        details.append(_ELSEWHERE)
    await context.abort(_CODES[status.code], status.message, tuple(details))
    raise AssertionError("abort returns never")
