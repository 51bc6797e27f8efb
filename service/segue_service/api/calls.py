# SPDX-License-Identifier: Apache-2.0
"""The methods of every service: the same for every transport."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from segue.v1 import (
    live_soundtrack_service_pb2,
    operations_service_pb2,
    soundtrack_authoring_service_pb2,
)
from segue_service.api.authoring import AuthoringHandlers
from segue_service.api.live import LiveHandlers
from segue_service.api.operations import OperationsHandlers
from segue_service.errors import invalid

LIVE: Final = live_soundtrack_service_pb2.DESCRIPTOR.services_by_name["LiveSoundtrackService"]
AUTHORING: Final = soundtrack_authoring_service_pb2.DESCRIPTOR.services_by_name["SoundtrackAuthoringService"]
OPERATIONS: Final = operations_service_pb2.DESCRIPTOR.services_by_name["OperationsService"]
SERVICE_NAMES: Final = tuple(service.full_name for service in (LIVE, AUTHORING, OPERATIONS))


@dataclass(frozen=True, slots=True)
class Handlers:
    """What answers the calls, a member per service."""

    live: LiveHandlers
    authoring: AuthoringHandlers
    operations: OperationsHandlers


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a service and its handler: (request, caller) → an awaitable of the response, or serialised messages
    if it streams."""

    service: str
    descriptor: MethodDescriptor
    handle: Callable[..., Any]

    @property
    def name(self) -> str:
        """Without its service."""
        return str(self.descriptor.name)

    @property
    def path(self) -> str:
        """As in HTTP."""
        return f"/{self.service}/{self.name}"

    @property
    def streams(self) -> bool:
        """Whether the response is a stream."""
        return bool(self.descriptor.server_streaming)

    def parse(self, data: bytes) -> Message:
        """The request in these bytes. Raises Refused."""
        request = GetMessageClass(self.descriptor.input_type)()
        try:
            request.ParseFromString(data)
        except DecodeError:
            expected = f"expected a {self.descriptor.input_type.full_name}, got other bytes"
            raise invalid("request", expected) from None
        return request


def methods_of(handlers: Handlers) -> Iterator[Method]:
    """Every method that is served."""
    pairs: tuple[tuple[ServiceDescriptor, object], ...] = (
        (LIVE, handlers.live),
        (AUTHORING, handlers.authoring),
        (OPERATIONS, handlers.operations),
    )
    for service, answering in pairs:
        for method in service.methods:
            yield Method(service.full_name, method, getattr(answering, _snake(method.name)))


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
