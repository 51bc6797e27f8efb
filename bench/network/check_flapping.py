# SPDX-License-Identifier: Apache-2.0
"""A client whose network breaks every few seconds: it ends up with the samples of a listener whose network does not."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import segue
from network.outcome import Outcome, progress
from network.proxy import Proxy
from network.serving import connect
from network.stage import Stage, steering, tasks
from network.transcript import FRAME, Agreement, Transcript

LEAD_SECONDS = 3.0
LEAD_SAMPLES = int(LEAD_SECONDS * 48_000)
UP = (1.5, 6.0)
"""Seconds that the network holds."""
DOWN = (0.2, 2.0)
"""Seconds that it then takes nothing new."""


async def check(stage: Stage) -> Outcome:
    """Law: no gap, no repeat, every sample as the steady listener has it; while nobody steers, and while takes come."""
    outcome = Outcome("flapping", {"seconds": stage.seconds, "lead_s": LEAD_SECONDS})
    for steered in (False, True):
        await _run(stage, outcome, steered)
    return outcome


async def _run(stage: Stage, outcome: Outcome, steered: bool) -> None:
    agreement, chance, label = Agreement(), random.Random(stage.seed), "takes" if steered else "no takes"
    names = ("steady", "network cut", "reopened")
    heard = {name: Transcript(LEAD_SECONDS + 2.0, agreement.listener(name)) for name in names}
    errors: list[str] = []

    async def listen(address: str, name: str, owner: Any, stats: dict[str, Any], *, reopens: bool = False) -> None:
        async with connect(address) as music:
            session = music.attach(owner.session_id, owner.token)
            next_sample: int | None = None
            try:
                while True:
                    until = asyncio.get_running_loop().time() + chance.uniform(*UP)
                    stream: Any = session.audio(from_sample=next_sample)
                    async for block in stream:
                        heard[name].put(block)
                        # A take may have replaced what this client has not heard: it asks for all of that again.
                        next_sample = max(0, block.end - (LEAD_SAMPLES if steered else 0))
                        if reopens and asyncio.get_running_loop().time() > until:
                            break
                        stats[name] = session.stats.reconnects if not reopens else stats.get(name, 0)
                    await stream.aclose()
                    if not reopens:
                        return
                    stats[name] = stats.get(name, 0) + 1
                    await asyncio.sleep(chance.uniform(*DOWN))
            except segue.SegueError as error:
                errors.append(f"{name}: {error}")

    async def flap(proxy: Proxy) -> None:
        while True:
            await asyncio.sleep(chance.uniform(*UP))
            proxy.is_up = False
            proxy.cut()
            await asyncio.sleep(chance.uniform(*DOWN))
            proxy.is_up = True

    stats: dict[str, Any] = {}
    async with connect(stage.server.address) as music, Proxy(stage.server.address, stage.path, 1).running() as proxy:
        session = await music.play(stage.soundtrack, seed=stage.seed, lead_ms=round(LEAD_SECONDS * 1000))
        try:
            async with tasks(
                listen(stage.server.address, "steady", session, stats),
                listen(proxy.address, "network cut", session, stats),
                listen(stage.server.address, "reopened", session, stats, reopens=True),
                flap(proxy),
            ):
                if steered:
                    async with steering(session, stage.states, chance) as landings:
                        await progress(label, stage.seconds)
                    outcome.law("rewound" in landings, "no take came: nothing was shown about takes")
                else:
                    await progress(label, stage.seconds)
        finally:
            await session.close()
    hashes, (first, end) = agreement.hashes(), agreement.common()
    for name in names:
        outcome.rows.append(
            {
                "while": label,
                "listener": name,
                "reconnects": stats.get(name, 0),
                "gaps": heard[name].gaps,
                "common_s": round((end - first) * FRAME / 48_000, 1),
                "hash": hashes[name],
            }
        )
    outcome.law(not errors, f"{label}: {'; '.join(errors)}")
    outcome.law(end > first, f"{label}: there is no stretch that all have heard")
    outcome.law(all(one.gaps == 0 for one in heard.values()), f"{label}: samples were left out")
    place = agreement.first_different
    outcome.law(
        agreement.different == 0,
        f"{label}: {agreement.different} of {agreement.compared} frames differ, first at sample {place}",
    )
    enough = 0.5 * stage.seconds / (UP[1] + DOWN[1])
    for name in names[1:]:
        outcome.law(stats.get(name, 0) >= enough, f"{label}: {name}: only {stats.get(name, 0)} reconnects")
