# SPDX-License-Identifier: Apache-2.0
"""Whose the models are and what must be said about them: licence notes, attribution, a store's AI disclosure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from segue_engine.checkpoints.catalogue import PUBLISHED, STARTER, Family, ModelEntry, canonical
from segue_engine.checkpoints.errors import CheckpointFileError

LICENSE_FILES: Final[Mapping[Family, str]] = {"mrt1": "LICENSE-weights-mrt1.txt", "mrt2": "LICENSE-weights.txt"}
CC_BY: Final = "Creative Commons Attribution 4.0 International (CC BY 4.0)"
CC_BY_LINK: Final = "https://creativecommons.org/licenses/by/4.0/"
APACHE_LINK: Final = "https://www.apache.org/licenses/LICENSE-2.0"


@dataclass(frozen=True, slots=True)
class SoundtrackFacts:
    """What a disclosure says about a soundtrack. texts, recordings: how many prompts of each kind its styles have."""

    name: str
    styles: int
    texts: int
    recordings: int


def repository_link(repository: str) -> str:
    """A repository's page on the hub."""
    return f"https://huggingface.co/{repository}"


def licence_notice(entry: ModelEntry) -> str:
    """Kept beside the files, and shown before they are fetched."""
    own, *others = entry.repositories
    rest = "".join(
        f"Weights of codec and style encoder, which are those of Magenta RealTime 2: by {entry.publisher},\n"
        f"{repository_link(repository)}, under the same licence\n"
        for repository in others
    )
    return f"""\
{entry.title}

Weights{" of the language model" if others else ""}: by {entry.publisher}, {repository_link(own)},
under {CC_BY}, {CC_BY_LINK}
{rest}The model's code, which Segue does not contain: Apache-2.0, {APACHE_LINK}

What that asks of you, in short (the licence decides, not this note):
- Name the publisher, the licence and the source wherever you pass the weights on, and say if you changed them.
  `segue models credits {entry.name}` prints a text for that.
- The publisher adds terms of use: among them, don't make anything that infringes the rights of others; what is
  generated and what is done with it is your responsibility. The repository's own words on licence and terms lie in
  the folder `licences` beside this file, where the repository has them.
- No warranty.

The files are used as they were published. Segue casts the numbers to the type it computes in while loading.
"""


def attribution(model: str) -> str:
    """A paragraph for a game's credits. Raises CheckpointFileError for a model whose authors are not known."""
    if model == STARTER:
        return (
            "Music generated live with Segue and its starter model, copyright the Segue authors, Apache-2.0 "
            f"({APACHE_LINK})."
        )
    entry = _entry(model)
    own, *others = entry.repositories
    rest = "".join(
        f", with codec and style encoder from Magenta RealTime 2 by {entry.publisher} ({repository_link(repository)})"
        for repository in others
    )
    return (
        f"Music generated live with {entry.title} by {entry.publisher} ({repository_link(own)}){rest}. "
        f"Model weights are licensed under {CC_BY}, {CC_BY_LINK}; they are used unmodified. "
        f"Runs on Segue, Apache-2.0 ({APACHE_LINK})."
    )


def disclosure(model: str, soundtrack: SoundtrackFacts | None = None) -> str:
    """A plain text for the field in which a game store asks about generated content."""
    title = "Segue's starter model" if model == STARTER else _entry(model).title
    trained = (
        "The model was trained on music that a program composed; no recordings were used."
        if model == STARTER
        else f"The model and its training are {_entry(model).publisher}'s; the game's developers did not train it."
    )
    return (
        f"This game's music is generated live, while the game is played, by an AI model ({title}). "
        f"{_authored(soundtrack)} What happens in the game chooses and blends these styles; the model then plays "
        f"instrumental music in them. {trained} "
        "The model gives out sound only: no text, no pictures, nothing that is stored or sent to others by it. "
        "Loudness and peaks are limited, and a piece of output that is broken is silenced."
    )


def credits_text(model: str, soundtrack: SoundtrackFacts | None = None) -> str:
    """Attribution and disclosure, headed, with what to check before they are used."""
    title = STARTER if model == STARTER else _entry(model).name
    of = f' of the soundtrack "{soundtrack.name}"' if soundtrack is not None else ""
    lines = [
        f"Credits{of}, played with {title}",
        "",
        attribution(model),
        "",
        "For a store's AI disclosure",
        "",
        disclosure(model, soundtrack),
        "",
        "Before you use this",
        "",
        "- It says that players write no prompts. If your game lets them, say so, and how you filter what they write.",
    ]
    if soundtrack is not None and soundtrack.recordings:
        lines.append(
            f"- {_count(soundtrack.recordings, 'style prompt')} of this soundtrack are recordings: you need the rights "
            "to use them."
        )
    if model != STARTER:
        lines.append("- Read the publisher's terms of use; this text is no legal advice.")
    return "\n".join(lines) + "\n"


def _authored(soundtrack: SoundtrackFacts | None) -> str:
    if soundtrack is None:
        return "Its developers wrote the musical styles; players write no prompts."
    prompts = [_count(soundtrack.texts, "text prompt")] if soundtrack.texts else []
    prompts += [_count(soundtrack.recordings, "recording")] if soundtrack.recordings else []
    return (
        f'Its developers wrote the soundtrack "{soundtrack.name}": {_count(soundtrack.styles, "musical style")}, '
        f"described by {' and '.join(prompts) or 'settings alone'}; players write no prompts."
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _entry(model: str) -> ModelEntry:
    entry = PUBLISHED.get(canonical(model))
    if entry is None:
        known = ", ".join((STARTER, *PUBLISHED))
        raise CheckpointFileError(f'no credits are known for "{model}"; there are: {known}')
    return entry
