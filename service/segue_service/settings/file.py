# SPDX-License-Identifier: Apache-2.0
"""A settings file: one flat map, in YAML without tags, anchors and aliases, or in JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from segue_service.settings.fields import names, unknown_key
from segue_service.settings.layers import Layer, SettingsError
from segue_service.soundtrack.diagnostics import SoundtrackError
from segue_service.soundtrack.document import read_yaml


def from_file(file: Path) -> Layer:
    """What a file says; unknown keys are among the layer's problems. Raises SettingsError if it can't be read."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError([f"{file}: {(error.strerror or str(error)).lower()}"]) from None
    except ValueError:
        raise SettingsError([f"{file}: expected UTF-8"]) from None
    data, lines = _json(file, text) if file.suffix.lower() == ".json" else _yaml(file, text)
    layer, known = Layer("file"), names()
    if data is None:
        return layer
    if not isinstance(data, dict):
        raise SettingsError([f"{file}: expected a map of settings, as in `port: 7470`"])
    for key, value in data.items():
        place = f"{file}:{lines[key]}" if key in lines else str(file)
        if key in known:
            layer.put(key, value, place)
        else:
            layer.refuse(place, key[:80], unknown_key(key))
    return layer


def _yaml(file: Path, text: str) -> tuple[Any, dict[str, int]]:
    try:
        document = read_yaml(text, str(file))
    except SoundtrackError as error:
        problems = [f"{file}:{found.line or 1}: {found.path or 'YAML'}: {found.message}" for found in error.diagnostics]
        raise SettingsError(problems) from None
    return document.data, {str(path[0]): place.line for path, place in document.keys.items() if len(path) == 1}


def _json(file: Path, text: str) -> tuple[Any, dict[str, int]]:
    """JSON by its own rules; repeated keys and lines by the reader of YAML, of which JSON is a part."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError([f"{file}:{error.lineno}: JSON: {error.msg.lower()}"]) from None
    except RecursionError:
        raise SettingsError([f"{file}: JSON: too deeply nested"]) from None
    return data, _yaml(file, text)[1]
