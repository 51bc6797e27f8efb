# SPDX-License-Identifier: Apache-2.0
"""The starter's 34 style tags, the words that mean them, and how a prompt is read. numpy only."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.styles.synonyms import SYNONYMS

FAMILIES: Final = (
    "exploration", "stealth", "combat", "boss", "victory", "village", "horror", "synthwave",
    "lofi", "underwater", "chiptune", "desert", "space", "winter", "sad", "puzzle",
)  # fmt: skip
MODIFIERS: Final = (
    "fast", "slow", "intense", "calm", "dark", "bright", "dense", "sparse", "drums", "drumless",
)  # fmt: skip
INSTRUMENTS: Final = ("piano", "bells", "strings", "flute", "organ", "plucked", "brass", "synth")
TAGS: Final[tuple[str, ...]] = (*FAMILIES, *MODIFIERS, *INSTRUMENTS)
TAG_INDEX: Final[Mapping[str, int]] = {tag: i for i, tag in enumerate(TAGS)}

_PAIRS: Final = (("fast", "slow"), ("intense", "calm"), ("dark", "bright"), ("dense", "sparse"), ("drums", "drumless"))
OPPOSITES: Final[Mapping[str, str]] = {a: b for x, y in _PAIRS for a, b in ((x, y), (y, x))}

FAMILY_WEIGHT: Final = 1.0
OTHER_WEIGHT: Final = 0.5
"""Weight of a modifier or instrument tag beside a family of weight 1 (the composer's training styles span 0.2-0.8)."""

_STOP_TEXT: Final = """
    a an and are as at be but by composition feel feeling for from game games gaming here i in into is it its
    kind like me mood music my of on or our piece please score sense some something song sort sound sounds
    soundtrack style that the theme then there this to touch track tune tunes type vibe vibes we when where
    which while with you your instrument instruments instrumental background bgm ost level scene section area
    plus also bit lot lots only just player being during over under through
"""
STOP_WORDS: Final = frozenset(_STOP_TEXT.split())
_NEGATIONS: Final = frozenset({"no", "not", "without", "non", "never", "minus"})
_STRENGTHS: Final[Mapping[str, float]] = {
    "very": 1.6, "extremely": 1.8, "super": 1.6, "really": 1.5, "more": 1.4, "heavily": 1.5, "strongly": 1.5,
    "quite": 1.2, "slightly": 0.5, "somewhat": 0.6, "little": 0.5, "subtly": 0.5, "less": 0.4, "mildly": 0.5,
    "fairly": 0.9,
}  # fmt: skip
_LONGEST_PHRASE: Final = max(len(phrase.split()) for phrase in SYNONYMS)


@dataclass(frozen=True)
class Reading:
    """What a prompt was understood as.

    `weights` are tag weights (greater than 0), `unknown` the words nobody knew, `dropped` the negated tags that have
    no opposite ("no piano"), and `suggestions` near misses for each unknown word.
    """

    weights: Mapping[str, float]
    unknown: tuple[str, ...]
    dropped: tuple[str, ...]
    suggestions: Mapping[str, tuple[str, ...]]


def words(prompt: str) -> list[str]:
    """Lower-case words of a prompt without accents; hyphens and punctuation separate words."""
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower().replace("'", "")
    return re.findall(r"[a-z0-9]+", plain)


def meaning(phrase: str) -> Mapping[str, float] | None:
    """Tag weights of one phrase (words joined by single blanks), or None if nobody knows it; plurals are understood."""
    for form in _forms(phrase):
        found = form if form in TAG_INDEX else SYNONYMS.get(form)
        if isinstance(found, str):
            return {found: FAMILY_WEIGHT if found in FAMILIES else OTHER_WEIGHT}
        if found is not None:
            return found
    return None


def _forms(phrase: str) -> Iterable[str]:
    yield phrase
    for ending, by in (("ies", "y"), ("es", ""), ("s", ""), ("ly", ""), ("ily", "y"), ("ing", ""), ("ing", "e")):
        if phrase.endswith(ending) and len(phrase) - len(ending) >= 3:
            yield phrase[: -len(ending)] + by


def read_prompt(prompt: str) -> Reading:
    """Read a prompt, the longest known phrase first.

    "no X" and "without X" mean X's opposite; "very X" is a stronger X. Tags named twice keep their larger weight.
    Raises ValueError if the prompt is not text.
    """
    if not isinstance(prompt, str):
        raise ValueError(f"prompt: expected text, got {type(prompt).__name__}")
    rest = words(prompt)
    weights: dict[str, float] = {}
    unknown: list[str] = []
    dropped: list[str] = []
    strength, negate = 1.0, False
    i = 0
    while i < len(rest):
        size, found = _longest(rest, i)
        word = rest[i]
        if found is not None:
            for tag, weight in found.items():
                if negate and tag not in OPPOSITES:
                    dropped.append(tag)
                    continue
                meant = OPPOSITES[tag] if negate else tag
                # A mood is named or not; only a weaker mood makes sense ("slightly horror").
                scaled = weight * (min(1.0, strength) if meant in FAMILIES else strength)
                weights[meant] = max(weights.get(meant, 0.0), scaled)
            strength, negate = 1.0, False
        elif word in _NEGATIONS:
            negate = True
        elif word in _STRENGTHS:
            strength = _STRENGTHS[word]
        elif word not in STOP_WORDS:
            unknown.append(word)
            strength, negate = 1.0, False
        i += size
    return Reading(weights, tuple(unknown), tuple(dropped), {w: near_words(w) for w in unknown})


def _longest(rest: list[str], i: int) -> tuple[int, Mapping[str, float] | None]:
    """How many words from i on make the longest known phrase, and its meaning; (1, None) if there is none."""
    for size in range(min(_LONGEST_PHRASE, len(rest) - i), 0, -1):
        found = meaning(" ".join(rest[i : i + size]))
        if found is not None:
            return size, found
    return 1, None


def near_words(word: str, count: int = 3) -> tuple[str, ...]:
    """Known tags and synonyms that look like `word`, best first."""
    return tuple(difflib.get_close_matches(word, [*TAGS, *SYNONYMS], count, 0.72))


def tag_vector(weights: Mapping[str, float]) -> NDArray[np.float32]:
    """L2-normalised f32[34] of tag weights. Raises ValueError for an unknown tag or if no weight is above 0."""
    vector = np.zeros(len(TAGS), np.float64)
    for tag, weight in weights.items():
        if tag not in TAG_INDEX:
            raise ValueError(f"tag: no tag {tag!r}; expected one of {', '.join(TAGS)}")
        vector[TAG_INDEX[tag]] = max(0.0, float(weight))
    norm = float(np.linalg.norm(vector))
    if not norm > 0.0:
        raise ValueError("weights: expected at least one weight above 0")
    return (vector / norm).astype(np.float32)
