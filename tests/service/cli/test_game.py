# SPDX-License-Identifier: Apache-2.0
"""The demo's game against a live session: what it says is heard in new takes, and its record is of the newest."""

from __future__ import annotations

from typing import Any

import numpy as np

from segue_service.cli.game import Game
from segue_service.cli.script import Script

FRAME = 1920


async def test_a_script_is_played_takes_and_all(start: Any) -> None:
    said = [
        {"at": "0.5 s", "set": {"danger": 0.6}},
        {"at": "1 s", "post": "enemy_spotted"},
        {"at": "1.5 s", "state": "victory"},
    ]
    script = Script.model_validate({"length": "2.4 s", "seed": 7, "at": said})
    told: list[tuple[int, str]] = []
    async with start() as rig:
        game = Game(rig.server.address, "dungeon", script, lambda sample, text: told.append((sample, text)))
        record = await game.play("a title")
    assert len(record.pcm) == int(2.4 * 48_000)
    assert [control.label for control in record.controls] == ["danger → 0.6", "enemy_spotted", "state victory"]
    parameter, event, _ = record.controls
    assert event.audible_sample - event.sent_sample < parameter.audible_sample - parameter.sent_sample
    assert [span.state for span in record.states] == ["explore", "combat", "victory"]
    assert record.states[1].sample == event.audible_sample
    places = [span.sample for span in record.states]
    assert places == sorted(places)
    assert record.beats == sorted(set(record.beats))
    assert np.abs(record.pcm[event.audible_sample :]).max() > 0
    assert game.first_audio is not None
