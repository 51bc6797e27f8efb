# SPDX-License-Identifier: Apache-2.0
"""What a session begins with: at frame 0 of its own timeline, or in the middle of one that another server began."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE, Conditioning, ConditioningError, EngineInfo, Past
from segue_engine.contract import Guidance as Weights
from segue_service.session.continuation import ContinuationError, join
from segue_service.session.deed import Deed
from segue_service.session.guidance import guidance_of
from segue_service.session.library import Library, Record
from segue_service.session.planned import Entries
from segue_service.session.resume_point import ResumeError, ResumePoint, conditionings, runs
from segue_service.session.styles import Override
from segue_service.session.timeline import Axis
from segue_service.soundtrack import Guidance, MachineState, state_to_json

REACH: Final = 20 * FRAME_RATE
"""Frames before a resume point from which a session may be gone on with: what a client holds of its continuation."""
BEYOND: Final = 300 * FRAME_RATE
"""Frames after a resume point up to which one may: a session that nobody steers makes another one every two minutes."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """state: the machine, at a frame that may lie some frames after `frame`, the first of the timeline here; up to
    there it plays under `given`. prefill int[n, levels] and `past`: what was played before. done: marks of controls
    that the state holds."""

    state: MachineState
    seed: int
    lead_ms: int
    guidance: Guidance
    frame: int = 0
    take: int = 0
    given: Entries = field(default_factory=list)
    prefill: NDArray[np.int32] | None = None
    past: Past | None = None
    override: Override | None = None
    done: tuple[str, ...] = ()

    @property
    def seed_of_slot(self) -> int:
        """The session's seed; further on another one, since a slot's own frames count from its prefill on."""
        if self.frame == 0:
            return self.seed
        text = f"{self.seed} {self.frame} {self.take}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def fresh(
    record: Record,
    info: EngineInfo,
    seed: int,
    lead_ms: int,
    *,
    state: str | None = None,
    parameters: Mapping[str, float] | None = None,
    guidance: Guidance | None = None,
) -> Beginning:
    """A new timeline. Raises ControlError."""
    begins = record.machine.start(frame=0, state=state, parameters=dict(parameters or {}))
    return Beginning(begins, seed, lead_ms, guidance or guidance_of(info))


def record_of(point: ResumePoint, library: Library, may_use: Callable[[str], bool] | None = None) -> Record:
    """The soundtrack that a resume point speaks of, if it may be used. Raises Refused, ResumeError."""
    record = library.get(point.soundtrack, point.version, may_use)
    if not record.hash.startswith(point.hash):
        raise ResumeError(
            f'it is of soundtrack "{point.soundtrack}" version {point.version} with the content {point.hash[:12]}; '
            f"here that version is {record.hash[:12]}"
        )
    return record


def resumed(
    point: ResumePoint, record: Record, info: EngineInfo, axis: Axis, from_sample: int, pieces: Sequence[bytes]
) -> Beginning:
    """The timeline that the point is of, from the frame that holds `from_sample` on, going on from the continuation.

    Raises ResumeError, ContinuationError.
    """
    if point.model != model_of(info):
        raise ResumeError(f"it is of the model {point.model}; here plays {model_of(info)}")
    frame = axis.frame(from_sample)
    earliest, latest = axis.audible(point.frame - REACH), axis.audible(point.frame + BEYOND)
    if not earliest <= from_sample <= latest:
        raise ContinuationError(
            f"from_sample: expected {earliest} to {latest} with this resume point, got {from_sample}"
        )
    played = join(pieces, info, frame)
    if played is not None and played.end < frame:
        wanted, got = axis.audible(frame), axis.audible(played.end)
        raise ContinuationError(f"continuation: expected codes up to sample {wanted}, got some up to {got}")
    try:
        state = record.machine.state_from_json(_whole(point.machine, record))
        if state.head != point.frame:
            raise ValueError(f"machine state: head: expected frame {point.frame}, got {state.head}")
        under = conditionings(point.under)
        guidance = Guidance.model_validate(dict(zip(("style", "notes", "drums"), point.guidance, strict=True)))
        override = None if point.override is None else _override(frame, *point.override)
    except (ValueError, ConditioningError) as error:
        raise ResumeError(f"it does not fit the soundtrack: {error}") from None
    given = _between(under, frame, state.head)
    taken = max(point.take, played.take if played is not None else 0) + 1
    begins = Beginning(
        *(state, point.seed, point.lead_ms, guidance, frame, taken, given),
        override=override,
        done=point.done,
    )
    if played is None:
        return begins
    codes = played.codes[-info.memory_frames :]
    before = _between(under, played.end - len(codes), frame)
    past = Past(tuple((at - frame, held) for at, held in before), played.loudness if played.loudness[2] else None)
    return replace(begins, prefill=codes, past=past)


def model_of(info: EngineInfo) -> str:
    """A model and its version, as resume points name it."""
    return f"{info.model} {info.version}"


def described(
    record: Record,
    info: EngineInfo,
    session: str,
    deed: Deed,
    seed: int,
    lead_ms: int,
    guidance: Guidance,
    take: int,
    state: MachineState,
    under: Entries,
    override: tuple[tuple[int, ...], float | None] | None,
    done: tuple[str, ...],
) -> ResumePoint:
    """The resume point of a session whose machine is `state` and that is played under `under` around there."""
    return ResumePoint(
        session=session,
        digest=deed.digest,
        tenant=deed.tenant,
        until=deed.until or 0,
        soundtrack=record.name,
        version=record.version,
        hash=record.hash[:32],
        model=model_of(info),
        seed=seed,
        lead_ms=lead_ms,
        guidance=(guidance.style, guidance.notes, guidance.drums),
        take=take,
        frame=state.head,
        machine=_slim(state, record),
        under=runs(under),
        override=override,
        done=done,
    )


def _override(frame: int, codes: tuple[int, ...], guidance: float | None) -> Override:
    """Raises ConditioningError where a value is out of range."""
    held = Conditioning(style_codes=codes)
    (held if guidance is None else replace(held, guidance=Weights(style=guidance))).validate()
    return Override(None, frame, frame, guidance, codes=codes)


def _between(under: Entries, begin: int, end: int) -> Entries:
    """What holds in [begin, end), the first entry at `begin`, as if it had always held."""
    held = [entry for entry in under if entry[0] <= begin][-1:] or list(under[:1])
    first = [(begin, held[0][1])] if held and begin < end else []
    return [*first, *(entry for entry in under if begin < entry[0] < end)]


def _slim(state: MachineState, record: Record) -> dict[str, Any]:
    """The machine's memory but for parameters that rest where they always began, and what is empty."""
    whole: dict[str, Any] = json.loads(state_to_json(state))
    for name, parameter in record.soundtrack.parameters.items():
        motion = state.parameters[name]
        if motion.origin == motion.target == parameter.initial:
            del whole["parameters"][name]
    return {key: value for key, value in whole.items() if value not in (None, [], {}) or key == "parameters"}


def _whole(slim: Mapping[str, Any], record: Record) -> str:
    parameters = {
        name: {"origin": parameter.initial, "target": parameter.initial, "anchor": -1}
        for name, parameter in record.soundtrack.parameters.items()
    }
    given = slim.get("parameters")
    return json.dumps({**slim, "parameters": {**parameters, **(given if isinstance(given, dict) else {})}})
