# SPDX-License-Identifier: Apache-2.0
"""Checks of request fields: everything is refused before anything is applied, by name and with what was expected."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from segue.v1 import control_pb2, live_soundtrack_service_pb2, session_pb2, soundtrack_authoring_service_pb2
from segue_engine.contract import SAMPLE_RATE, Prompt
from segue_service.errors import Refused, invalid
from segue_service.soundtrack import ExitPoint, Guidance, Input, PostEvent, PostTrigger, SetParameters, SetState

_STEERING: Final = "PostEvent, SetState, SetParameters and PostTrigger"
Header = control_pb2.ControlHeader
_NAME: Final = 128
_TEXT: Final = 500
_PROMPTS: Final = 8
_ALSO: Final = 32
_PARAMETERS: Final = 64
_AUDIO_SECONDS: Final = 10
_EXITS: Final[Mapping[int, ExitPoint | None]] = {
    control_pb2.EXIT_SOURCE_AT_UNSPECIFIED: None,
    control_pb2.EXIT_SOURCE_AT_IMMEDIATE: "immediate",
    control_pb2.EXIT_SOURCE_AT_NEXT_BEAT: "next_beat",
    control_pb2.EXIT_SOURCE_AT_NEXT_BAR: "next_bar",
    control_pb2.EXIT_SOURCE_AT_EXIT_CUE: "exit_cue",
}


def name(field: str, value: str, limit: int = _NAME) -> str:
    """A name that must be there."""
    if not value or len(value) > limit:
        raise invalid(field, f"expected 1 to {limit} characters, got {len(value)}")
    return value


def within(field: str, value: float, low: float, high: float) -> float:
    """A number in a range; NaN is in none."""
    if not low <= value <= high:
        raise invalid(field, f"expected {low:g} to {high:g}, got {value:g}")
    return value


def labels(given: Mapping[str, str]) -> Mapping[str, str]:
    """Free labels, few and short."""
    if len(given) > 16:
        raise invalid("labels", f"expected at most 16, got {len(given)}")
    for key, value in given.items():
        if not key or len(key) > 64 or len(value) > 256:
            raise invalid("labels", "expected keys of 1 to 64 and values of at most 256 characters")
    return dict(given)


def header(control: Header) -> Header:
    """What every control carries."""
    name("control.session_id", control.session_id)
    if len(control.request_id) > 64:
        raise invalid("control.request_id", f"expected at most 64 characters, got {len(control.request_id)}")
    if len(control.listener_id) > 64:
        raise invalid("control.listener_id", f"expected at most 64 characters, got {len(control.listener_id)}")
    if len(control.also) > _ALSO:
        raise invalid("control.also", f"expected at most {_ALSO} changes, got {len(control.also)}")
    if control.HasField("playhead_sample") and control.playhead_sample < 0:
        raise invalid("control.playhead_sample", f"expected 0 or more, got {control.playhead_sample}")
    if control.exit_source_at not in _EXITS:
        raise invalid("control.exit_source_at", f"expected a value of ExitSourceAt, got {control.exit_source_at}")
    return control


def bare(control: Header) -> Header:
    """The header of a control that takes no further changes and no place of its own."""
    header(control)
    if control.also:
        raise invalid("control.also", f"expected none: further changes go with {_STEERING}")
    if control.exit_source_at != control_pb2.EXIT_SOURCE_AT_UNSPECIFIED:
        raise invalid("control.exit_source_at", f"expected none: only {_STEERING} have a place")
    return control


def parameters(field: str, values: Iterable[control_pb2.ParameterValue]) -> dict[str, float]:
    """Values by name, finite."""
    found: dict[str, float] = {}
    for place, item in enumerate(values):
        if place >= _PARAMETERS:
            raise invalid(field, f"expected at most {_PARAMETERS} values")
        name(f"{field}[{place}].name", item.name)
        if not math.isfinite(item.value):
            raise invalid(f"{field}[{place}].value", f"expected a finite number, got {item.value}")
        found[item.name] = item.value
    return found


def change(field: str, given: control_pb2.ParameterChange) -> SetParameters:
    """One or more parameters, set together."""
    values = parameters(f"{field}.values", given.values)
    if not values:
        raise invalid(f"{field}.values", "expected at least one")
    return SetParameters(values, given.ignore_seek_speed, given.urgent)


def post_event(request: live_soundtrack_service_pb2.PostEventRequest) -> list[Input]:
    """The event and what rides along."""
    name("event", request.event)
    control = header(request.control)
    return [PostEvent(request.event, _EXITS[control.exit_source_at]), *_also(control)]


def set_state(request: live_soundtrack_service_pb2.SetStateRequest) -> list[Input]:
    """The state and what rides along."""
    name("state", request.state)
    control = header(request.control)
    return [SetState(request.state, _EXITS[control.exit_source_at]), *_also(control)]


def set_parameters(request: live_soundtrack_service_pb2.SetParametersRequest) -> list[Input]:
    """The parameters and what rides along."""
    control = header(request.control)
    if not control.also and _EXITS[control.exit_source_at] not in (None, "immediate"):
        said = "expected IMMEDIATE, or changes in control.also that can wait: parameters are set at once"
        raise invalid("control.exit_source_at", said)
    return [change("parameters", request.parameters), *_also(control)]


def post_trigger(request: live_soundtrack_service_pb2.PostTriggerRequest) -> list[Input]:
    """The stinger and what rides along."""
    name("trigger", request.trigger)
    control = header(request.control)
    return [PostTrigger(request.trigger, _EXITS[control.exit_source_at]), *_also(control)]


class Weighted(Protocol):
    """A prompt of either service."""

    weight: float


def weights(given: Sequence[Weighted]) -> list[float]:
    """The weights of 1 to 8 prompts."""
    if not 1 <= len(given) <= _PROMPTS:
        raise invalid("prompts", f"expected 1 to {_PROMPTS}, got {len(given)}")
    for place, item in enumerate(given):
        if not 0.0 < item.weight <= 100.0:
            raise invalid(f"prompts[{place}].weight", f"expected above 0 and at most 100, got {item.weight:g}")
    return [item.weight for item in given]


def prompt(
    field: str,
    given: live_soundtrack_service_pb2.WeightedPrompt | soundtrack_authoring_service_pb2.EmbedPrompt,
) -> Prompt:
    """A text or audio prompt."""
    match given.WhichOneof("prompt"):
        case "text":
            return Prompt(text=name(f"{field}.text", given.text, _TEXT))
        case "audio":
            data = given.audio
            if not data or len(data) % 4 or len(data) > 4 * SAMPLE_RATE * _AUDIO_SECONDS:
                raise invalid(f"{field}.audio", f"expected 1 to {SAMPLE_RATE * _AUDIO_SECONDS} float samples")
            samples = np.frombuffer(data, "<f4").astype(np.float32)
            if not np.isfinite(samples).all() or float(np.abs(samples).max()) > 8.0:
                raise invalid(f"{field}.audio", "expected finite samples of at most ±8")
            return Prompt(audio=samples)
    raise invalid(field, "expected a prompt")


def guidance(field: str, given: session_pb2.Guidance) -> Guidance:
    """Guidance of style, notes and drums, each in -1..7."""
    values = {part: within(f"{field}.{part}", getattr(given, part), -1, 7) for part in ("style", "notes", "drums")}
    return Guidance.model_validate(values)


def page(size: int, token: str, default: int, limit: int) -> tuple[int, int]:
    """First index and size of a page."""
    if not 0 <= size <= limit:
        raise invalid("page_size", f"expected 0 to {limit}, got {size}")
    if token and not (token.isascii() and token.isdigit() and len(token) <= 9):
        raise invalid("page_token", "expected the next_page_token of the page before")
    return int(token or 0), size or default


def _also(control: Header) -> list[Input]:
    exit_source_at = _EXITS[control.exit_source_at]
    return [_rider(f"control.also[{place}]", item, exit_source_at) for place, item in enumerate(control.also)]


def _rider(field: str, item: control_pb2.Change, exit_source_at: ExitPoint | None) -> Input:
    match item.WhichOneof("change"):
        case "event":
            return PostEvent(name(f"{field}.event", item.event), exit_source_at)
        case "state":
            return SetState(name(f"{field}.state", item.state), exit_source_at)
        case "parameters":
            return change(f"{field}.parameters", item.parameters)
        case "trigger":
            return PostTrigger(name(f"{field}.trigger", item.trigger), exit_source_at)
    raise _empty(field)


def _empty(field: str) -> Refused:
    return invalid(field, "expected a change")
