# SPDX-License-Identifier: Apache-2.0
"""The built form: one canonical JSON text that SDKs read and clients upload, with a hash of its content.

    {"format": 1, "hash": "sha256:…", "document": {…the soundtrack, every default filled in…}}

The hash is over what differs from the defaults, as compact JSON with sorted keys: it survives a client that
writes keys in its own order, and a version of the language that has more keys.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

from segue_service.soundtrack.compile import compile_document
from segue_service.soundtrack.diagnostics import Diagnostic, Finding, SoundtrackError
from segue_service.soundtrack.document import MAX_BYTES, MAX_DEPTH, MAX_NODES, Document
from segue_service.soundtrack.model import FORMAT_VERSION, Soundtrack
from segue_service.soundtrack.units import describe

MAX_BUILT_BYTES: Final = 4 * MAX_BYTES
MAX_BUILT_VALUES: Final = 4 * MAX_NODES
"""A built file spells out every default, so it is longer than the text that it came from."""

_DIGITS: Final = 64
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def document_of(soundtrack: Soundtrack) -> dict[str, Any]:
    """The canonical document as plain data, in the author's order."""
    document: dict[str, Any] = soundtrack.model_dump(mode="json", by_alias=True, exclude_none=True)
    return document


def content_hash(soundtrack: Soundtrack) -> str:
    """ "sha256:…" over the canonical document without what is as it is by default."""
    told = soundtrack.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def build(soundtrack: Soundtrack) -> str:
    """The built form as text that ends in a newline. `load_built(build(s)) == s`."""
    built = {"format": FORMAT_VERSION, "hash": content_hash(soundtrack), "document": document_of(soundtrack)}
    return json.dumps(built, indent=1, ensure_ascii=False) + "\n"


def load_built(raw: bytes | str, name: str = "<upload>") -> Soundtrack:
    """What `build` wrote → Soundtrack; bounded, so safe on what a client sent. Raises SoundtrackError."""

    def refuse(message: str, path: str = "") -> NoReturn:
        raise SoundtrackError([Diagnostic("error", message, path, name)])

    data = raw.encode("utf-8", "replace") if isinstance(raw, str) else raw
    if len(data) > MAX_BUILT_BYTES:
        refuse(f"expected at most {MAX_BUILT_BYTES // 1024} KiB, got {len(data) // 1024}")
    _bounded(data, refuse)
    try:
        built = json.loads(
            data,
            parse_constant=_no_constant,
            parse_int=_number,
            parse_float=_number,
            object_pairs_hook=_no_twins,
        )
        json.dumps(built, ensure_ascii=False).encode()  # a half of a surrogate pair can't be
    except (ValueError, RecursionError) as error:
        refuse(f"this is not JSON: {error}"[:200])
    if not isinstance(built, dict) or "document" not in built:
        refuse('expected a file that "segue build" wrote: a map with format, hash and document')
    if built.get("format") != FORMAT_VERSION:
        refuse(f"expected {FORMAT_VERSION}, got {describe(built.get('format'))}; build it again", "format")
    if extra := sorted(set(built) - {"format", "hash", "document"}):
        refuse(f'no key "{extra[0][:80]}"')
    soundtrack = compile_document(Document(name, built["document"]))
    if built.get("hash") != content_hash(soundtrack):
        document = Document(name, {})
        finding = Finding(
            "error", ("hash",), f"expected {content_hash(soundtrack)}; the document was changed, build it again"
        )
        raise SoundtrackError([document.diagnostic(finding)])
    return soundtrack


def _bounded(data: bytes, refuse: Callable[[str], NoReturn]) -> None:
    """Refuses deep or numerous JSON before it is parsed: counts brackets and commas outside strings."""
    bare = _STRING.sub(b"", data)
    if bare.count(b",") >= MAX_BUILT_VALUES:
        refuse(f"expected at most {MAX_BUILT_VALUES} values")
    depth = 0
    for bracket in _BRACKET.finditer(bare):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_DEPTH + 1:
            refuse(f"expected maps and lists at most {MAX_DEPTH} deep")


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


def _number(word: str) -> float | int:
    if len(word) <= _DIGITS:
        value = float(word)
        if abs(value) < 1e18:
            return int(word) if word.lstrip("-").isdigit() else value
    raise ValueError(f"{word[:20]} is no number that a soundtrack holds")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key is there twice in one map")
    return out
