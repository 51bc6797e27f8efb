# SPDX-License-Identifier: Apache-2.0
"""What an edge has to keep to: thresholds, for all edges or for some, as `segue-test.toml` gives them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from segue_service.rehearsal.edges import Edge

FILE_NAME: Final = "segue-test.toml"


def _off(raw: object) -> object:
    return None if raw == "off" else raw


Limit = Annotated[float | None, BeforeValidator(_off)]
"""A number, or None ("off" in the file) for what is not judged."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Thresholds(_Part):
    """Largest (adherence: smallest) figures with which an edge passes; None is not judged."""

    settle: Limit = Field(4.0, ge=0, le=120, description="Seconds after the fade's end until the new style is heard.")
    adherence: Limit = Field(0.5, ge=-1, le=1, description="How surely what sounds in the end is what was asked for.")
    click: Limit = Field(25.0, ge=1, description="Roughness at a frame's edge, as a multiple of its neighbourhood's.")
    loudness: Limit = Field(5.0, ge=0, le=60, description="LU by which the level changes beyond what gain_db asks.")
    alignment: Limit = Field(40.0, ge=0, description="Milliseconds between the change and its beat, bar or phrase.")


class Override(_Part):
    """Other thresholds for the edges that fit: of a state, to a state, of a stinger; what is left out stays."""

    source: str | None = Field(None, alias="from")
    target: str | None = Field(None, alias="to")
    stinger: str | None = None
    settle: Limit = Field(None, ge=0, le=120)
    adherence: Limit = Field(None, ge=-1, le=1)
    click: Limit = Field(None, ge=1)
    loudness: Limit = Field(None, ge=0, le=60)
    alignment: Limit = Field(None, ge=0)

    def fits(self, edge: Edge) -> bool:
        """Whether it is about this edge."""
        wanted = (self.source, edge.source), (self.target, edge.target), (self.stinger, edge.stinger)
        return all(mine is None or mine == its for mine, its in wanted)

    @property
    def changes(self) -> dict[str, float | None]:
        """The thresholds that it names."""
        return {name: getattr(self, name) for name in self.model_fields_set & set(Thresholds.model_fields)}


class TestFile(_Part):
    """`segue-test.toml`: [thresholds] for all edges, [[edge]] for some."""

    __test__ = False

    format: Literal[1] = 1
    thresholds: Thresholds = Field(default_factory=lambda: Thresholds.model_validate({}))
    edge: tuple[Override, ...] = Field((), max_length=1024)

    def of(self, edge: Edge) -> Thresholds:
        """The thresholds of one edge; a later entry goes before an earlier one."""
        changes: dict[str, float | None] = {}
        for override in self.edge:
            if override.fits(edge):
                changes |= override.changes
        return self.thresholds.model_copy(update=changes)

    def with_options(self, given: Mapping[str, float | None]) -> TestFile:
        """The same, with the general thresholds that were given on the command line. Raises ValueError."""
        said = {name: value for name, value in given.items() if value is not None}
        try:
            merged = Thresholds.model_validate(self.thresholds.model_dump(exclude_unset=True) | said)
        except ValidationError as error:
            raise ValueError(f"threshold {_sentence(error)}") from None
        return self.model_copy(update={"thresholds": merged})

    def without_adherence(self) -> TestFile:
        """The same, but adherence is judged only where an [[edge]] says how."""
        return self.model_copy(update={"thresholds": self.thresholds.model_copy(update={"adherence": None})})


def read_thresholds(path: Path) -> TestFile:
    """The file's thresholds. Raises ValueError that names file, key and what was expected; OSError."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return TestFile.model_validate(raw)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: this is not TOML: {error}") from None
    except ValidationError as error:
        raise ValueError(f"{path}: {_sentence(error)}") from None


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{where}: no such key; there are {', '.join(Thresholds.model_fields)}"
    return f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}, got {first['input']!r}"
