# SPDX-License-Identifier: Apache-2.0
"""Checks of what a client returns: resume points and continuation bytes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_engine.contract import EngineInfo
from segue_service.api import requests as check
from segue_service.api.routed_token import bare
from segue_service.config import Settings
from segue_service.errors import invalid
from segue_service.session.continuation import ContinuationError, join
from segue_service.session.resuming import Wish

_PIECES: Final = 1_000
_ANY: Final = 2**31
_THE_TOKENS: Final = ("soundtrack_id", "soundtrack_version", "initial_state", "parameters", "prefill", "prefill_audio")


def resume(request: pb.CreateSessionRequest, settings: Settings) -> Wish:
    """How a session is to be gone on with. Raises Refused naming the field."""
    for field in _THE_TOKENS:
        if getattr(request, field):
            raise invalid(field, "expected none with resume: it is the resume point's")
    for field in ("seed", "guidance"):
        if request.HasField(field):  # type: ignore[arg-type]
            raise invalid(field, "expected none with resume: it is the resume point's")
    given = request.resume
    if not given.token:
        raise invalid("resume.token", "expected ResumePoint.token")
    _count("resume.continuation", len(given.continuation))
    if len(given.session_token) > 256:
        raise invalid("resume.session_token", f"expected at most 256 characters, got {len(given.session_token)}")
    check.within("resume.from_sample", given.from_sample, 0, 2**50)
    if request.target_lead_ms:
        check.within("target_lead_ms", request.target_lead_ms, settings.min_lead_ms, settings.max_lead_ms)
    return Wish(
        point=given.token,
        continuation=tuple(given.continuation),
        from_sample=given.from_sample,
        session_token=bare(given.session_token) or None,
        lead_ms=request.target_lead_ms or None,
        paused=request.paused,
        labels=check.labels(request.labels),
    )


def prefill(request: pb.CreateSessionRequest, info: EngineInfo) -> NDArray[np.int32] | None:
    """Codes int32[n, levels] of the continuation bytes in `prefill`; None if there are none. Raises Refused."""
    if not request.prefill:
        return None
    if request.prefill_audio:
        raise invalid("prefill", "expected either prefill or prefill_audio")
    _count("prefill", len(request.prefill))
    try:
        played = join(request.prefill, info, _ANY)
    except ContinuationError as error:
        field, _, expected = str(error).partition(": ")
        raise invalid(field.replace("continuation", "prefill"), expected) from None
    return None if played is None else played.codes[-info.memory_frames :]


def _count(field: str, pieces: int) -> None:
    if pieces > _PIECES:
        raise invalid(field, f"expected at most {_PIECES} pieces, got {pieces}")
