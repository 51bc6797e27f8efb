# SPDX-License-Identifier: Apache-2.0
"""A server goes while it is listened to: told to, or killed; with other keys than the next one; with a clock that is
off."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from network.outcome import console, progress, spread
from network.serving import Served, connect, serving

import segue
from faulty.games import Fault, Scene, go_on, loss, play, sessions_of, steers, undisturbed
from segue.channel import bearer
from segue.v1 import live_soundtrack_service_pb2 as live

DAY: Final = 86_400
CLOCK: Final = Path(__file__).parent / "clock"
EXIT_SECONDS: Final = 30.0


async def sigterm(scene: Scene) -> Fault:
    """SIGTERM: it drains for a second and leaves with exit code 0; all of its sessions go on at the next server."""
    return await _departs(scene, Fault("sigterm", {}), told=True)


async def sigkill(scene: Scene) -> Fault:
    """SIGKILL: nothing is said; all of its sessions go on at the next server."""
    return await _departs(scene, Fault("sigkill", {}), told=False)


async def _departs(scene: Scene, fault: Fault, *, told: bool) -> Fault:
    wish = scene.serve(resume_keys=[secrets.token_hex(32)])
    async with contextlib.AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(serving(wish, console.print)) for _ in range(2)]
        target = f"ipv4:{first.address},{second.address}"
        games = [await play(stack, target, scene, number) for number in range(scene.sessions)]
        await progress(fault.check, scene.seconds)
        here = await sessions_of(first.address)
        games = [game for game in games if game.owner.session.session_id in here]
        waits = await go_on(fault, games, fault.check, (lambda: terminate(first)) if told else first.kill)
        there = await sessions_of(second.address)
        away = {game.owner.session.session_id for game in games} - there
        fault.law(not away, f"not at the next server: {away}")
        if told:
            await _left(fault, first)
    found = loss(games)
    fault.rows.append({"sessions": len(games), **found} | {f"back_{name}": ms for name, ms in spread(waits).items()})
    fault.heard = f"silence of {found['silence_ms_max']} ms at most, {found['silence_ms_median']} ms in the middle"
    fault.lost = f"{len(away)} of {len(games)} sessions, {found['timeline_gaps']} gaps in timelines"
    return fault


async def keys(scene: Scene) -> Fault:
    """Rotated keys: servers with the old one, with both, with the new one go one after the other; sessions go on."""
    fault, (old, new) = Fault("keys", {}), (secrets.token_hex(32), secrets.token_hex(32))
    async with contextlib.AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(serving(scene.serve(resume_keys=held), console.print))
            for held in ([old], [old, new], [new])
        ]
        games = [await play(stack, f"ipv4:{','.join(one.address for one in servers)}", scene, n) for n in range(2)]
        await progress("old", scene.seconds)
        saved = games[0].owner.session.save()
        for server, now in zip(servers[:2], ("old to both", "both to new"), strict=True):
            waits = await go_on(fault, games, now, server.kill)
            fault.rows.append({"keys": now, **loss(games), **spread(waits)})
            await progress(now, scene.seconds)
        refusal = ""
        async with connect(servers[2].address) as music:
            try:
                await (await music.resume(saved)).close()
            except segue.SegueError as error:
                refusal = f"{error.code}: {error.message}"
    fault.law("which this server does not have" in refusal, f"a point of the old key at the new server: {refusal!r}")
    fault.notes.append(f"a save file of the old key, when only the new one is left: {refusal}")
    fault.heard = f"silence of {max(row['silence_ms_max'] for row in fault.rows)} ms at most, two servers killed"
    fault.lost = "no session; save files signed with the old key, once no server has it, with a sentence that says so"
    return fault


async def clock(scene: Scene) -> Fault:
    """A server's wall clock jumps by a day while it plays; then it is killed, and one with the right time goes on."""
    fault = Fault("clock", {"by": "a shim of time.time and datetime.now in the server's Python"})
    for jump in (DAY, -DAY):
        await _jumps(scene, fault, jump)
    silences = [row["silence_then_ms"] for row in fault.rows]
    fault.heard = f"nothing at the jumps; a silence of {max(silences)} ms at most when that server is killed after them"
    lost = sum(not row["went_on"] for row in fault.rows)
    fault.lost = f"{lost} of 2 sessions; granted tokens that the new time has outlived"
    return fault


async def _jumps(scene: Scene, fault: Fault, jump: int) -> None:
    what = f"{jump // 3600:+d} h"
    wish = scene.serve(resume_keys=[secrets.token_hex(32)])
    async with contextlib.AsyncExitStack() as stack:
        offset = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-bench-"))) / "offset"
        offset.write_text("0", encoding="ascii")
        shimmed = replace(wish, environment={"PYTHONPATH": str(CLOCK), "BENCH_CLOCK": str(offset)})
        first = await stack.enter_async_context(serving(shimmed, console.print))
        second = await stack.enter_async_context(serving(wish, console.print))
        target = f"ipv4:{first.address},{second.address}"
        game = await play(stack, target, scene)
        session = game.owner.session
        async with connect(first.address) as music:
            request = live.GrantTokenRequest(session_id=session.session_id, valid_seconds=3600)
            before = await music.call(music.live.GrantToken, request, bearer(session.token))
            await progress(what, scene.seconds / 2)
            offset.write_text(str(jump), encoding="ascii")
            await progress(what, scene.seconds)
            after = await music.call(music.live.GrantToken, request, bearer(session.token))
            moved = (after.expires_unix_ms - before.expires_unix_ms) / 1000
            fault.law(abs(moved - jump) < 120, f"{what}: the server's clock moved by {moved:.0f} s: nothing was tried")
            old = "opens"
            try:
                await music.attach(session.session_id, before.session_token).get()
            except segue.SegueError as error:
                old = error.reason or error.code
            fault.law((old == "opens") == (jump < 0), f"{what}: a token of before, good for an hour: {old}")
        undisturbed(fault, {f"{what}, owner": game.owner, f"{what}, friend": game.friend})
        silence = loss([game])["silence_ms_max"]
        await steers(fault, game, f"{what}, after the jump")
        await asyncio.sleep(1.0)
        waits = await go_on(fault, [game], f"{what}, then killed", first.kill)
        row = {"jump": what, "silence_at_jump_ms": silence, "token_of_before": old}
        row |= {"went_on": len(waits), "silence_then_ms": loss([game])["silence_ms_max"]}
        fault.rows.append(row)


def terminate(server: Served) -> None:
    """SIGTERM."""
    if server.process is not None and server.process.returncode is None:
        server.process.terminate()


async def _left(fault: Fault, server: Served) -> None:
    if server.process is None:
        return
    try:
        code = await asyncio.wait_for(server.process.wait(), EXIT_SECONDS)
    except TimeoutError:
        code = None
    fault.law(code == 0, f"the server's exit code: expected 0, got {code}")
