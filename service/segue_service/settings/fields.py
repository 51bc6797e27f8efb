# SPDX-License-Identifier: Apache-2.0
"""What the names in files, environments and flags mean: fields of `Settings`, and files that hold a secret field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import SecretStr

from segue_service.config import Settings
from segue_service.soundtrack.diagnostics import near_misses

_NONE: Final = ("none", "null")
_FILE: Final = "_file"


def names() -> list[str]:
    """Every key that a source may hold: the fields, and NAME_file beside each secret one."""
    return [*Settings.model_fields, *(name + _FILE for name in Settings.model_fields if is_secret(name))]


def is_secret(name: str) -> bool:
    """Whether a field holds something that must not be shown."""
    return name in Settings.model_fields and _holds(Settings.model_fields[name].annotation, SecretStr)


def is_list(name: str) -> bool:
    """Whether a field holds any number of values."""
    return _holds(Settings.model_fields[name].annotation, tuple, list)


def secret_of(key: str) -> str | None:
    """The secret field that a key names the file of; None if it is no such key."""
    name = key.removesuffix(_FILE)
    return name if key not in Settings.model_fields and name != key and is_secret(name) else None


def unknown_key(key: str) -> str:
    """What to say of a key that there is not."""
    near = near_misses(key, names())
    return "no such setting" + (f"; did you mean {' or '.join(near)}?" if near else "; `segue config show` lists them")


def value_of(key: str, text: str) -> object:
    """A value from text, for pydantic to read further: lists by commas or as JSON, `none` where it can be None.

    Raises ValueError for what begins like JSON and is none; the text is not in the message."""
    if key not in Settings.model_fields:
        return Path(text)
    annotation = Settings.model_fields[key].annotation
    if text.strip().lower() in _NONE and type(None) in get_args(annotation):
        return None
    if text.lstrip().startswith(("[", "{")) and _holds(annotation, tuple, list, dict):
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError("expected values with commas between them, or JSON") from None
    if is_list(key):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def read_secret(name: str, file: Path) -> object:
    """A secret field's value from its file: a line each for a list, else the whole file without blanks around it.

    Raises ValueError without the content."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{file}: {(error.strerror or str(error)).lower()}") from None
    except ValueError:
        raise ValueError(f"{file}: expected UTF-8") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{file}: expected a secret in it, found nothing")
    if is_list(name):
        return lines
    if len(lines) > 1:
        raise ValueError(f"{file}: expected one line, found {len(lines)}")
    return lines[0]


def _holds(annotation: Any, *wanted: type) -> bool:
    if annotation in wanted or get_origin(annotation) in wanted:
        return True
    return any(_holds(argument, *wanted) for argument in get_args(annotation))
