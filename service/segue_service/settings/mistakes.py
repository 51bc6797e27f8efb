# SPDX-License-Identifier: Apache-2.0
"""What pydantic found wrong with settings, as sentences in the words of docs/configuration.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from segue_service.config import Settings, quoted
from segue_service.settings.fields import is_secret
from segue_service.soundtrack.diagnostics import path_text

_LONGEST: Final = 60
_KINDS: Final = {
    "int": "expected a whole number",
    "float": "expected a number",
    "finite_number": "expected a number",
    "bool": "expected true or false",
    "string": "expected text",
    "path": "expected the name of a file or folder",
    "tuple": "expected several values, as in [a, b]",
    "literal": "expected {expected}",
    "greater_than": "expected more than {gt:g}",
    "greater_than_equal": "expected at least {ge:.10g}",
    "less_than": "expected less than {lt:g}",
    "less_than_equal": "expected at most {le:.10g}",
}
"""By the whole type of pydantic's error, else by its first word."""


def mistakes(error: ValidationError, values: Mapping[str, Any], places: Mapping[str, str]) -> Iterator[str]:
    """A line for each mistake: place, name, what was expected, and what was given unless it is a secret.

    values are what `error` was raised for; places, by name, are where they came from. Rules over several fields that
    `error` has not come to are among them, unless one of their fields is wrong by itself.
    """
    found = error.errors(include_url=False)
    for one in found:
        yield from _fields(one, places) if one["loc"] else _rules(one, places)
    wrong = {str(one["loc"][0]) for one in found if one["loc"]}
    if not wrong:
        return
    rest = {name: value for name, value in values.items() if name not in wrong}
    try:
        Settings.model_validate(rest, context={"unknown": wrong})
    except ValidationError as further:
        for one in further.errors(include_url=False):
            yield from _rules(one, places)


def _rules(error: ErrorDetails, places: Mapping[str, str]) -> Iterator[str]:
    """A line of the message for each rule, which begins with a name; the place is that of the first one given."""
    for said in error["msg"].removeprefix("Value error, ").splitlines():
        place = next((f"{places[word]}: " for word in re.findall(r"\w+", said) if word in places), "")
        yield place + said


def _fields(error: ErrorDetails, places: Mapping[str, str]) -> Iterator[str]:
    name, kind = str(error["loc"][0]), error["type"]
    known = _KINDS.get(kind) or _KINDS.get(kind.split("_")[0])
    said = known.format(**error.get("ctx", {})) if known else error["msg"].removeprefix("Value error, ")
    given = "" if is_secret(name) or ", got " in said else _given(error["input"])
    place = f"{places[name]}: " if name in places else ""
    yield f"{place}{path_text(error['loc'])}: {said}{given}"


def _given(value: object) -> str:
    """ ", got …" as a person would write it in a file."""
    if isinstance(value, dict):
        return ", got a map"
    if isinstance(value, (list, tuple)):
        return ", got several values"
    if value is None or isinstance(value, bool):
        return f", got {str(value).lower()}"
    text = quoted(value) if isinstance(value, str) else str(value)
    return f", got {text if len(text) <= _LONGEST else text[:_LONGEST] + '…'}"
