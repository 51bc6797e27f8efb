# SPDX-License-Identifier: Apache-2.0
"""What do listeners hear when things break, and what is lost? Real servers, real clients in real time, one fault each.

faults
  sigterm      a server with live listeners is told to go, another one stands by
  sigkill      the same, killed
  door         two servers behind the chart's front door (Envoy): one is killed, later the other one is told to go
  clients      a listener at half speed, one that stops reading, a player whose power is gone; and their neighbours
  clock        a server's wall clock jumps by a day, forth and back; then another server takes its sessions over
  disk         the log's disk is full, then that of audit log and session logs (takes the right to mount one)
  certificate  runs out while a server plays, and is renewed
  keys         resume keys rotate over three servers, each killed in turn: old, old and new, new
  herd         500 CreateSessions at once on 64 slots, while three sessions play

Every session has two listeners with --buffer seconds of audio, and is steered. What must hold is a law: sessions go on
in their state, no sample of a timeline is left out, neighbours hear no silence, a full server says when to come again.
Milliseconds are told, not judged. Exit code 1: a law is broken; 2: nothing could be tried. Ctrl-C stops all it started.
A silence beside a stall of this process (`bench_stall_ms`) says nothing of the server: run it on a quiet machine.

    python bench/faults.py                         # all of them, four minutes
    python bench/faults.py sigterm sigkill --buffer 0.3
    python bench/faults.py herd --seconds 10 --json herd.json
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from faulty.crowding import clients, herd
from faulty.departing import clock, keys, sigkill, sigterm
from faulty.door import door
from faulty.games import Fault, Scene
from faulty.storing import certificate, disk
from network.outcome import console, write
from network.player import Stalls
from network.serving import BenchError
from rich.table import Table

import segue

ROOT: Final = Path(__file__).resolve().parents[1]
FAULTS: Final[Mapping[str, Callable[[Scene], Awaitable[Fault]]]] = {
    "sigterm": sigterm,
    "sigkill": sigkill,
    "door": door,
    "clients": clients,
    "clock": clock,
    "disk": disk,
    "certificate": certificate,
    "keys": keys,
    "herd": herd,
}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of {', '.join(FAULTS)}; by default all")
    parser.add_argument("--model", default="fake", help="as in `segue serve`; by default an engine without a model")
    parser.add_argument("--soundtrack", type=Path, default=ROOT / "examples" / "dungeon", help="a file or folder")
    parser.add_argument(
        "--name", default="dungeon", help="the soundtrack's; with states combat and explore, and a parameter danger"
    )
    parser.add_argument("--slots", type=int, default=8, help="of each server but the herd's")
    parser.add_argument("--sessions", type=int, default=4, help="of sigterm and sigkill, with two listeners each")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long all is well before a fault, or it lasts")
    parser.add_argument("--buffer", type=float, default=1.0, help="seconds of audio that a listener holds")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--same-address", action="store_true", help="door: the dead server is replaced where it was")
    cores = os.cpu_count()
    parser.add_argument("--json", type=Path, help=f"by default results/faults-MODEL-cpu-{cores}-cores.json, if all ran")
    return parser


async def run(options: argparse.Namespace) -> int:
    """All the faults asked for; gives the exit code. Raises BenchError."""
    scene = Scene(
        soundtrack=options.soundtrack,
        name=options.name,
        model=options.model,
        slots=options.slots,
        sessions=options.sessions,
        seconds=options.seconds,
        buffer=options.buffer,
        seed=options.seed,
        same_address=options.same_address,
    )
    wanted = options.faults or tuple(FAULTS)
    path = options.json
    if path is None and set(wanted) == set(FAULTS):
        path = ROOT / "bench" / "results" / f"faults-{options.model}-cpu-{os.cpu_count()}-cores.json"
    tried: list[Fault] = []
    try:
        for name in wanted:
            console.print(f"\n{name}", style="bold")
            stalls = Stalls()
            async with stalls.watched():
                fault = await FAULTS[name](scene)
            fault.settings["bench_stall_ms"] = stalls.worst_ms
            fault.show()
            tried.append(fault)
    finally:
        summary(tried)
        facts: dict[str, Any] = {"model": options.model, "device": "cpu"}
        write(path, facts | {"buffer_s": scene.buffer}, tried)
    return 1 if any(fault.broken for fault in tried) else 0


def summary(tried: list[Fault]) -> None:
    """fault → what listeners heard → what was lost."""
    table = Table(title="\nall of it", title_justify="left", box=None, pad_edge=True)
    for name in ("fault", "what listeners heard", "what was lost", "laws"):
        table.add_column(name, overflow="fold")
    for fault in tried:
        table.add_row(fault.check, fault.heard, fault.lost, f"{len(fault.broken)} broken" if fault.broken else "hold")
    console.print(table)


def main() -> None:
    parser = arguments()
    options = parser.parse_args()
    for name in options.faults:
        if name not in FAULTS:
            parser.error(f"FAULT: expected one of {', '.join(FAULTS)}, got {name!r}")
    try:
        sys.exit(asyncio.run(run(options)))
    except KeyboardInterrupt:
        console.print("\nfaults.py: interrupted")
        sys.exit(130)
    except (BenchError, segue.SegueError, TimeoutError, ValueError) as error:
        console.print(f"faults.py: {error}", markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
