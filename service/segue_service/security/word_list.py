# SPDX-License-Identifier: Apache-2.0
"""A list of words and phrases that prompts may not hold, a line each; * stands for the rest of a word.

Texts and entries are compared as whole words, without case, accents and invisible characters. There are no regular
expressions: one that backtracks would stop the process, and the music with it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_MOST_ENTRIES: Final = 20_000
_MOST_STARS: Final = 2
_WORD: Final = re.compile(r"[^\W_]+")
_ENTRY_WORD: Final = re.compile(r"(?:[^\W_]|\*)+")
_MARKS: Final = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
"""Accents. Vowel signs of other scripts are not among them."""


class WordList:
    """Entries, ready to be looked for. Immutable."""

    def __init__(self, entries: list[str]) -> None:
        plain: dict[tuple[str, ...], str] = {}
        self._patterns: list[tuple[tuple[re.Pattern[str], ...], str]] = []
        for entry in entries:
            words = _ENTRY_WORD.findall(folded(entry))
            if any("*" in word for word in words):
                self._patterns.append((tuple(_pattern(word) for word in words), entry))
            else:
                plain[tuple(words)] = entry
        self._plain = plain
        self._lengths = sorted({len(words) for words in plain})

    def __len__(self) -> int:
        return len(self._plain) + len(self._patterns)

    def find(self, text: str) -> str | None:
        """An entry that the text holds, as it is written in the list."""
        words = _WORD.findall(folded(text))
        for length in self._lengths:
            for at in range(len(words) - length + 1):
                found = self._plain.get(tuple(words[at : at + length]))
                if found is not None:
                    return found
        for patterns, entry in self._patterns:
            for at in range(len(words) - len(patterns) + 1):
                if all(pattern.fullmatch(words[at + i]) for i, pattern in enumerate(patterns)):
                    return entry
        return None


def folded(text: str) -> str:
    """Compatibility forms, accents, invisible characters and case taken away."""
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", text))
    seen = "".join(character for character in bare if unicodedata.category(character) != "Cf")
    return unicodedata.normalize("NFKC", seen.casefold())


def read_words(text: str) -> WordList:
    """The text of a list; "#" begins a comment. Raises ValueError with the line."""
    entries: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        words = _ENTRY_WORD.findall(folded(entry))
        if not words or any(not word.replace("*", "") for word in words):
            raise ValueError(f"line {number}: expected a word or a phrase, got {entry[:40]!r}")
        if any(word.count("*") > _MOST_STARS for word in words):
            raise ValueError(f"line {number}: expected at most {_MOST_STARS} * in a word")
        entries.append(entry)
        if len(entries) > _MOST_ENTRIES:
            raise ValueError(f"expected at most {_MOST_ENTRIES} entries")
    return WordList(entries)


def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in word.split("*")), re.DOTALL)
