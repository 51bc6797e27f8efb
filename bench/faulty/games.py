# SPDX-License-Identifier: Apache-2.0
"""Games that play while something goes wrong: one that steers and one that only listens, and what both heard."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from network.outcome import Outcome, console
from network.player import Player
from network.serving import Serve, connect

import segue
from segue.channel import bearer
from segue.v1.operations_service_pb2 import ListSessionsRequest, ListSessionsResponse

STATES: Final = ("combat", "explore")
STAYS: Final = {"danger": 0.4}
"""With it the dungeon's music leaves neither of them by itself."""
BACK_SECONDS: Final = 40.0
"""A session that takes longer than this to go on has not gone on."""
AFTER_SECONDS: Final = 2.0
"""Played on after that, for what may be wrong then."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What every fault is tried with. seconds: how long things go well before, and stay bad where they do."""

    soundtrack: Path
    name: str
    model: str
    slots: int
    sessions: int
    seconds: float
    buffer: float
    seed: int
    same_address: bool = False
    """Whether what takes a dead server's place behind the front door has its address."""

    def serve(self, port: int = 0, **settings: Any) -> Serve:
        """A server of this scene."""
        return Serve(self.soundtrack, self.model, None, self.slots, {"drain_ms": 1000, **settings}, port)


@dataclass(slots=True)
class Fault(Outcome):
    """heard: what reached the ears of listeners. lost: what did not, or is gone."""

    heard: str = ""
    lost: str = ""

    def show(self) -> None:
        """Print rows, laws and both sentences."""
        Outcome.show(self)
        console.print(f" heard: {self.heard}\n lost:  {self.lost}", markup=False)


@dataclass(slots=True)
class Ear:
    """One listener of a session. back_after: seconds from a fault to its first block from another server."""

    session: segue.aio.Session
    player: Player
    back_after: float | None = None
    state_then: str = ""
    """What the session was in when it was back: a soundtrack may go on by itself later."""

    def breaks(self) -> int:
        """How often its stream had to begin anew so far."""
        return self.session.stats.resumes + self.session.stats.reconnects

    async def comes_back(self, since: float, breaks: int) -> None:
        """Wait until its stream has broken more often than that, and brings audio again."""
        while self.breaks() <= breaks:  # noqa: ASYNC110 (statistics give no event)
            await asyncio.sleep(0.005)
        self.player.arrived.clear()
        await self.player.arrived.wait()
        self.back_after = time.perf_counter() - since
        with contextlib.suppress(segue.SegueError):
            self.state_then = (await self.session.get()).state


@dataclass(slots=True)
class Game:
    """A session with its owner, and a friend who listens too."""

    owner: Ear
    friend: Ear

    @property
    def ears(self) -> tuple[Ear, Ear]:
        return self.owner, self.friend


async def play(stack: contextlib.AsyncExitStack, target: str, scene: Scene, number: int = 0) -> Game:
    """A session that plays at the target, steered to one of the states; it ends with the stack."""
    music = await stack.enter_async_context(connect(target))
    lead_ms = round(scene.buffer * 1000)
    session = await music.play(scene.name, seed=scene.seed + number, parameters=STAYS, lead_ms=lead_ms)
    stack.push_async_callback(_close, session)
    owner = await stack.enter_async_context(Player(session, scene.buffer).running())
    friend = await listen(stack, target, scene, session)
    await session.set_state(STATES[number % len(STATES)], at="immediate")
    return Game(Ear(session, owner), friend)


async def listen(
    stack: contextlib.AsyncExitStack, target: str, scene: Scene, session: segue.aio.Session, *, reports: bool = True
) -> Ear:
    """One more listener of a session, over a connection of its own."""
    music = await stack.enter_async_context(connect(target))
    other = music.attach(session.session_id, session.token)
    return Ear(other, await stack.enter_async_context(Player(other, scene.buffer, reports=reports).running()))


