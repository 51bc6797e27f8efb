# SPDX-License-Identifier: Apache-2.0
"""`manifest.json` of a baked folder: what an SDK plays while there is no network. Its JSON Schema is published."""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from segue_service.soundtrack import ExitPoint

FORMAT: Final = 1
FILE_NAME: Final = "manifest.json"
SCHEMA_ID: Final = "https://raw.githubusercontent.com/segue-audio/segue/main/docs/baked.schema.json"

Hash = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
Relative = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*\.[a-z0-9]+$", max_length=160)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BakedState(_Part):
    """One state's loop: play loop_start … loop_end over and over, without a crossfade.

    What lies outside is the loop itself once more, so that a lossy file is exact at its ends.
    """

    file: Relative = Field(description="Path within the folder.")
    sha256: Hash
    samples: int = Field(gt=0, description="Length at `sample_rate`, of one channel.")
    loop_start: int = Field(ge=0, description="First sample of the loop.")
    loop_end: int = Field(gt=0, description="First sample after the loop, at most `samples`.")
    loudness_lufs: float = Field(description="Of the loop as it is heard (BS.1770-4).")
    true_peak_dbtp: float
    bpm: float | None = Field(None, gt=0, description="Beats a minute; null where the model has no clock.")
    beats_per_bar: int | None = Field(None, ge=1, description="Null where the model has no clock.")
    bars: int | None = Field(
        None, ge=1, description="Whole bars in the loop, the first at loop_start; null if unknown."
    )

    @model_validator(mode="after")
    def _in_order(self) -> BakedState:
        if not self.loop_start < self.loop_end <= self.samples:
            raise ValueError(f"expected loop_start < loop_end <= samples, got {self.loop_start}, {self.loop_end}")
        return self


class BakedStinger(_Part):
    """One stinger, to be mixed over whatever plays. kind "clip": the author's own recording."""

    kind: Literal["style", "clip"]
    file: Relative
    sha256: Hash
    samples: int = Field(gt=0)
    sample_rate: int = Field(gt=0)
    gain_db: float = Field(description="Level at which it is mixed in.")
    exit_source_at: ExitPoint = Field(description="Where it begins, counted by the loop's bpm.")
    loudness_lufs: float | None = Field(None, description="Null for a clip, and where it is too short to measure.")


class Manifest(_Part):
    """The folder's contents. hash: of the soundtrack, as `segue build` gives it."""

    format: Literal[1] = 1
    soundtrack: str
    soundtrack_version: int
    hash: Hash
    model: str
    model_version: str
    seed: int
    sample_rate: Literal[48000] = 48000
    channels: Literal[2] = 2
    initial: str = Field(description="State at the start, a key of `states`.")
    states: dict[str, BakedState] = Field(min_length=1)
    stingers: dict[str, BakedStinger] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _starts(self) -> Manifest:
        if self.initial not in self.states:
            raise ValueError(f'initial: expected one of {", ".join(self.states)}, got "{self.initial}"')
        return self

    def text(self) -> str:
        """As it is written, ending in a newline."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def schema_text() -> str:
    """The published JSON Schema, ending in a newline."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **Manifest.model_json_schema(mode="serialization"),
        "title": "Segue baked fallback",
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
