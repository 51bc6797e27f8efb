# SPDX-License-Identifier: Apache-2.0
"""From a control to the first changed sample that is heard, whatever the client has buffered.

A client plays a session in real time out of a `PlaybackBuffer` that it lets fill to each of the sizes asked for,
reports its playhead, and goes to another state now and then. Timed is from the call until the playhead passes the
reply's `audible_at_sample`, in the take that the reply names. `late_takes`: their beginning had been played already.
With --delay-ms, --jitter-ms and --loss everything goes through a proxy that is such a network in each direction
(`bench/network/link.py` says how).

    segue serve examples/dungeon &
    python bench/heard.py --address localhost:7470 --buffers 0.3,1,3,10
    python bench/heard.py --others 16                   # beside sessions that play
    python bench/heard.py --buffers 1,3 --delay-ms 30 --jitter-ms 40 --loss 0.01
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

from network.crowd import crowd
from network.link import Path as Way
from network.proxy import Proxy
from network.reaction import measure

import segue
from segue_service.cli.bench import hardware


async def run(options: argparse.Namespace) -> dict[str, Any]:
    rows = []
    way = Way(delay=options.delay_ms / 1000, jitter=options.jitter_ms / 1000, loss=options.loss)
    async with contextlib.AsyncExitStack() as stack:
        address = options.address
        if way != Way():
            address = (await stack.enter_async_context(Proxy(address, way, seed=3).running())).address
        async with segue.aio.connect(options.address) as music:
            model = (await music.info()).model.version
        if options.others:
            await stack.enter_async_context(crowd(options.address, options.soundtrack, options.others))
        for seconds in map(float, options.buffers.split(",")):
            async with segue.aio.connect(address) as music:
                row = await measure(music, options.soundtrack, options.states.split(","), seconds, options.count)
            rows.append(row)
            print(json.dumps(row), flush=True)
    network = {"delay_ms": options.delay_ms, "jitter_ms": options.jitter_ms, "loss": options.loss}
    return {"model": model, "hardware": hardware(), **network, "other_sessions": options.others, "buffers": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="localhost:7470", help="of a server that runs")
    parser.add_argument("--buffers", default="0.3,1,3,10", help="seconds that the client holds, one run each")
    parser.add_argument("--count", type=int, default=12, help="controls in each run")
    parser.add_argument("--soundtrack", default="dungeon")
    parser.add_argument("--states", default="combat,explore", help="gone to in turn")
    parser.add_argument("--others", type=int, default=0, help="sessions that play beside it, for the load")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="one way")
    parser.add_argument("--jitter-ms", type=float, default=0.0, help="on top, uniform")
    parser.add_argument("--loss", type=float, default=0.0, help="share of TCP segments, such as 0.01")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    try:
        result = asyncio.run(run(options))
    except KeyboardInterrupt:
        raise SystemExit("\ninterrupted") from None
    except segue.SegueError as error:
        raise SystemExit(f"heard.py: {error}") from None
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
