# SPDX-License-Identifier: Apache-2.0
"""Style codes that the published files give for some texts: a check of the real files and of our way with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segue_engine.contract import Prompt
from segue_engine.styles.musiccoca import files
from segue_engine.styles.musiccoca.encoder import MusicCoCa
from segue_engine.styles.musiccoca.settings import MusicCoCaSettings


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """The 12 codes of a text. mapper: whether through the mapper (seed 0), None where the source doesn't say."""

    text: str
    mapper: bool | None
    codes: tuple[int, ...]


def known_answers() -> Sequence[KnownAnswer]:
    """What the authors of Magenta RT 2 publish in their tests and as a default of their app."""
    return (
        KnownAnswer("disco funk", False, (660, 597, 668, 315, 857, 217, 930, 175, 655, 343, 534, 137)),
        KnownAnswer("a jazz piano trio", False, (555, 402, 72, 993, 482, 932, 402, 153, 33, 374, 519, 147)),
        KnownAnswer("disco funk", True, (660, 1016, 208, 530, 589, 702, 376, 54, 203, 444, 36, 246)),
        KnownAnswer("ambient electronic", True, (369, 867, 202, 38, 413, 255, 213, 905, 340, 893, 300, 725)),
        KnownAnswer("piano", None, (325, 98, 979, 657, 802, 453, 475, 622, 729, 934, 567, 782)),
    )


def wrong_answers(folder: Path) -> list[str]:
    """A sentence for every known answer that the files in a folder don't give; empty if all is well.

    Answers through the mapper are left out where its file is missing. Raises MusicCoCaError for a file that is
    missing or damaged.
    """
    plain = MusicCoCaSettings(mapper="off")
    encoders = {False: MusicCoCa(folder, plain)}
    if (folder / files.MAPPER).is_file():
        encoders[True] = MusicCoCa(folder, replace(plain, mapper="on"))
    wrong = []
    for answer in known_answers():
        ways = [way for way in encoders if answer.mapper in (None, way)]
        found = [_codes(encoders[way], answer.text) for way in ways]
        if found and answer.codes not in found:
            how = {True: "through the mapper", False: "without the mapper", None: "with or without the mapper"}
            expected, got = _listed(answer.codes), " or ".join(map(_listed, found))
            wrong.append(f"{answer.text!r} {how[answer.mapper]}: expected codes {expected}, found {got}")
    return wrong


def _codes(encoder: MusicCoCa, text: str) -> tuple[int, ...]:
    row = encoder.quantise(encoder.embed([Prompt(text=text)]).embeddings)[0]
    return tuple(int(code) for code in row)


def _listed(codes: tuple[int, ...]) -> str:
    return " ".join(map(str, codes))
