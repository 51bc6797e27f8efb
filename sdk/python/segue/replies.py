# SPDX-License-Identifier: Apache-2.0
"""Answers of the server as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from segue.v1 import control_pb2

Landing = Literal["head", "rewound", "head_limited", "unchanged", "unspecified"]


@dataclass(frozen=True, slots=True)
class Reply:
    """Where a control landed.

    state: the session's state, or the one that it is on its way to. audible_at_sample: the first sample of the timeline
    that can differ because of the control; None if nothing changes (yet), `reason` says why. head_sample and
    playhead_sample: first sample not generated, and not heard, when it was applied.
    """

    state: str
    audible_at_sample: int | None
    landing: Landing
    take: int
    in_transition: bool
    reason: str
    head_sample: int
    playhead_sample: int
    request_id: str

    @staticmethod
    def of(outcome: control_pb2.ControlOutcome) -> Reply:
        """From the wire."""
        known = outcome.landing in control_pb2.Landing.values()
        landing = control_pb2.Landing.Name(outcome.landing).removeprefix("LANDING_").lower() if known else "unspecified"
        return Reply(
            state=outcome.state,
            audible_at_sample=outcome.audible_at_sample if outcome.HasField("audible_at_sample") else None,
            landing=landing,  # type: ignore[arg-type]
            take=outcome.take,
            in_transition=outcome.in_transition,
            reason=outcome.reason,
            head_sample=outcome.head_sample,
            playhead_sample=outcome.playhead_sample,
            request_id=outcome.request_id,
        )
