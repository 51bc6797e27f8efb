# SPDX-License-Identifier: Apache-2.0
"""What gRPC's errors amount to."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2

from segue.errors import SegueError, ServerFault, Unavailable, translate


class Failed(grpc.RpcError):
    """A call that has ended so. reason: in its details; empty: without."""

    def __init__(self, code: grpc.StatusCode, reason: str = "") -> None:
        super().__init__()
        self._code, self._reason = code, reason

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "it went wrong"

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        if not self._reason:
            return ()
        detail = AnyMessage()
        detail.Pack(error_details_pb2.ErrorInfo(reason=self._reason, domain="segue"))
        status = status_pb2.Status(code=code_pb2.INTERNAL, details=[detail])
        return (("grpc-status-details-bin", status.SerializeToString()),)


@pytest.mark.parametrize(
    ("failed", "kind"),
    [
        (Failed(grpc.StatusCode.INTERNAL), Unavailable),
        (Failed(grpc.StatusCode.INTERNAL, "FAULT"), ServerFault),
        (Failed(grpc.StatusCode.UNAVAILABLE), Unavailable),
    ],
)
def test_a_stream_that_was_reset_on_its_way_may_be_tried_again_and_a_servers_own_fault_not(
    failed: Failed, kind: type[SegueError]
) -> None:
    error = translate(failed)
    assert type(error) is kind
    assert "it went wrong" in str(error)
