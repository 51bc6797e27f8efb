# SPDX-License-Identifier: Apache-2.0
"""The native gRPC adapter: bytes in, a handler in the middle, bytes out; refusals as google.rpc.Status.

Requests are parsed here, not by gRPC, so that malformed bytes are INVALID_ARGUMENT; streams yield serialised messages,
so that what several listeners get is serialised once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import code_pb2, status_pb2

from segue.v1 import (
    live_soundtrack_service_pb2,
    operations_service_pb2,
    soundtrack_authoring_service_pb2,
)
from segue_service.api.authoring import AuthoringHandlers
from segue_service.api.caller import Caller
from segue_service.api.live import LiveHandlers
from segue_service.api.operations import OperationsHandlers
from segue_service.errors import invalid, status_of
from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics

Context = grpc.aio.ServicerContext
DETAILS_KEY: Final = "grpc-status-details-bin"
LIVE: Final = live_soundtrack_service_pb2.DESCRIPTOR.services_by_name["LiveSoundtrackService"]
AUTHORING: Final = soundtrack_authoring_service_pb2.DESCRIPTOR.services_by_name["SoundtrackAuthoringService"]
OPERATIONS: Final = operations_service_pb2.DESCRIPTOR.services_by_name["OperationsService"]
SERVICE_NAMES: Final = tuple(service.full_name for service in (LIVE, AUTHORING, OPERATIONS))
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_log = logger("api")


def generic_handlers(
    live: LiveHandlers, authoring: AuthoringHandlers, operations: OperationsHandlers, metrics: Metrics, retry_ms: int
) -> list[grpc.GenericRpcHandler]:
    """What a grpc.aio server is given."""
    pairs: Iterable[tuple[ServiceDescriptor, object]] = (
        (LIVE, live),
        (AUTHORING, authoring),
        (OPERATIONS, operations),
    )
    made = []
    for service, handlers in pairs:
        methods = {
            method.name: _method(method, getattr(handlers, _snake(method.name)), metrics, retry_ms)
            for method in service.methods
        }
        made.append(grpc.method_handlers_generic_handler(service.full_name, methods))
    return made


def _method(
    method: MethodDescriptor, handle: Callable[..., Any], metrics: Metrics, retry_ms: int
) -> grpc.RpcMethodHandler[bytes, bytes]:
    request_class = GetMessageClass(method.input_type)

    def parse(data: bytes) -> Message:
        request = request_class()
        try:
            request.ParseFromString(data)
        except DecodeError:
            raise invalid("request", f"expected a {method.input_type.full_name}, got other bytes") from None
        return request

    async def unary(data: bytes, context: Context[bytes, bytes]) -> bytes:
        try:
            answer: Awaitable[Message] = handle(parse(data), _caller(context))
            return (await answer).SerializeToString()
        except Exception as error:
            return await _refuse(context, error, method.name, metrics, retry_ms)

    async def stream(data: bytes, context: Context[bytes, bytes]) -> AsyncIterator[bytes]:
        try:
            messages: AsyncIterator[bytes] = handle(parse(data), _caller(context))
            async for message in messages:
                yield message
        except Exception as error:
            await _refuse(context, error, method.name, metrics, retry_ms)

    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(stream)
    return grpc.unary_unary_rpc_method_handler(unary)


def _caller(context: Context[bytes, bytes]) -> Caller:
    return Caller.of((key, value) for key, value in context.invocation_metadata() or ())


async def _refuse(
    context: Context[bytes, bytes], error: Exception, method: str, metrics: Metrics, retry_ms: int
) -> bytes:
    """End the call with the error's status."""
    if isinstance(error, grpc.aio.AbortError | asyncio.CancelledError):
        raise error
    status: status_pb2.Status = status_of(error, retry_ms)
    if status.code == code_pb2.INTERNAL:
        metrics.faults.labels(method).inc()
        _log.error("a call failed", method=method, error=repr(error), exc_info=error)
    else:
        metrics.refused.labels(method, code_pb2.Code.Name(status.code).lower()).inc()
    await context.abort(_CODES[status.code], status.message, ((DETAILS_KEY, status.SerializeToString()),))
    raise AssertionError("abort returns never")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
