# SPDX-License-Identifier: Apache-2.0
"""Text prompts as MusicCoCa reads them: lower case, SentencePiece ids, a start id, 128 places."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import PromptError
from segue_engine.styles.musiccoca.errors import MusicCoCaError
from segue_engine.styles.musiccoca.files import REPAIR, require

PLACES: Final = 128
START: Final = 1
PAD: Final = 0
_SPACE: Final = "▁"
_QUOTED: Final = 60


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """ids int32[128]: the start id, at most 127 of the text, padding. paddings f32[128]: 0 where ids count, else 1."""

    ids: NDArray[np.int32]
    paddings: NDArray[np.float32]
    note: str
    """What of the text was not understood, "" if nothing."""


class Tokeniser:
    """The vocabulary in a SentencePiece file, loaded when it is first needed. Any thread; encoding changes nothing."""

    def __init__(self, path: Path, max_text: int) -> None:
        self.path = path
        self._max_text = max_text
        self._lock = threading.Lock()
        self._processor: Any = None

    def load(self) -> None:
        """Load the file if that hasn't been done. Raises MusicCoCaError naming it."""
        self._open()

    def encode(self, text: str) -> Tokens:
        """Raises PromptError for a text that is blank, too long or of which no part is in the vocabulary."""
        self._check(text)
        processor = self._open()
        lower = text.lower()
        found, pieces = processor.encode(lower, out_type=int), processor.encode(lower, out_type=str)
        known = [id_ != processor.unk_id() for id_ in found]
        if not any(known and piece != _SPACE for piece, known in zip(pieces, known, strict=True)):
            raise PromptError(f"prompt {_quoted(text)}: no part of it is in the vocabulary; expected words about music")
        ids = np.full(PLACES, PAD, np.int32)
        paddings = np.ones(PLACES, np.float32)
        count = min(len(found), PLACES - 1)
        ids[0] = START
        ids[1 : count + 1] = found[:count]
        paddings[: count + 1] = 0.0
        return Tokens(ids, paddings, _note(pieces, known, count))

    def _check(self, text: str) -> None:
        if not text.strip():
            raise PromptError("prompt: expected words, got a blank text")
        if len(text) > self._max_text:
            raise PromptError(f"prompt {_quoted(text)}: expected at most {self._max_text} characters, got {len(text)}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise PromptError(f"prompt {_quoted(text)}: expected Unicode text, got half of a surrogate pair") from None

    def _open(self) -> Any:
        with self._lock:
            if self._processor is None:
                self._processor = self._read()
            return self._processor

    def _read(self) -> Any:
        from sentencepiece import SentencePieceProcessor

        require(self.path.parent, (self.path.name,))
        why = "it is empty"
        if self.path.stat().st_size:
            try:
                processor = SentencePieceProcessor(model_file=str(self.path))
                if processor.get_piece_size() > max(START, PAD):
                    return processor
                why = f"it has {processor.get_piece_size()} pieces"
            except (RuntimeError, OSError, ValueError) as error:
                why = " ".join(str(error).split())
        raise MusicCoCaError(f"{self.path}: damaged, or not a SentencePiece model: {why}; `{REPAIR}` fetches it again")


def _note(pieces: list[str], known: list[bool], count: int) -> str:
    parts = []
    unknown = list(dict.fromkeys(p.removeprefix(_SPACE) for p, k in zip(pieces, known, strict=True) if not k))
    if unknown:
        parts.append(f"unknown: {', '.join(unknown)}")
    if len(pieces) > count:
        parts.append(f"only the first {count} of {len(pieces)} tokens are heard")
    return "; ".join(parts)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…")
