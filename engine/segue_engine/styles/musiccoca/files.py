# SPDX-License-Identifier: Apache-2.0
"""MusicCoCa's files as they are published, in a folder `resources/musiccoca`, and how a missing one is repaired."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from segue_engine.styles.musiccoca.errors import MissingFileError

VOCABULARY: Final = "spm.model"
TEXT_ENCODER: Final = "text_encoder.tflite"
AUDIO_PREPROCESSOR: Final = "audio_preprocessor.tflite"
MUSIC_ENCODER: Final = "music_encoder.tflite"
QUANTISER: Final = "pretrained_vector_quantizer.tflite"
MAPPER: Final = "mapper.tflite"

TEXT_FILES: Final = (VOCABULARY, TEXT_ENCODER)
AUDIO_FILES: Final = (AUDIO_PREPROCESSOR, MUSIC_ENCODER)
FILES: Final = (*TEXT_FILES, *AUDIO_FILES, QUANTISER, MAPPER)
"""All of them; the mapper is optional."""

REPAIR: Final = "segue models download mrt2_small"
SYNTHETIC_MARKER: Final = "SYNTHETIC-NOISE.txt"
"""Beside files that `write_synthetic` wrote."""


def missing(folder: Path, names: Iterable[str]) -> list[str]:
    """Those of the names that are no file in the folder."""
    return [name for name in names if not (folder / name).is_file()]


def require(folder: Path, names: Iterable[str]) -> None:
    """Raises MissingFileError naming every file that is not there."""
    absent = missing(folder, names)
    if absent:
        raise MissingFileError(f"{folder}: no {', no '.join(absent)}; `{REPAIR}` fetches what is missing")


def is_synthetic(folder: Path) -> bool:
    """Whether the folder says that its files are random weights."""
    return (folder / SYNTHETIC_MARKER).is_file()


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
