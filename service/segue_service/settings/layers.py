# SPDX-License-Identifier: Apache-2.0
"""One source of settings: what it says, and where in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from segue_service.settings.fields import names, unknown_key, value_of

Kind = Literal["default", "file", "environment", "flag"]


class SettingsError(Exception):
    """Settings that can't be used: a line for each mistake, which names its place, its key and what was expected."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(slots=True)
class Layer:
    """Values by key, the place of each for messages, and mistakes found so far."""

    kind: Kind
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def put(self, key: str, value: object, place: str) -> None:
        """One value and its place."""
        self.values[key] = value
        self.places[key] = place

    def refuse(self, place: str, key: str, said: str) -> None:
        """One mistake."""
        self.problems.append(f"{place}: {key}: {said}")


def from_flags(given: Iterable[tuple[str, str, object]], assigned: Iterable[str] = ()) -> Layer:
    """Flags as (flag, key, value), of which None is not given, and KEY=VALUE texts, which win."""
    layer = Layer("flag")
    for flag, key, value in given:
        if value is not None:
            layer.put(key, value, flag)
    known = names()
    for text in assigned:
        key, equals, value = text.partition("=")
        if not equals:
            name = re.match(r"\w*", key)  # what follows may be a secret
            layer.problems.append(f"--set: {name[0] if name else ''}: expected KEY=VALUE")
        elif key not in known:
            layer.refuse("--set", key, unknown_key(key))
        else:
            try:
                layer.put(key, value_of(key, value), "--set")
            except ValueError as error:
                layer.refuse("--set", key, str(error))
    return layer
