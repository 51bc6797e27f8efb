# SPDX-License-Identifier: Apache-2.0
"""How a `MusicCoCa` is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from segue_engine.contract import STYLE_LEVELS
from segue_engine.styles.musiccoca.errors import MusicCoCaError

Mapper = Literal["auto", "on", "off"]
_MAPPER: Final = get_args(Mapper)


@dataclass(frozen=True, slots=True)
class MusicCoCaSettings:
    """Every choice that is not in the files. Raises MusicCoCaError naming the first field out of range."""

    mapper: Mapper = "auto"
    """Whether text goes through the mapper into the space of audio embeddings: "auto" where its file is present.

    The published command line maps and the published library does not, by default. Auto maps, because only then do
    blends of text and audio mean something; the file is optional, and the codes of a text differ strongly without it.
    """
    mapper_seed: int = 0
    """Seed of the mapper's noise, 0..2³² − 1. Published: 0."""
    style_levels: int = STYLE_LEVELS
    """How many style codes are used, coarse to fine, 1..12; the rest is masked. Published: 12, or 6 in the app."""
    threads: int = 2
    """CPU threads of each LiteRT file, at least 1."""
    max_text: int = 2_000
    """Characters that a text prompt may have; only its first 127 tokens are heard."""
    max_audio_seconds: float = 300.0
    """Length that an audio prompt may have; its cost grows with every 10 s of it."""

    def __post_init__(self) -> None:
        if self.mapper not in _MAPPER:
            raise MusicCoCaError(f"mapper: expected one of {', '.join(_MAPPER)}, got {self.mapper!r}")
        if not 0 <= self.mapper_seed < 2**32:
            raise MusicCoCaError(f"mapper_seed: expected 0..{2**32 - 1}, got {self.mapper_seed}")
        if not 1 <= self.style_levels <= STYLE_LEVELS:
            raise MusicCoCaError(f"style_levels: expected 1..{STYLE_LEVELS}, got {self.style_levels}")
        if self.threads < 1:
            raise MusicCoCaError(f"threads: expected at least 1, got {self.threads}")
        if self.max_text < 1:
            raise MusicCoCaError(f"max_text: expected at least 1 character, got {self.max_text}")
        if not 0.0 < self.max_audio_seconds <= 3_600.0:
            raise MusicCoCaError(f"max_audio_seconds: expected above 0 and at most 3600, got {self.max_audio_seconds}")
