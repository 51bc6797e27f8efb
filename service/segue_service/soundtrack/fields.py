# SPDX-License-Identifier: Apache-2.0
"""Field types of the soundtrack models: how each is read, written back, and described to an editor."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, Final

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, core_schema

from segue_service.soundtrack.guards import MAX_LENGTH, Guard, parse_guard
from segue_service.soundtrack.units import (
    CHORD_PATTERN,
    KEY_PATTERN,
    LENGTH_PATTERN,
    METER_PATTERN,
    Key,
    Length,
    Meter,
    UnitError,
    describe,
    parse_chord,
    parse_key,
    parse_length,
    parse_level,
    parse_meter,
    plain_number,
)

NAME_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
ANY: Final = "any"


@dataclass(frozen=True, eq=False)
class Shorthand:
    """Marks a field that may also be written in the given shorter ways (JSON Schemas), next to its full form."""

    forms: tuple[dict[str, Any], ...]

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [*self.forms, handler(schema)]}


def reader(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    """Turns a UnitError into a pydantic error that keeps the offset into the text."""

    def read(raw: object) -> Any:
        try:
            return parse(raw)
        except UnitError as error:
            raise PydanticCustomError("unit", "{text}", {"text": str(error), "offset": error.offset}) from None

    return read


def _name(raw: object) -> str:
    if not isinstance(raw, str) or re.fullmatch(NAME_PATTERN, raw) is None:
        raise UnitError(f"expected a name (letters, digits and _, at most 64, no digit first), got {describe(raw)}")
    return raw


def _file(raw: object) -> str:
    if not isinstance(raw, str) or not 0 < len(raw) <= 256:
        raise UnitError(f'expected a file path such as "clips/hit.flac", got {describe(raw)}')
    path = PurePosixPath(raw)
    if path.is_absolute() or ".." in path.parts or "\\" in raw or ":" in raw or any(ord(c) < 32 for c in raw):
        raise UnitError(
            f'expected a path inside the soundtrack\'s folder, with "/" and without "..", got {describe(raw)}'
        )
    return str(path)


def _number(raw: float) -> int | float:
    return int(plain_number(raw)) if raw == int(raw) and abs(raw) < 1e15 else raw


def _one_or_more(raw: object) -> object:
    return (raw,) if isinstance(raw, str) else raw


def _words(raw: object) -> object:
    return raw.split() if isinstance(raw, str) else raw


Name = Annotated[str, PlainValidator(reader(_name)), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})]
Names = Annotated[
    tuple[Name, ...],
    BeforeValidator(_one_or_more),
    Shorthand(({"type": "string", "pattern": NAME_PATTERN},)),
    Field(max_length=64),
]
FilePath = Annotated[
    str,
    PlainValidator(reader(_file)),
    WithJsonSchema({"type": "string", "pattern": r"^[^/\\:][^\\:]*$", "maxLength": 256}),
]
Text = Annotated[str, StringConstraints(strict=True, max_length=2000)]
PromptText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=500, strip_whitespace=True)]
Number = Annotated[
    float,
    Field(strict=True, allow_inf_nan=False),
    PlainSerializer(_number, return_type=int | float),
]
Value = Annotated[
    float,
    Field(strict=True, allow_inf_nan=False, ge=-1e9, le=1e9),
    PlainSerializer(_number, return_type=int | float),
]
Integer = Annotated[int, Field(strict=True)]
Boolean = Annotated[bool, Field(strict=True)]

LengthField = Annotated[
    Length,
    PlainValidator(reader(parse_length)),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": LENGTH_PATTERN, "examples": ["0.5 s", "1 beat", "2 bars"]}),
]
GuardField = Annotated[
    Guard,
    PlainValidator(reader(parse_guard)),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "maxLength": MAX_LENGTH, "examples": ["danger < 0.2 and health >= 0.5"]}),
]
MeterField = Annotated[
    Meter,
    PlainValidator(reader(parse_meter)),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": METER_PATTERN, "examples": ["4/4", "3/4"]}),
]
KeyField = Annotated[
    Key,
    PlainValidator(reader(parse_key)),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": KEY_PATTERN, "examples": ["D minor", "F# dorian"]}),
]
Chord = Annotated[
    str, PlainValidator(reader(parse_chord)), WithJsonSchema({"type": "string", "pattern": CHORD_PATTERN})
]
Progression = Annotated[
    tuple[Chord, ...],
    BeforeValidator(_words),
    Field(min_length=1, max_length=64),
    Shorthand(({"type": "string", "examples": ["i VI III VII"]},)),
]


@dataclass(frozen=True)
class Level:
    """Marks a float as a level in `unit`: read from "-18 LUFS" or -18, written with its unit."""

    unit: str
    low: float
    high: float

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            reader(lambda raw: parse_level(raw, self.unit, self.low, self.high)),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: f"{plain_number(value)} {self.unit}", return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "anyOf": [
                {"type": "string", "pattern": rf"^[+-]?[0-9]+(\.[0-9]+)?\s*({self.unit})?$"},
                {"type": "number", "minimum": self.low, "maximum": self.high},
            ]
        }
