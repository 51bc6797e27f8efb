# SPDX-License-Identifier: Apache-2.0
"""A plan on its way into the engine: what the device thread does with it, and where it has landed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segue.v1 import control_pb2
from segue_engine.contract import SlotHandle
from segue_service.session.device_thread import Device
from segue_service.session.planned import Entries
from segue_service.session.planning import Plan
from segue_service.session.timeline import Axis
from segue_service.soundtrack import InputResult

Tell = Callable[[Device, int, Entries, int], int]
"""Another way to have the engine take up a plan, by its frame, entries and limit, than to steer. Gives the frame from
which it holds: a later one where the engine can't go back so far any more."""


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a control landed: frame is the first that differs, None if none does; reason says why in that case.

    rewound: generated frames are replaced by this take. limited: they would have been, but for the session's limits.
    """

    frame: int | None
    state: str
    in_transition: bool
    head_frame: int
    reason: str = ""
    take: int = 0
    rewound: bool = False
    limited: bool = False

    @property
    def landing(self) -> control_pb2.Landing.ValueType:
        if self.frame is None:
            return control_pb2.LANDING_UNCHANGED
        if self.rewound:
            return control_pb2.LANDING_REWOUND
        return control_pb2.LANDING_HEAD_LIMITED if self.limited else control_pb2.LANDING_HEAD


@dataclass(frozen=True, slots=True)
class Bound:
    """The slot that a session has now: timeline frame = slot frame + offset."""

    handle: SlotHandle
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What the device thread did with a plan: it holds from frame `first` on, which replaces what there was up to
    `head`."""

    first: int
    head: int

    @property
    def rewound(self) -> bool:
        return self.first < self.head


def head_command(
    bound: Bound,
    plan: Plan,
    axis: Axis,
    tell: Tell | None,
) -> Callable[[Device], Told | None]:
    """What the device thread does with a plan for the head: nothing if it is past the plan's frame already."""

    def run(device: Device) -> Told | None:
        if device.engine.head(bound.handle) + bound.offset > plan.frame:
            return None
        if tell is None:
            _steer(device, bound, plan, axis)
            return Told(plan.frame, plan.frame)
        first = tell(device, plan.frame, plan.entries, plan.placement.limit)
        return Told(first, first)

    return run


def rewind_command(
    bound: Bound, plan: Plan, axis: Axis, margin: int, tell: Tell | None = None
) -> Callable[[Device], Told | None]:
    """What the device thread does with a plan behind the head: nothing if half of its margin has been played."""

    def run(device: Device) -> Told | None:
        slot = bound.handle.index
        if axis.sample(plan.frame) < device.pacer.playhead(slot, device.now()) + margin // 2:
            return None
        head = device.engine.head(bound.handle) + bound.offset
        if tell is not None:
            device.flush()
            first = tell(device, plan.frame, plan.entries, plan.placement.limit)
            return Told(first, max(head, first))
        first = head if plan.changes is None else min(plan.changes, head)
        if first < head:
            device.flush()
            first = device.rewind(bound.handle, first - bound.offset) + bound.offset
        _steer(device, bound, plan, axis)
        return Told(first, head)

    return run


def _steer(device: Device, bound: Bound, plan: Plan, axis: Axis) -> None:
    device.engine.steer(bound.handle, [(at - bound.offset, conditioning) for at, conditioning in plan.entries])
    device.pacer.limit[bound.handle.index] = axis.sample(plan.placement.limit)


def landed(results: Sequence[InputResult], changes: int | None, told: Told, busy: bool) -> Landed:
    """changes: the first frame under another conditioning; what begins later than is planned yet has none."""
    begins = [result.begins_at for result in results if result.begins_at is not None]
    reasons = [_words(result) for result in results if result.begins_at is None]
    return Landed(
        frame=(min(begins) if changes is None else max(changes, told.first)) if begins else None,
        state=results[-1].state,
        in_transition=busy,
        head_frame=told.head,
        reason="" if begins else "; ".join(dict.fromkeys(reason for reason in reasons if reason)),
        rewound=told.rewound,
    )


def _words(result: InputResult) -> str:
    reason = str(getattr(result.reason, "value", result.reason)).lower().replace("_", " ")
    return "nothing sounds different for now" if reason == "none" else reason
