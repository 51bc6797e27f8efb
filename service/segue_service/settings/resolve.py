# SPDX-License-Identifier: Apache-2.0
"""Sources, laid over each other and checked. Written on pydantic alone: pydantic-settings neither refuses unknown
variables, nor says where a value came from, and would have every `Settings()` read the environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from segue_service.config import Settings
from segue_service.settings.environment import CONFIG, from_environment
from segue_service.settings.fields import read_secret, secret_of
from segue_service.settings.file import from_file
from segue_service.settings.layers import Kind, Layer, SettingsError
from segue_service.settings.mistakes import mistakes

_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from. place: a file's line, a variable, a flag; "" for a default."""

    kind: Kind = "default"
    place: str = ""

    def __str__(self) -> str:
        return self.place or self.kind


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings, the origin of every value that is no default, and what is worth a line in the log."""

    settings: Settings
    origins: Mapping[str, Origin]
    notes: tuple[str, ...] = ()

    def origin(self, name: str) -> Origin:
        """Where a field's value came from."""
        return self.origins.get(name, Origin())

    def with_web(self, *, wanted: bool = True) -> Resolved:
        """With gRPC-Web on the port after the native one where nothing else was said; or without gRPC-Web."""
        if not wanted:
            without = self.settings.model_copy(update={"web_port": None})
            return Resolved(without, {**self.origins, "web_port": Origin("flag", "--no-web")}, self.notes)
        if "web_port" in self.settings.model_fields_set:
            return self
        beside = 0 if self.settings.port == 0 else self.settings.port + 1
        web_port = beside if beside <= _LAST_PORT else 0
        return Resolved(self.settings.model_copy(update={"web_port": web_port}), self.origins, self.notes)


def load(file: Path | None, flags: Layer, environment: Mapping[str, str] | None = None) -> Resolved:
    """Settings of a process: file, or $SEGUE_CONFIG's, under the environment, under flags. Raises SettingsError."""
    variables = os.environ if environment is None else environment
    if file is None and variables.get(CONFIG, "").strip():
        file = Path(variables[CONFIG])
    lower = [] if file is None else [from_file(file)]
    return resolve([*lower, from_environment(variables), flags])


def resolve(layers: Iterable[Layer], *, read_secrets: bool = True) -> Resolved:
    """Layers, later ones win. Raises SettingsError with every mistake of all of them.

    read_secrets: False leaves out secrets that are in files of their own."""
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    files: dict[str, Path] = {}
    problems: list[str] = []
    notes: list[str] = []
    for layer in layers:
        problems += layer.problems
        notes += layer.notes
        for key, value in layer.values.items():
            name = secret_of(key)
            if name is None:
                values[key] = value
                files.pop(key, None)
            elif name in layer.values:
                problems.append(f"{layer.places[key]}: {key}: expected this or {name}, not both")
                continue
            elif not isinstance(value, (str, Path)):
                problems.append(f"{layer.places[key]}: {key}: expected a file's name")
                continue
            else:
                values.pop(name, None)
                files[name] = Path(value)
            origins[name or key] = Origin(layer.kind, layer.places[key])
    for name, file in files.items() if read_secrets else ():
        try:
            values[name] = read_secret(name, file)
        except ValueError as error:
            problems.append(f"{origins[name]}: {name}: {error}")
    try:
        settings = Settings(**values)
    except ValidationError as error:
        places = {name: str(origin) for name, origin in origins.items()}
        problems += mistakes(error, values, places)
    if problems:
        raise SettingsError(problems)
    return Resolved(settings, origins, tuple(notes))
