# SPDX-License-Identifier: Apache-2.0
"""A soundtrack in which nothing ever happens: its states, and its style stingers as states of their own."""

from __future__ import annotations

from dataclasses import dataclass

from segue_service.soundtrack import Soundtrack
from segue_service.soundtrack.model import State


@dataclass(frozen=True, slots=True)
class Steady:
    """soundtrack: without transitions, events and stingers. stingers: by name, the state that plays its style."""

    soundtrack: Soundtrack
    stingers: dict[str, str]


def steady(soundtrack: Soundtrack) -> Steady:
    """Parameters and blends stay, so each state sounds as it does at the parameters' defaults."""
    states, stingers = dict(soundtrack.states), {}
    for name, stinger in soundtrack.stingers.items():
        if stinger.style is None:
            continue
        state = f"{name}_stinger"
        while state in states:
            state += "_"
        states[state] = State.model_validate({"style": stinger.style})
        stingers[name] = state
    changes = {"states": states, "transitions": (), "events": {}, "stingers": {}}
    return Steady(soundtrack.model_copy(update=changes), stingers)
