# SPDX-License-Identifier: Apache-2.0
"""Does the stream survive bad networks and bad clients? Real clients in real time against a real server on loopback.

checks
  listeners   64 listeners on one session, several encodings, coming when they like, while a game steers:
              all get the same samples; what that costs the server
  flapping    a network that breaks every few seconds: no gap, no repeat, the samples of a steady listener
  stalled     listeners that stop reading are cut off; their neighbours hear everything; the server does not grow
  clocks      clocks off by --ppm: with their lead held by playing up to 0.5 % off, clients never run dry
  lossy       loss and jitter (--loss, --delay-ms, --jitter-ms): with 1 s of buffer nothing is missing;
              and how soon a control is heard over such a network
  kill        kill -9 of the server with another one standing by: what gap is heard, does the timeline go on;
              with --sessions 16, how long until all of a dead server's sessions go on

The bench starts the server (two for `kill`), unless --address names one. Laws are asserted, timings only told: exit
code 1 says that a law is broken (hashes differ, samples are missing, an underrun), 2 that nothing could be measured.
`bench_stall_ms` is the longest time that this process itself was held up: an underrun beside a stall of as much says
nothing of the server, so run it on a quiet machine. `server_underruns` counts how often the engine was too slow.

    python bench/survival.py                                            # all but kill, a few minutes
    python bench/survival.py clocks --minutes 60                         # the soak
    python bench/survival.py clocks --ppm 2400 --minutes 5               # the drift of an hour in five minutes
    python bench/survival.py lossy --buffers 0.3,1,3,10
    segue models synthesise tiny --out DIR && \\
    python bench/survival.py --model mrt2_tiny_noise --models-dir DIR --sessions 1
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from network import check_clocks, check_flapping, check_kill, check_listeners, check_lossy, check_stalled
from network.link import Path as Way
from network.outcome import Outcome, console, write
from network.serving import BenchError, Serve, Served, serving
from network.stage import Stage

import segue

EXAMPLE: Final = Path(__file__).resolve().parents[1] / "examples" / "dungeon"
CHECKS: Final[Mapping[str, ModuleType]] = {
    "listeners": check_listeners,
    "flapping": check_flapping,
    "stalled": check_stalled,
    "clocks": check_clocks,
    "lossy": check_lossy,
    "kill": check_kill,
}
BY_DEFAULT: Final = ("listeners", "flapping", "stalled", "clocks", "lossy")
MINUTES: Final = {"listeners": 1.0, "flapping": 1.0, "stalled": 0.5, "clocks": 5.0, "lossy": 2.0, "kill": 0.0}
BUFFERS: Final = {"clocks": (0.3, 1.0), "lossy": (0.3, 1.0, 3.0, 10.0), "kill": (0.3, 1.0, 3.0)}
SERVER_SETTINGS: Final = {"max_listeners": 256, "drain_ms": 0}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"of {', '.join(CHECKS)}; by default all but kill")
    server = parser.add_argument_group("server")
    server.add_argument("--address", help="of a server that runs: nothing is said of its processor time and memory")
    server.add_argument("--model", default="starter", help="as in `segue serve`")
    server.add_argument("--models-dir", type=Path)
    server.add_argument("--slots", type=int)
    server.add_argument("--soundtrack", type=Path, default=EXAMPLE, help="a file, or a folder with one")
    server.add_argument("--name", default="dungeon", help="the soundtrack's")
    server.add_argument("--states", default="combat,explore", help="gone to in turn")
    size = parser.add_argument_group("how much")
    size.add_argument(
        "--minutes",
        type=float,
        help=f"by default {', '.join(f'{name} {value}' for name, value in MINUTES.items() if value)}",
    )
    size.add_argument("--listeners", type=int, default=64)
    size.add_argument("--sessions", type=int, default=4, help="of `kill`; in `stalled`, those with a neighbour in them")
    size.add_argument("--buffers", help="seconds, such as 0.3,1 (clocks, lossy, kill)")
    size.add_argument("--ppm", type=float, default=200.0, help="by which clocks are off (clocks)")
    size.add_argument("--seed", type=int, default=3)
    network = parser.add_argument_group("network (lossy)")
    network.add_argument("--delay-ms", type=float, default=20.0, help="one way")
    network.add_argument("--jitter-ms", type=float, default=40.0, help="on top, uniform")
    network.add_argument("--loss", type=float, default=0.01, help="share of TCP segments")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    return parser


def stage_of(check: str, server: Served, serve: Serve, options: argparse.Namespace) -> Stage:
    """What a check is given."""
    way = Way(delay=options.delay_ms / 1000, jitter=options.jitter_ms / 1000, loss=options.loss)
    buffers = BUFFERS.get(check, ()) if options.buffers is None else tuple(map(float, options.buffers.split(",")))
    return Stage(
        server=server,
        serve=serve,
        soundtrack=options.name,
        states=options.states.split(","),
        seconds=60 * (MINUTES[check] if options.minutes is None else options.minutes),
        path=way if check == "lossy" else Way(),
        seed=options.seed,
        sessions=options.sessions,
        listeners=options.listeners,
        buffers=buffers,
        ppm=options.ppm,
    )


async def run(options: argparse.Namespace) -> int:
    """All the checks asked for; gives the exit code. Raises BenchError."""
    serve = Serve(options.soundtrack, options.model, options.models_dir, options.slots, SERVER_SETTINGS)
    outcomes: list[Outcome] = []
    facts: dict[str, Any] = {}
    wanted = options.checks or BY_DEFAULT
    try:
        async with contextlib.AsyncExitStack() as stack:
            server = Served(options.address or "")
            if options.address is None and set(wanted) != {"kill"}:
                server = await stack.enter_async_context(serving(serve, console.print))
            for check in wanted:
                late = await _late(server)
                outcomes.append(await CHECKS[check].check(stage_of(check, server, serve, options)))
                if late is not None:
                    outcomes[-1].settings["server_underruns"] = round((await _late(server) or late) - late)
                outcomes[-1].show()
                if server.address:
                    async with segue.aio.connect(server.address) as music:
                        info = await music.info()
                    facts = {"model": info.model.version, "device": server.facts.get("device")}
                else:
                    facts = {"model": options.model, "device": None}
    finally:
        write(options.json, facts, outcomes)
    return 1 if any(outcome.broken for outcome in outcomes) else 0


async def _late(server: Served) -> float | None:
    """How often the server was overtaken by a playhead: it is too slow for what it is asked for."""
    return await server.counted("segue_underruns_total", by="server") if server.address else None


def main() -> None:
    parser = arguments()
    options = parser.parse_args()
    for check in options.checks:
        if check not in CHECKS:
            parser.error(f"CHECK: expected one of {', '.join(CHECKS)}, got {check!r}")
    try:
        sys.exit(asyncio.run(run(options)))
    except KeyboardInterrupt:
        console.print("\nsurvival.py: interrupted")
        sys.exit(130)
    except (BenchError, segue.SegueError, TimeoutError, ValueError) as error:
        console.print(f"survival.py: {error}", markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
