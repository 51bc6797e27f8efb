# SPDX-License-Identifier: Apache-2.0
"""The soundtrack document: frozen models that read the authored form and write the canonical one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from segue_service.soundtrack.chords import is_degree
from segue_service.soundtrack.clock import ExitPoint
from segue_service.soundtrack.curves import FADE_CURVES, FADE_SHAPES, FadeCurve, FadeShape
from segue_service.soundtrack.fields import (
    ANY,
    Boolean,
    FilePath,
    GuardField,
    Integer,
    KeyField,
    LengthField,
    Level,
    MeterField,
    Name,
    Names,
    Number,
    Progression,
    PromptText,
    Shorthand,
    Text,
    Value,
)
from segue_service.soundtrack.units import LENGTH_PATTERN, ZERO, Length, describe

Switch = Literal["on", "off"]
Drums = Literal["auto", "on", "off"]
FORMAT_VERSION: Final = 1


def problem(message: str) -> PydanticCustomError:
    """A validation error whose message is shown as it is."""
    return PydanticCustomError("problem", "{text}", {"text": message})


def _prompts(raw: object) -> object:
    if isinstance(raw, str):
        return ({"text": raw},)
    if isinstance(raw, Mapping):
        return tuple({"text": text, "weight": weight} for text, weight in raw.items())
    if isinstance(raw, (list, tuple)):
        return tuple({"text": item} if isinstance(item, str) else item for item in raw)
    return raw


def _guidance(raw: object) -> object:
    return {"style": raw} if isinstance(raw, (int, float)) and not isinstance(raw, bool) else raw


def _fade(raw: object) -> object:
    if raw == "step":
        return {"length": ZERO, "curve": "step"}
    if isinstance(raw, (str, int, float, Length)):
        return {"length": raw}
    if isinstance(raw, Mapping) and "unit" in raw:
        joined = {key: value for key, value in raw.items() if key != "unit"}
        joined["length"] = f"{raw.get('length', '')} {raw['unit']}"
        return joined
    return raw


_LENGTH_FORM: Final[dict[str, Any]] = {"type": "string", "pattern": LENGTH_PATTERN}
_FADE_UNIT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "length": {"type": "number", "minimum": 0},
        "unit": {"enum": ["s", "ms", "beats", "bars"]},
        "curve": {"enum": list(FADE_CURVES)},
        "shape": {"enum": list(FADE_SHAPES)},
    },
    "required": ["length", "unit"],
    "additionalProperties": False,
}


class Part(BaseModel):
    """Base of every part of a soundtrack."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False, hide_input_in_errors=True)


class Prompt(Part):
    """One ingredient of a style: words or a reference recording, never both."""

    text: PromptText | None = Field(None, description="Words that describe the music, as `calm exploration`.")
    audio: FilePath | None = Field(None, description="A reference recording, relative to this file.")
    weight: Number = Field(1.0, gt=0, le=10, description="How much of it, against the style's other prompts.")

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.text is None) == (self.audio is None):
            raise problem('expected exactly one of "text" and "audio"')
        return self


class Guidance(Part):
    """How strongly each part of the conditioning pulls; 1 is plain sampling, more is stricter and less varied."""

    style: Number = Field(1.0, ge=-1, le=7, description="How closely the music follows the style.")
    notes: Number = Field(1.0, ge=-1, le=7, description="How closely it follows given notes.")
    drums: Number = Field(1.0, ge=-1, le=7, description="How closely it follows the drum switch.")


class Style(Part):
    """A named blend of prompts with its generation settings."""

    prompts: Annotated[
        tuple[Prompt, ...],
        BeforeValidator(_prompts),
        Field(min_length=1, max_length=32),
        Shorthand(
            (
                {"type": "string", "minLength": 1, "maxLength": 500},
                {
                    "type": "object",
                    "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "maximum": 10},
                    "minProperties": 1,
                    "maxProperties": 32,
                },
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 32},
            )
        ),
    ] = Field(description="What it sounds like: `{ calm exploration: 1.0, harp: 0.4 }`, or a list of text and audio.")
    guidance: Annotated[
        Guidance | None,
        BeforeValidator(_guidance),
        Shorthand(({"type": "number", "minimum": -1, "maximum": 7},)),
    ] = Field(None, description="How strongly the music is pulled to the style; interpolated in fades.")
    temperature: Number | None = Field(None, ge=0, le=4, description="Variety of sampling; empty: the model's default.")
    top_k: Integer | None = Field(None, ge=0, le=1024, description="Sample among the k likeliest codes; 0: among all.")
    min_p: Number | None = Field(None, ge=0, lt=1, description="Drop codes below this share of the likeliest; 0: none.")
    drums: Drums = Field("auto", description="Whether there are drums; `auto` leaves it to the model.")
    gain_db: Number = Field(0.0, ge=-60, le=12, description="Level of the style in dB; interpolated in fades.")


