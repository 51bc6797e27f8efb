# SPDX-License-Identifier: Apache-2.0
"""YAML text → plain data plus the place of every key and value. No tags, anchors or aliases; bounded."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from segue_service.soundtrack.diagnostics import Diagnostic, Finding, Path, SoundtrackError, path_text

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 12
MAX_NODES: Final = 20_000

# The YAML 1.2 core schema, in which `on`, `off`, `yes` and `no` are words.
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_HALF = re.compile("[\ud800-\udfff]")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?")


@dataclass(frozen=True, slots=True)
class Place:
    """line and column, from 1; quoted: whether the value's text begins after a quotation mark."""

    line: int
    column: int
    quoted: bool = False


@dataclass(slots=True)
class Document:
    """Plain data (dict, list, str, int, float, bool, None) and where its parts are in the file, if it was a text."""

    file: str
    data: Any = None
    has_text: bool = False
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path, *, on_key: bool = False, offset: int = 0) -> Place:
        """The place of a path, or of the nearest part around it that is in the file."""
        known = self._written(path)
        if on_key and known in self.keys:
            return self.keys[known]
        found = self.values.get(known, Place(1, 1))
        return Place(found.line, found.column + offset + found.quoted) if offset and known == path else found

    def _written(self, path: Path) -> Path:
        written: list[str | int] = []
        data = self.data
        for step in path:
            if isinstance(data, dict):
                # A list that was written as a map: the i-th entry is the i-th key.
                key = list(data)[step] if isinstance(step, int) and step < len(data) else step
                if key not in data:
                    break
                data = data[key]
                written.append(key)
            elif isinstance(data, list) and isinstance(step, int) and step < len(data):
                data = data[step]
                written.append(step)
            else:
                break
        return tuple(written)

    def diagnostic(self, finding: Finding) -> Diagnostic:
        """The finding at its place."""
        place = self.place(finding.path, on_key=finding.on_key, offset=finding.offset)
        return Diagnostic(
            finding.severity,
            finding.message,
            path_text(finding.path),
            self.file,
            place.line if self.has_text else 0,
            place.column if self.has_text else 0,
        )


def read_yaml(text: str, file: str) -> Document:
    """Parse one YAML 1.2 document. Raises SoundtrackError with line and column."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise SoundtrackError([Diagnostic("error", f"expected at most {MAX_BYTES // 1024} KiB", file=file)])
    reader = _Reader(Document(file, has_text=True))
    try:
        for event in YAML(typ="rt", pure=True).parse(text):
            reader.event(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        raise SoundtrackError([Diagnostic("error", _said(error), "", file, line, column)]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, SoundtrackError):
            raise
        said = " ".join(str(error).split())[:200] or "too deeply nested"
        raise SoundtrackError([Diagnostic("error", f"this is not YAML: {said}", "", file, 1, 1)]) from None
    if reader.findings:
        raise SoundtrackError(reader.findings)
    return reader.document


def _said(error: MarkedYAMLError) -> str:
    problem = str(error.problem or "can't be read")
    context = f" ({error.context})" if error.context else ""
    hint = "; indent with blanks, not tabs" if "\\t" in problem or "'\t'" in problem else ""
    return f"this is not YAML: {problem}{context}{hint}"


class _Reader:
    """Builds plain data from parser events, without recursion."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Diagnostic] = []
        self.stack: list[tuple[Any, Path]] = []
        self.key: list[str | None] = []
        self.nodes = 0
        self.documents = 0

    def event(self, event: Event) -> None:
        if isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self.stop(event, "expected one document in the file, found a second one")
        elif isinstance(event, AliasEvent):
            self.stop(event, "anchors and aliases (&, *) are not allowed here")
        elif isinstance(event, (ScalarEvent, CollectionStartEvent)):
            self.node(event)
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self.stack.pop()
            self.key.pop()

    def node(self, event: ScalarEvent | CollectionStartEvent) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.stop(event, f"expected at most {MAX_NODES} values")
        if event.anchor is not None:
            self.stop(event, "anchors and aliases (&, *) are not allowed here")
        if event.tag is not None and event.tag not in ("", "!"):
            self.stop(event, f"tags ({str(event.tag)[:60]}) are not allowed here")
        if isinstance(event, ScalarEvent):
            if _HALF.search(str(event.value)):
                self.stop(event, "expected Unicode text, found half of a surrogate pair (\\ud800 to \\udfff)")
            if self.stack and isinstance(self.stack[-1][0], dict) and self.key[-1] is None:
                self.take_key(event)
                return
            self.attach(event, _scalar(event))
            return
        if len(self.stack) >= MAX_DEPTH:
            self.stop(event, f"expected maps and lists at most {MAX_DEPTH} deep")
        if self.stack and isinstance(self.stack[-1][0], dict) and self.key[-1] is None:
            self.stop(event, "expected a name before the colon, got a map or a list")
        container: Any = {} if isinstance(event, MappingStartEvent) else []
        assert isinstance(event, (MappingStartEvent, SequenceStartEvent))
        path = self.attach(event, container)
        self.stack.append((container, path))
        self.key.append(None)

    def take_key(self, event: ScalarEvent) -> None:
        container, path = self.stack[-1]
        key = str(event.value)
        place = _place(event)
        if key in container:
            first = self.document.keys[(*path, key)]
            self.findings.append(
                Diagnostic(
                    "error",
                    f'"{key[:80]}" is here twice (first in line {first.line})',
                    path_text((*path, key)),
                    self.document.file,
                    place.line,
                    place.column,
                )
            )
        self.document.keys[(*path, key)] = place
        self.key[-1] = key

    def attach(self, event: Event, value: Any) -> Path:
        if not self.stack:
            self.document.data = value
            path: Path = ()
        else:
            container, around = self.stack[-1]
            if isinstance(container, dict):
                key = self.key[-1]
                assert key is not None
                container[key] = value
                path = (*around, key)
                self.key[-1] = None
            else:
                container.append(value)
                path = (*around, len(container) - 1)
        self.document.values[path] = _place(event)
        return path

    def stop(self, event: Event, message: str) -> None:
        place = _place(event)
        raise SoundtrackError([Diagnostic("error", message, "", self.document.file, place.line, place.column)])


def _place(event: Event) -> Place:
    quoted = isinstance(event, ScalarEvent) and event.style in ("'", '"')
    return Place(event.start_mark.line + 1, event.start_mark.column + 1, quoted)


def _scalar(event: ScalarEvent) -> object:
    text = str(event.value)
    if event.style not in (None, ""):
        return text
    if _NULL.fullmatch(text):
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
