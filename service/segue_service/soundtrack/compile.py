# SPDX-License-Identifier: Apache-2.0
"""Plain data → `Soundtrack`, or every mistake in it at its place, with what was probably meant."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from segue_service.soundtrack.diagnostics import Finding, Path, SoundtrackError, unknown
from segue_service.soundtrack.document import Document
from segue_service.soundtrack.model import Soundtrack
from segue_service.soundtrack.references import check_references
from segue_service.soundtrack.units import describe


def compile_document(document: Document) -> Soundtrack:
    """Plain data → Soundtrack. Raises SoundtrackError with all findings."""
    if not isinstance(document.data, dict):
        said = f'expected a map that begins with "soundtrack: NAME", got {describe(document.data)}'
        raise SoundtrackError([document.diagnostic(Finding("error", (), said))])
    findings = list(check_references(document.data))
    soundtrack: Soundtrack | None = None
    try:
        soundtrack = Soundtrack.model_validate(document.data)
    except ValidationError as error:
        findings.extend(_explain(error.errors(include_url=False), document.data))
    if soundtrack is None or findings:
        raise SoundtrackError(list(dict.fromkeys(document.diagnostic(finding) for finding in findings)))
    return soundtrack


def _explain(errors: Iterable[ErrorDetails], data: object) -> Iterator[Finding]:
    for error in errors:
        path: Path = tuple(step for step in error["loc"] if step != "[key]")
        kind, context = error["type"], error.get("ctx", {})
        got = describe(_at(data, path))
        match kind:
            case "extra_forbidden":
                yield Finding("error", path, unknown("key", str(path[-1]), _keys(path[:-1])), on_key=True)
            case "missing":
                yield Finding("error", path[:-1], f'"{path[-1]}" is missing', on_key=True)
            case "unit" | "problem":
                on_key = error["loc"][-1:] == ("[key]",)
                yield Finding("error", path, str(context["text"]), int(context.get("offset", 0)), on_key)
            case "literal_error":
                yield Finding("error", path, _choice(_at(data, path), str(context["expected"])))
            case "model_type" | "dict_type" | "model_attributes_type" | "mapping_type":
                keys = ", ".join(_keys(path)[:8])
                yield Finding("error", path, f"expected a map{f' with {keys}' if keys else ''}, got {got}")
            case _:
                yield Finding("error", path, f"expected {_EXPECTED.get(kind, _plain)(error)}, got {got}")


def _plain(error: ErrorDetails) -> str:
    return error["msg"][:1].lower() + error["msg"][1:]


def _bound(word: str, key: str) -> Any:
    return lambda error: f"a number {word} {describe(error['ctx'][key])}"


_EXPECTED: dict[str, Any] = {
    "greater_than": _bound("above", "gt"),
    "greater_than_equal": _bound("of at least", "ge"),
    "less_than": _bound("below", "lt"),
    "less_than_equal": _bound("of at most", "le"),
    "float_type": lambda _: "a number",
    "float_parsing": lambda _: "a number",
    "finite_number": lambda _: "a finite number",
    "int_type": lambda _: "a whole number",
    "int_from_float": lambda _: "a whole number",
    "bool_type": lambda _: "true or false",
    "string_type": lambda _: "text",
    "string_too_short": lambda error: f"at least {error['ctx']['min_length']} characters",
    "string_too_long": lambda error: f"at most {error['ctx']['max_length']} characters",
    "tuple_type": lambda _: "a list",
    "too_short": lambda error: f"at least {error['ctx']['min_length']} entries",
    "too_long": lambda error: f"at most {error['ctx']['max_length']} entries",
}


def _choice(value: object, expected: str) -> str:
    choices = [choice.strip().strip("'") for choice in expected.replace(" or ", ", ").split(",")]
    said = f"expected one of {', '.join(choices)}, got {describe(value)}"
    near = unknown("value", value, choices) if isinstance(value, str) else ""
    return f"{said}.{near.split('.', 1)[1]}" if "Did you mean" in near else said


def _at(data: object, path: Path) -> object:
    for step in path:
        if isinstance(data, dict) and isinstance(step, int) and step < len(data):
            data = list(data.values())[step]
        elif isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, (list, tuple)) and isinstance(step, int) and step < len(data):
            data = data[step]
    return data


def _keys(path: Path) -> list[str]:
    """The keys that are allowed at a path of the document."""
    part: object = Soundtrack
    for step in path:
        if isinstance(part, type) and issubclass(part, BaseModel):
            names = {field.alias or name: field.annotation for name, field in part.model_fields.items()}
            part = names.get(str(step))
        else:
            part = typing.get_args(_unwrap(part))[-1 if isinstance(step, str) else 0]
        part = _unwrap(part)
    if isinstance(part, type) and issubclass(part, BaseModel):
        return [field.alias or name for name, field in part.model_fields.items()]
    return []


def _unwrap(annotation: object) -> object:
    """Annotated[X, …] and X | None → X."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated or origin in (typing.Union, types.UnionType):
            annotation = typing.get_args(annotation)[0]
        else:
            return annotation
