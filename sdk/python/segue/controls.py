# SPDX-License-Identifier: Apache-2.0
"""The controls of a session, written once for both clients: each builds a request and hands it to `_control`."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

from segue.v1 import control_pb2, session_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb

R = TypeVar("R")
ExitSourceAt = Literal["immediate", "next_beat", "next_bar", "exit_cue"]
_EXITS: Final = {
    None: control_pb2.EXIT_SOURCE_AT_UNSPECIFIED,
    "immediate": control_pb2.EXIT_SOURCE_AT_IMMEDIATE,
    "next_beat": control_pb2.EXIT_SOURCE_AT_NEXT_BEAT,
    "next_bar": control_pb2.EXIT_SOURCE_AT_NEXT_BAR,
    "exit_cue": control_pb2.EXIT_SOURCE_AT_EXIT_CUE,
}


def request_id() -> str:
    """An unguessable name for one request, so that it happens once however often it is sent."""
    return uuid.uuid4().hex


def create_request(
    soundtrack: str,
    *,
    version: int,
    seed: int | None,
    state: str,
    parameters: Mapping[str, float] | None,
    lead_ms: int,
    paused: bool,
    labels: Mapping[str, str] | None,
    prefill: bytes | Path | None,
    guidance: float | Mapping[str, float] | None,
) -> pb.CreateSessionRequest:
    """A request for a session."""
    request = pb.CreateSessionRequest(
        soundtrack_id=soundtrack,
        soundtrack_version=version,
        initial_state=state,
        parameters=_values(parameters or {}),
        target_lead_ms=lead_ms,
        paused=paused,
        labels=dict(labels or {}),
        request_id=request_id(),
        prefill_audio=prefill.read_bytes() if isinstance(prefill, Path) else prefill or b"",
    )
    if seed is not None:
        request.seed = seed
    if guidance is not None:
        given = guidance if isinstance(guidance, Mapping) else {"style": guidance}
        request.guidance.CopyFrom(session_pb2.Guidance(**{"style": 1.0, "notes": 1.0, "drums": 1.0, **given}))
    return request


class Controls(ABC, Generic[R]):
    """What a game can do with a session. R is Reply, or an awaitable of one."""

    session_id: str

    @abstractmethod
    def _control(self, method: str, request: Any) -> R:
        """Send it."""

    @abstractmethod
    def _playhead(self) -> tuple[int | None, str]:
        """First sample not heard, if known, and the listener's id."""

    def post(self, event: str, *, at: ExitSourceAt | None = None, set: Mapping[str, float] | None = None) -> R:
        """Tell what happened in the game; `set` changes parameters together with it, before guards look at them.

        at: where what it sets off begins, if not where the soundtrack says. Raises NotFound.
        """
        return self._control("PostEvent", pb.PostEventRequest(control=self._header(at, set), event=event))

    def set_state(self, state: str, *, at: ExitSourceAt | None = None, set: Mapping[str, float] | None = None) -> R:
        """Go to a state, by the soundtrack's own transition, at a place other than its own if `at` says so."""
        return self._control("SetState", pb.SetStateRequest(control=self._header(at, set), state=state))

    def set(self, values: Mapping[str, float] | None = None, /, *, jump: bool = False, **parameters: float) -> R:
        """Set parameters together: set(danger=0.6). jump: at once instead of by the parameter's seek_speed."""
        change = control_pb2.ParameterChange(values=_values({**(values or {}), **parameters}), ignore_seek_speed=jump)
        return self._control("SetParameters", pb.SetParametersRequest(control=self._header(), parameters=change))

    def trigger(self, stinger: str, *, at: ExitSourceAt | None = None) -> R:
        """Play a stinger, at a place other than its own if `at` says so."""
        return self._control("PostTrigger", pb.PostTriggerRequest(control=self._header(at), trigger=stinger))

    def play(self) -> R:
        """Go on after `pause`."""
        return self._control("Play", pb.PlayRequest(control=self._header()))

    def pause(self) -> R:
        """Stop generating; the playhead stands still."""
        return self._control("Pause", pb.PauseRequest(control=self._header()))

    def stop(self) -> R:
        """End the music."""
        return self._control("Stop", pb.StopRequest(control=self._header()))

    def reset(self, seed: int | None = None) -> R:
        """Forget what was played and begin afresh, without a click."""
        request = pb.ResetContextRequest(control=self._header())
        if seed is not None:
            request.seed = seed
        return self._control("ResetContext", request)

    def prompts(
        self,
        prompts: Mapping[str, float] | Sequence[pb.WeightedPrompt],
        *,
        fade: float = 2.0,
        guidance: float | None = None,
    ) -> R:
        """For experts: play these texts and weights until the next transition; none: the soundtrack again."""
        given = (
            [pb.WeightedPrompt(text=text, weight=weight) for text, weight in prompts.items()]
            if isinstance(prompts, Mapping)
            else list(prompts)
        )
        request = pb.SetWeightedPromptsRequest(
            control=self._header(), prompts=given, fade_ms=round(fade * 1000), guidance=guidance
        )
        return self._control("SetWeightedPrompts", request)

    def _header(
        self, at: ExitSourceAt | None = None, also: Mapping[str, float] | None = None
    ) -> control_pb2.ControlHeader:
        if at not in _EXITS:
            raise ValueError(f"at: expected one of {', '.join(str(name) for name in _EXITS if name)}, got {at!r}")
        playhead, listener = self._playhead()
        header = control_pb2.ControlHeader(
            session_id=self.session_id,
            request_id=request_id(),
            exit_source_at=_EXITS[at],
            listener_id=listener,
            playhead_sample=playhead,
        )
        if also:
            header.also.append(control_pb2.Change(parameters=control_pb2.ParameterChange(values=_values(also))))
        return header


def _values(parameters: Mapping[str, float]) -> list[control_pb2.ParameterValue]:
    return [control_pb2.ParameterValue(name=name, value=value) for name, value in parameters.items()]