class Parameter(Part):
    """A number that the game keeps sending, such as danger or health."""

    range: tuple[Value, Value] = Field(description="Lowest and highest value, `[0, 1]`.")
    default: Value | None = Field(None, description="Value at the start; empty: the lowest.")
    seek_speed: Number | None = Field(
        None, gt=0, description="Units a second at which the music follows; empty: at once."
    )
    hysteresis: Number = Field(
        0.0, ge=0, description="How far it must pass a guard's number, either way, before the guard turns over."
    )

    @property
    def low(self) -> float:
        return self.range[0]

    @property
    def high(self) -> float:
        return self.range[1]

    @property
    def initial(self) -> float:
        return self.low if self.default is None else self.default

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        if not self.low < self.high:
            raise problem(f"expected range to go from low to high, got [{describe(self.low)}, {describe(self.high)}]")
        if not self.low <= self.initial <= self.high:
            raise problem(
                f"expected default from {describe(self.low)} to {describe(self.high)}, got {describe(self.default)}"
            )
        if not self.hysteresis < (self.high - self.low) / 2:
            half = describe(round((self.high - self.low) / 2, 9))
            raise problem(f"expected hysteresis below half of the range, {half}, got {describe(self.hysteresis)}")
        return self


class BlendBy(Part):
    """How a parameter leads a state's style towards another one."""

    to: Name = Field(description="The style that the parameter brings in.")
    curve: tuple[tuple[Value, Number], ...] = Field(
        min_length=1,
        max_length=64,
        description="Points [parameter value, share of the other style 0..1], straight in between.",
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for (x0, _), (x1, _) in zip(self.curve, self.curve[1:], strict=False):
            if x1 < x0:
                raise problem(f"expected curve points in rising order, got {describe(x1)} after {describe(x0)}")
        for _, y in self.curve:
            if not 0 <= y <= 1:
                raise problem(f"expected shares from 0 to 1 in curve, got {describe(y)}")
        return self


class State(Part):
    """A situation of the game and what it sounds like."""

    style: Name = Field(description="The state's style.")
    blend_by: dict[Name, BlendBy] = Field(
        default_factory=dict, max_length=16, description="By parameter: another style that it brings in."
    )
    min_dwell: LengthField = Field(ZERO, description="Shortest stay before a transition may leave it.")


class Fade(Part):
    """How the change happens: a curve from the present blend to the new one."""

    length: LengthField = Field(description="How long it takes; 0 s changes at once.")
    curve: FadeCurve = Field(default="linear", description="Pace of the change.")
    shape: FadeShape = Field(default="linear", description="Path between the two embeddings.")


FadeField = Annotated[
    Fade,
    BeforeValidator(_fade),
    Shorthand(({"const": "step"}, _LENGTH_FORM, _FADE_UNIT)),
]
_FADE: Final[TypeAdapter[Fade]] = TypeAdapter(FadeField)


def read_fade(raw: object) -> Fade:
    """A fade as it is written in a soundtrack ("2 bars", "step", a map) → Fade. Raises ValueError with one line."""
    try:
        return _FADE.validate_python(raw)
    except ValidationError as error:
        raise ValueError(error.errors(include_url=False)[0]["msg"]) from None


DEFAULT_FADE: Final = Fade(length=Length(1.0, "s"))


class Transition(Part):
    """When the music goes from one state to another, and how."""

    source: Names = Field(alias="from", min_length=1, description="State or states it leaves; `any`: every other one.")
    to: Name = Field(description="State it goes to.")
    on: Names = Field((), description="Game event or events that cause it.")
    when: GuardField | None = Field(None, description="Only while this holds, as `danger < 0.2`.")
    after: LengthField | None = Field(
        None, description="Delay: after `on`, or of `when` holding without a break, or in the state."
    )
    exit_source_at: ExitPoint = Field("immediate", description="Musical place at which it leaves.")
    fade: FadeField = Field(DEFAULT_FADE, description="How it changes: `0.5 s`, `2 bars`, `step`, or length and curve.")
    via: Name | None = Field(None, description="Bridge style: the first half of the fade goes there, the second on.")
    cooldown: LengthField = Field(ZERO, description="How long it rests after it has happened.")
    priority: Integer = Field(0, ge=-1000, le=1000, description="The higher one wins; then the earlier in the file.")
    reenter: Boolean = Field(False, description="Whether `any` includes the target state itself.")

    @property
    def from_any(self) -> bool:
        return self.source == (ANY,)

    @model_validator(mode="after")
    def _caused(self) -> Self:
        if not self.on and self.when is None and self.after is None:
            raise problem('expected at least one of "on", "when" and "after"')
        if ANY in self.source and not self.from_any:
            raise problem('expected either "any" or a list of states in "from", not both')
        return self


class Stinger(Part):
    """A short accent over whatever plays: a passing style, drums on or off, or a recording that the client mixes in."""

    style: Name | None = Field(None, description="Style that takes over for `length`.")
    drums: Switch | None = Field(
        None, description="Drums for `length`, whatever the styles say; with or without `style`."
    )
    clip: FilePath | None = Field(None, description="Recording that the client mixes in, relative to this file.")
    length: LengthField | None = Field(None, description="How long it lasts; needed with `style` and `drums`.")
    exit_source_at: ExitPoint = Field("immediate", description="Musical place at which it begins.")
    fade: LengthField = Field(
        Length(0.2, "s"), description="Fade in and out of a style stinger, at most half of its length each."
    )
    weight: Number = Field(1.0, gt=0, le=1, description="How far a style stinger displaces the state's style.")
    gain_db: Number = Field(0.0, ge=-60, le=12, description="Level of a clip in dB.")
    cooldown: LengthField = Field(ZERO, description="How long it rests after it has begun.")

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        steers = self.style is not None or self.drums is not None
        if steers == (self.clip is not None):
            raise problem('expected either "clip", or "style" or "drums" or both of these')
        if steers and (self.length is None or self.length.value == 0):
            raise problem(f'expected "length" with "{"style" if self.style else "drums"}", such as "1 bar"')
        return self


class EventAction(Part):
    """What a game event does, apart from the transitions that name it in `on`."""

    state: Name | None = Field(None, description="State to go to.")
    exit_source_at: ExitPoint | None = Field(None, description="Place of the change to `state`.")
    fade: FadeField | None = Field(None, description="Fade of the change to `state`.")
    trigger: Names = Field((), description="Stinger or stingers to play.")
    set: dict[Name, Value] = Field(default_factory=dict, max_length=64, description="Parameters to set.")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.state is None and not self.trigger and not self.set:
            raise problem('expected at least one of "state", "trigger" and "set"')
        if self.state is None and (self.exit_source_at is not None or self.fade is not None):
            raise problem('"exit_source_at" and "fade" belong to "state", which is missing')
        return self


class Output(Part):
    """Level of the finished music."""

    loudness: Annotated[float, Level("LUFS", -40, -8)] = Field(-18.0, description="Loudness over a session.")
    true_peak: Annotated[float, Level("dBTP", -12, 0)] = Field(-1.0, description="Highest true peak.")


class Music(Part):
    """What models that follow notes and have no clock of their own should play in; all optional."""

    tempo: Number | None = Field(None, ge=30, le=300, description="Beats a minute.")
    meter: MeterField | None = Field(None, description="Metre, as `4/4`.")
    key: KeyField | None = Field(None, description="Key, as `D minor`.")
    progression: Progression | None = Field(None, description="Chords, one a bar: `i VI III VII`, or a list.")
    phrase_bars: Integer | None = Field(None, ge=1, le=64, description="Bars in a phrase; `exit_cue` is its end.")

    @model_validator(mode="after")
    def _degrees_have_a_key(self) -> Self:
        degrees = [chord for chord in self.progression or () if is_degree(chord)]
        if degrees and self.key is None:
            raise problem(f'progression: "{degrees[0]}" is a degree and needs a "key"')
        return self


class Soundtrack(Part):
    """A soundtrack: styles, the states of the game, and the ways between them."""

    soundtrack: Name = Field(description="Name of the soundtrack.")
    version: Integer = Field(1, ge=0, le=2**31 - 1, description="Your own count of its versions.")
    description: Text | None = Field(None, description="For whoever reads it.")
    initial: Name = Field(description="State at the start.")
    output: Output = Field(default_factory=lambda: Output.model_validate({}))
    music: Music | None = Field(None, description="Tempo, metre, key and chords for models that take notes.")
    styles: dict[Name, Style] = Field(min_length=1, max_length=256)
    parameters: dict[Name, Parameter] = Field(default_factory=dict, max_length=128)
    states: dict[Name, State] = Field(min_length=1, max_length=256)
    transitions: tuple[Transition, ...] = Field((), max_length=1024)
    stingers: dict[Name, Stinger] = Field(default_factory=dict, max_length=256)
    events: dict[Name, EventAction] = Field(
        default_factory=dict,
        max_length=1024,
        description="Game words → music words; an event used in `on`, or named like a stinger, needs no line.",
    )
