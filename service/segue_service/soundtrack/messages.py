# SPDX-License-Identifier: Apache-2.0
"""What goes into the state machine and what comes out: inputs, results, effects, errors. Frames are engine frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from segue_service.soundtrack.clock import ExitPoint
from segue_service.soundtrack.diagnostics import near_misses, unknown
from segue_service.soundtrack.model import Fade
from segue_service.soundtrack.units import describe


@dataclass(frozen=True, slots=True)
class PostEvent:
    """Something happened in the game. exit_source_at: where what it sets off begins; None: as the soundtrack says."""

    name: str
    exit_source_at: ExitPoint | None = None


@dataclass(frozen=True, slots=True)
class SetState:
    """Go to a state, past guards, min_dwell and cooldowns; how is taken from the soundtrack's rule between the two
    states, if there is one, as far as it is not given here."""

    name: str
    exit_source_at: ExitPoint | None = None
    fade: Fade | None = None


@dataclass(frozen=True, slots=True)
class SetParameters:
    """New values by name. ignore_seek_speed: jump there at once. urgent: worth replacing what is generated already."""

    values: Mapping[str, float]
    ignore_seek_speed: bool = False
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class PostTrigger:
    """Play a stinger, at its own place unless another is given."""

    name: str
    exit_source_at: ExitPoint | None = None


Input = PostEvent | SetState | SetParameters | PostTrigger


class Outcome(StrEnum):
    """What became of an input."""

    STARTED = "started"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    APPLIED = "applied"
    UNCHANGED = "unchanged"


class Reason(StrEnum):
    """Why an input has not begun a change at once."""

    NONE = "none"
    NO_TRANSITION = "no_transition"
    GUARD = "guard"
    COOLDOWN = "cooldown"
    MIN_DWELL = "min_dwell"
    AFTER = "after"
    OUTRANKED = "outranked"
    ALREADY_THERE = "already_there"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class InputResult:
    """state: the target once a transition has started or is scheduled, else the present state. begins_at: the first
    frame that can differ, predicted where it waits for a beat or bar; None if nothing changes. transition: index."""

    input: Input
    outcome: Outcome
    reason: Reason
    state: str
    begins_at: int | None = None
    transition: int | None = None
    stinger: str | None = None


@dataclass(frozen=True, slots=True)
class StateChanged:
    frame: int
    state: str
    previous: str


@dataclass(frozen=True, slots=True)
class TransitionStarted:
    """transition: index in the soundtrack, None without a rule. cause: event, "set_state", "when" or "after"."""

    frame: int
    id: int
    source: str
    target: str
    transition: int | None
    cause: str
    ends_at: int
    via: str | None


@dataclass(frozen=True, slots=True)
class TransitionFinished:
    """interrupted: another transition took over before the fade was through."""

    frame: int
    id: int
    source: str
    target: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class TransitionCancelled:
    """It waited for its place and will not happen. reason: "guard", "outranked" or "set_state"."""

    frame: int
    transition: int | None
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class StingerStarted:
    """At most one of style and clip is set (neither: it only switches drums); the client mixes a clip in at this frame.
    ends_at: None for a clip of no length."""

    frame: int
    id: int
    name: str
    style: str | None
    clip: str | None
    gain_db: float
    ends_at: int | None


@dataclass(frozen=True, slots=True)
class StingerFinished:
    frame: int
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class ParameterChanged:
    """A parameter was given a new target; it has reached it at `arrives_at`."""

    frame: int
    name: str
    target: float
    arrives_at: int


Effect = (
    StateChanged
    | TransitionStarted
    | TransitionFinished
    | TransitionCancelled
    | StingerStarted
    | StingerFinished
    | ParameterChanged
)


class ControlError(ValueError):
    """An input that can't be applied; nothing of it was."""


class UnknownName(ControlError):  # noqa: N818 - named as the condition that a caller handles
    """kind: "state", "event", "parameter" or "stinger". near: what was probably meant. known: every name there is."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(known)
        self.near = near_misses(name, self.known)
        super().__init__(unknown(kind, name, self.known))


class InvalidValue(ControlError):  # noqa: N818 - named as the condition that a caller handles
    """A value of the wrong form."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(f"{field}: {message}")


class OutOfRange(ControlError):  # noqa: N818 - named as the condition that a caller handles
    """A value outside its field's range."""

    def __init__(self, field: str, value: float, low: float, high: float) -> None:
        self.field = field
        self.value = value
        self.low = low
        self.high = high
        super().__init__(f"{field}: expected {describe(low)} to {describe(high)}, got {describe(value)}")