async def go_on(fault: Fault, games: Sequence[Game], what: str, depart: Callable[[], None]) -> list[float]:
    """Let their server go. Laws: all of these games go on elsewhere, in their state, and can be steered. Gives seconds
    until they did."""
    ears = [ear for game in games for ear in game.ears]
    before = [await _state(game) for game in games]
    since = time.perf_counter()
    for ear in ears:
        ear.back_after = None
    waiting = [asyncio.create_task(ear.comes_back(since, ear.breaks())) for ear in ears]
    depart()
    if waiting:
        await asyncio.wait(waiting, timeout=BACK_SECONDS)
    await asyncio.sleep(AFTER_SECONDS)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    fault.law(bool(games), f"{what}: no session was there that could have been lost")
    for game, state in zip(games, before, strict=True):
        name = f"{what}, {game.owner.session.session_id}"
        then = game.owner.state_then
        fault.law("" in (then, state) or then == state, f"{name}: was in {state!r}, went on in {then!r}")
        for who, ear in zip(("owner", "friend"), game.ears, strict=True):
            fault.law(ear.back_after is not None, f"{name}: {who} did not go on: {ear.player.error!r}")
        await steers(fault, game, name)
    return [ear.back_after for ear in ears if ear.back_after is not None]


async def steers(fault: Fault, game: Game, name: str) -> None:
    """Laws: nobody's stream has ended or left samples out, and the session goes to another state when one of them says
    so."""
    for who, ear in zip(("owner", "friend"), game.ears, strict=True):
        fault.law(ear.player.error is None, f"{name}: {who}'s stream ended: {ear.player.error!r}")
        fault.law(ear.session.stats.gaps == 0, f"{name}: {who} has {ear.session.stats.gaps} gaps in the timeline")
        await obeys(fault, ear, f"{name}, {who}")


async def obeys(fault: Fault, ear: Ear, name: str) -> None:
    """Law: the session goes to another state when this one of its listeners says so."""
    session = ear.session
    try:
        now = (await session.get()).state
        other = next(state for state in STATES if state != now)
        reply = await session.set_state(other, at="immediate")
        fault.law(reply.state == other, f"{name}: could not be steered: {reply.reason}")
    except segue.SegueError as error:
        fault.law(holds=False, otherwise=f"{name}: could not be steered: {error}")


def undisturbed(fault: Fault, ears: Mapping[str, Ear]) -> None:
    """Laws: these listeners hear all of it, without a pause."""
    for name, ear in ears.items():
        player = ear.player
        fault.law(player.error is None, f"{name}: the stream ended: {player.error!r}")
        fault.law(player.underruns == 0, f"{name}: {player.underruns} underruns, {player.missed_ms} ms in all")
        fault.law(ear.session.stats.gaps == 0, f"{name}: {ear.session.stats.gaps} gaps in the timeline")


def loss(games: Sequence[Game]) -> dict[str, Any]:
    """Silence and missing samples of all listeners of these games."""
    ears = [ear for game in games for ear in game.ears]
    gaps = sorted(ear.player.gap_ms for ear in ears) or [0]
    return {
        "listeners": len(ears),
        "silence_ms_median": gaps[len(gaps) // 2],
        "silence_ms_max": gaps[-1],
        "timeline_gaps": sum(ear.session.stats.gaps for ear in ears),
    }


async def sessions_of(address: str, operator: str | None = None) -> set[str]:
    """Ids of the sessions that a server has. operator: the operator's token, where it asks for one."""
    async with connect(address) as music:
        request = ListSessionsRequest(page_size=500)
        listed: ListSessionsResponse = await music.call(music.operations.ListSessions, request, bearer(operator))
    return {one.session_id for one in listed.sessions}


async def _close(session: segue.aio.Session) -> None:
    with contextlib.suppress(segue.SegueError):
        await session.close()


async def _state(game: Game) -> str:
    """Empty if nobody can say; what follows says why."""
    try:
        return str((await game.owner.session.get()).state)
    except segue.SegueError:
        return ""
