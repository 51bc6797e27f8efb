# SPDX-License-Identifier: Apache-2.0
"""Does what is asked for at a beat, a bar or the end of a phrase begin there, in the music that was generated?

The starter plays states of five tempi. Transitions are asked for at random times, at every place with every fade.
Measured is from the first frame that was made under another conditioning to the nearest beat, bar line or phrase start
in the codes that came out, in frames of 40 ms.

- offline: many sessions in one batch. `told off`: how far the told frame is from there. `heard`: median frames from
  there until the palette or the tempo of what was generated changes; `at once`: the share of those within a frame;
  `heard on`: the share that is within a frame of such a place, wherever; `cut`: how often a bar is broken off.
  `first_heard`: the first sample that differs from the same session without the transition.
- live: a server in this process, sessions whose lead is --lead and whose client holds --hold seconds, so that what is
  asked for lands behind the head and is made anew. Places are read from the stream's events of the newest take.

    python bench/bars.py --json bench/results/bars-starter-cpu.json
    python bench/bars.py --rounds 1 --live 0
"""

from __future__ import annotations

import argparse
import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from alignment import live, offline
from alignment.script import soundtrack
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from segue_engine.assemble import assemble
from segue_service.cli.bench import hardware
from segue_service.observe.log import configure
from segue_service.session.library import Library

SLOTS: Final = 16
_HEARD: Final = ("median_frames_until_heard", "heard_at_once", "heard_within_1_of_a_place", "bars_cut")


async def run(options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """All figures."""
    assembly = assemble("starter", slots=options.slots)
    result: dict[str, Any] = {"model": "starter", "hardware": hardware(), "seed": options.seed}
    try:
        if options.rounds:
            assembly.engine.warm_up()
            with ThreadPoolExecutor(1) as executor:
                record = await Library(assembly.style_encoder, executor, assembly.info.capabilities).compile(
                    soundtrack()
                )
                measured = await offline.play(
                    assembly.engine, record, executor, options.seed, options.rounds, options.slots, progress
                )
            result["offline"] = measured.figures()
        if options.live:
            result["live"] = await live.play(
                assembly, options.seed, options.live, options.count, options.lead, options.hold, progress
            )
    finally:
        assembly.engine.close()
    return result


def show(result: dict[str, Any]) -> None:
    """Tables of what was measured."""
    console = Console()
    for name in ("offline", "live"):
        if name not in result:
            continue
        titles = (
            "place",
            "fade",
            "count",
            "on it",
            "within 1",
            "more",
            "worst",
            "told off",
            "heard",
            "at once",
            "heard on",
            "cut",
        )
        table = Table(*titles, title=name)
        for row in result[name]["transitions"]:
            table.add_row(
                *(row["place"], row["fade"], str(row["count"]), f"{row['exact']:.2f}", f"{row['within_1']:.2f}"),
                *(f"{row['more']:.2f}", str(row["worst_frames"]), str(row["worst_told_frames"])),
                *(str(row.get(key, "")) for key in _HEARD),
            )
        console.print(table)
        console.print({key: value for key, value in result[name].items() if key != "transitions"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=100, help="of the first session; the next ones follow")
    parser.add_argument("--slots", type=int, default=SLOTS, help="sessions at a time")
    parser.add_argument("--rounds", type=int, default=2, help="times that the slots are filled; 0: nothing offline")
    parser.add_argument("--live", type=int, default=4, help="sessions on a server; 0: none")
    parser.add_argument("--count", type=int, default=12, help="transitions of each of these")
    parser.add_argument("--lead", type=float, default=3.0, help="seconds that the server is ahead")
    parser.add_argument("--hold", type=float, default=2.0, help="seconds that the client holds")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    if not 0 < options.hold < options.lead:
        parser.error("--hold: expected more than 0 and less than --lead")
    configure(level="error")
    try:
        with Progress(transient=True) as progress:
            result = asyncio.run(run(options, progress))
    except KeyboardInterrupt:
        raise SystemExit("\ninterrupted") from None
    show(result)
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
