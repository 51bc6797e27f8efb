# SPDX-License-Identifier: Apache-2.0
"""MusicCoCa, the style encoder of Magenta RT 2, run from its published LiteRT files.

Importing this needs neither LiteRT nor SentencePiece; building a `MusicCoCa` does (extra `musiccoca`). Facts about the
files, and which function holds to which of them, are in the modules' docstrings.
"""

from segue_engine.styles.musiccoca.answers import KnownAnswer, known_answers, wrong_answers
from segue_engine.styles.musiccoca.encoder import MusicCoCa
from segue_engine.styles.musiccoca.errors import MissingFileError, MusicCoCaError
from segue_engine.styles.musiccoca.files import FILES, is_synthetic
from segue_engine.styles.musiccoca.settings import Mapper, MusicCoCaSettings

__all__ = [
    "FILES",
    "KnownAnswer",
    "Mapper",
    "MissingFileError",
    "MusicCoCa",
    "MusicCoCaError",
    "MusicCoCaSettings",
    "is_synthetic",
    "known_answers",
    "wrong_answers",
]
