# SPDX-License-Identifier: Apache-2.0
"""A soundtrack file or text → `Soundtrack`, or every mistake in it with line, column and what was probably meant."""

from __future__ import annotations

from pathlib import Path

from segue_service.soundtrack.build import load_built
from segue_service.soundtrack.compile import compile_document
from segue_service.soundtrack.diagnostics import Diagnostic, SoundtrackError
from segue_service.soundtrack.document import MAX_BYTES, Document, read_yaml
from segue_service.soundtrack.model import Soundtrack


def load_soundtrack(path: str | Path) -> Soundtrack:
    """Read a `.soundtrack.yaml`, or a `.json` that `segue build` wrote. Raises SoundtrackError, OSError."""
    return load_with_places(path)[0]


def load_with_places(path: str | Path) -> tuple[Soundtrack, Document]:
    """As `load_soundtrack`, with the document that knows where everything is. Raises SoundtrackError, OSError."""
    with Path(path).open("rb") as stream:
        return load_raw(stream.read(MAX_BYTES + 1), path)


def load_raw(raw: bytes, path: str | Path) -> tuple[Soundtrack, Document]:
    """As `load_with_places`, of the file's first MAX_BYTES + 1 bytes. Raises SoundtrackError."""
    if len(raw) > MAX_BYTES:
        raise SoundtrackError([Diagnostic("error", f"expected at most {MAX_BYTES // 1024} KiB", file=str(path))])
    if Path(path).suffix == ".json":
        return load_built(raw, str(path)), Document(str(path))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SoundtrackError([Diagnostic("error", "expected UTF-8 text", "", str(path), line, 1)]) from None
    document = read_yaml(text, str(path))
    return compile_document(document), document


def parse_soundtrack(text: str, name: str = "<soundtrack>") -> Soundtrack:
    """YAML text → Soundtrack; `name` is what the messages call the file. Raises SoundtrackError."""
    return compile_document(read_yaml(text, name))
