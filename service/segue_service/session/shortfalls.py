# SPDX-License-Identifier: Apache-2.0
"""What a soundtrack or a session asks for and the model can't do: said once, so that nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from segue_engine.contract import EngineInfo
from segue_service.session.score import follows_score
from segue_service.soundtrack import Guidance, Soundtrack

_SHOWN: Final = 8


def shortfalls(soundtrack: Soundtrack, info: EngineInfo, guidance: Guidance | None = None) -> list[str]:
    """A sentence per capability that is asked for and missing, beginning with the fields that ask for it.

    guidance: of the session, where it brings its own.
    """
    able, music = info.capabilities, soundtrack.music
    found = []
    if not able.drums:
        found.append((_drums(soundtrack), "has no switch for drums"))
    pulls = _pulls(soundtrack, guidance)
    if not able.guidance:
        found.append(([field for field, _ in pulls], "has no guidance"))
    else:
        for name, there in (("notes", able.notes), ("drums", able.drums)):
            if not there:
                fields = [f"{field}.{name}" for field, given in pulls if getattr(given, name) != 1.0]
                found.append((fields, f"can't be guided to {name}"))
    if music is not None and not follows_score(able):
        names = ("tempo", "meter", "key", "progression") if able.clock else ("key", "progression")
        fields = [f"music.{name}" for name in names if getattr(music, name)]
        found.append((fields, "can't follow it"))
    if not able.clock:
        found.append(
            (list(_placed(soundtrack)), "has no clock of its own, so beats and bars are tracked from its sound")
        )
    return [f"{_some(fields)}: the model {info.model} {what}" for fields, what in found if fields]


def has_places(soundtrack: Soundtrack) -> bool:
    """Whether anything in it asks for a musical place."""
    return next(_placed(soundtrack), None) is not None


def _drums(soundtrack: Soundtrack) -> list[str]:
    styles = [f"styles.{name}.drums" for name, style in soundtrack.styles.items() if style.drums != "auto"]
    return styles + [f"stingers.{name}.drums" for name, stinger in soundtrack.stingers.items() if stinger.drums]


def _pulls(soundtrack: Soundtrack, guidance: Guidance | None) -> list[tuple[str, Guidance]]:
    given = [
        (f"styles.{name}.guidance", style.guidance)
        for name, style in soundtrack.styles.items()
        if style.guidance is not None
    ]
    return given if guidance is None else [("guidance", guidance), *given]


def _placed(soundtrack: Soundtrack) -> Iterator[str]:
    """Fields that ask for a musical place."""
    places = [
        *(
            (f"transitions[{place}]", transition.exit_source_at)
            for place, transition in enumerate(soundtrack.transitions)
        ),
        *((f"stingers.{name}", stinger.exit_source_at) for name, stinger in soundtrack.stingers.items()),
        *((f"events.{name}", event.exit_source_at) for name, event in soundtrack.events.items()),
    ]
    for field, place in places:
        if place not in (None, "immediate"):
            yield f"{field}.exit_source_at"


def _some(fields: list[str]) -> str:
    more = len(fields) - _SHOWN
    return ", ".join(fields[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
