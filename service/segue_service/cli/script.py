# SPDX-License-Identifier: Apache-2.0
"""A game as a list: what happens when, for `segue render` and `segue demo`.

    length: 75 s
    seed: 7
    at:
      - { at: 12 s, set: { danger: 0.6 } }
      - { at: 20 s, post: enemy_spotted }
      - { at: 31.5 s, trigger: treasure }
      - { at: 60 s, state: victory }

Times are seconds of the timeline; entries may stand in any order, and several things in one entry happen together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from segue_service.soundtrack.diagnostics import Finding, SoundtrackError
from segue_service.soundtrack.document import MAX_BYTES, read_yaml
from segue_service.soundtrack.units import UnitError, parse_length


def _seconds(raw: object) -> float:
    try:
        length = parse_length(raw)
    except UnitError as error:
        raise ValueError(str(error)) from None
    if length.unit != "s":
        raise ValueError(f'expected a time in seconds such as "12 s", got "{raw}"')
    return length.value


Seconds = Annotated[float, BeforeValidator(_seconds)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Happening(_Part):
    """What the game says at one time: any of events, parameters, a stinger, a state."""

    at: Seconds
    post: str | None = None
    set_: dict[str, float] = Field(default_factory=dict, alias="set")
    trigger: str | None = None
    state: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Happening:
        if not (self.post or self.set_ or self.trigger or self.state):
            raise ValueError("expected at least one of post, set, trigger, state")
        return self

    @property
    def label(self) -> str:
        """As a report shows it: `enemy_spotted`, `danger → 0.6`."""
        said = [self.post or "", *(f"{name} → {value:g}" for name, value in self.set_.items())]
        said += [f"♪ {self.trigger}" if self.trigger else "", f"state {self.state}" if self.state else ""]
        return ", ".join(part for part in said if part)


class Script(_Part):
    """A script file."""

    length: Seconds = 60.0
    seed: int = Field(default=0, ge=0, lt=2**63)
    happenings: tuple[Happening, ...] = Field(default=(), alias="at")

    def in_order(self) -> tuple[Happening, ...]:
        """The happenings by time, those of one time as they were written."""
        return tuple(sorted(self.happenings, key=lambda happening: happening.at))


def load_script(path: Path) -> Script:
    """Read a script file. Raises SoundtrackError with line and column of every mistake, OSError."""
    raw = path.read_bytes()[: MAX_BYTES + 1]
    document = read_yaml(raw.decode("utf-8", errors="replace"), str(path))
    try:
        return Script.model_validate(document.data)
    except ValidationError as error:
        findings = [
            Finding("error", tuple(found["loc"]), found["msg"].removeprefix("Value error, "))
            for found in error.errors(include_url=False)
        ]
        raise SoundtrackError([document.diagnostic(finding) for finding in findings]) from None
