# SPDX-License-Identifier: Apache-2.0
"""Many listeners on one session, in several encodings, come when they like, while a game steers: all hear the same."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import segue
from network.outcome import Outcome, progress
from network.player import Stalls
from network.serving import connect
from network.stage import Stage, steering, tasks
from network.transcript import Agreement, Transcript

LEAD_SECONDS = 1.0
CLOSE_DB = 20.0
"""Opus depends a little on where a stream begins; by so much the music must be louder than the difference."""


@dataclass(slots=True)
class Crowd:
    """The listeners of one encoding."""

    encoding: Any
    agreement: Agreement = field(default_factory=Agreement)
    transcripts: list[Transcript] = field(default_factory=list)
    sessions: list[Any] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


async def check(stage: Stage) -> Outcome:
    """Law: S16 and QOA bit for bit, Opus within its own error, no gaps."""
    outcome = Outcome("listeners", {"listeners": stage.listeners, "seconds": stage.seconds, "lead_s": LEAD_SECONDS})
    chance, stalls, cpu = random.Random(stage.seed), Stalls(), stage.server.cpu_seconds()
    async with connect(stage.server.address) as music:
        info = await music.info()
        kinds = [name for name, number in (("qoa", 4), ("opus", 3)) if number in info.encodings]
        crowds = {name: Crowd(name) for name in ("s16", *kinds)}
        session = await music.play(stage.soundtrack, seed=stage.seed, lead_ms=round(LEAD_SECONDS * 1000))
        listeners = []
        for number in range(stage.listeners):
            crowd = crowds[kinds[number // 4 % len(kinds)] if kinds and number % 4 == 3 else "s16"]
            joins = 0.0 if number < 4 else chance.uniform(0.0, stage.seconds / 3)
            listeners.append(_listen(stage, crowd, f"{crowd.encoding}-{number}", session, joins))
        try:
            async with stalls.watched(), tasks(*listeners), steering(session, stage.states, chance) as landings:
                await progress("listeners", stage.seconds)
        finally:
            await session.close()
    for crowd in crowds.values():
        _judge(outcome, crowd)
    spent = stage.server.cpu_seconds()
    share = None if cpu is None or spent is None else round((spent - cpu) / stage.seconds, 2)
    outcome.settings |= {"takes": landings.count("rewound"), "server_cores": share, "bench_stall_ms": stalls.worst_ms}
    outcome.law(landings.count("rewound") > 0, "no control was heard by a take: nothing was shown about takes")
    return outcome


async def _listen(stage: Stage, crowd: Crowd, name: str, owner: Any, joins: float) -> None:
    """One listener, on a connection of its own."""
    transcript = Transcript(LEAD_SECONDS + 2.0, crowd.agreement.listener(name))
    crowd.transcripts.append(transcript)
    await asyncio.sleep(joins)
    async with connect(stage.server.address) as music:
        session = music.attach(owner.session_id, owner.token)
        crowd.sessions.append(session)
        try:
            async for block in session.audio(encoding=crowd.encoding):
                transcript.put(block)
        except segue.SegueError as error:
            crowd.errors.append(f"{name}: {error}")


def _judge(outcome: Outcome, crowd: Crowd) -> None:
    agreement, hashes = crowd.agreement, crowd.agreement.hashes()
    first, end = agreement.common()
    gaps = sum(transcript.gaps for transcript in crowd.transcripts)
    reconnects = sum(session.stats.reconnects for session in crowd.sessions)
    outcome.rows.append(
        {
            "encoding": crowd.encoding,
            "listeners": len(hashes),
            "common_s": round((end - first) * 0.04, 1),
            "hashes": len(set(hashes.values())),
            "hash": next(iter(hashes.values()), None),
            "compared": agreement.compared,
            "different": agreement.different,
            "distance_db": agreement.distance_db,
            "gaps": gaps,
            "reconnects": reconnects,
        }
    )
    what = crowd.encoding
    outcome.law(not crowd.errors, f"{what}: {len(crowd.errors)} listeners lost their stream: {crowd.errors[:1]}")
    outcome.law(end > first, f"{what}: there is no stretch that all have heard")
    outcome.law(gaps == 0, f"{what}: {gaps} gaps")
    if what == "opus":
        near = agreement.distance_db is None or agreement.distance_db >= CLOSE_DB
        outcome.law(near, f"opus: what listeners hear differs by {agreement.distance_db} dB only")
    else:
        outcome.law(agreement.different == 0, f"{what}: {agreement.different} frames differ, see first_different")
