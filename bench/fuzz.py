# SPDX-License-Identifier: Apache-2.0
"""Throws what nobody should send at real servers, for as long as you like, and tells what they did not stand.

targets
  rpc         every RPC by native gRPC: noise, any fields, mangled messages, any metadata, deadlines; bytes on the port
  web         gRPC-Web on the socket: torn frames, huge lengths, trailers, base64, odd HTTP, pipelines, slow clients
  soundtrack  texts to check, keep and play; what the server takes must also fit its built form and the schema
  resume      resume points: flipped, cut, signed with the right key but any content; continuation bytes; then played
  audio       WAV, FLAC, Ogg, MP3 whose headers lie, to go on from; samples of audio prompts

Each has a server of its own, on the engine without a model, where two sessions play that nobody steers. A finding is:
INTERNAL or UNKNOWN, an error in the server's log, an input that takes longer than --limit, a server that dies, does not
answer its health check or grows by more than --grow-mb, neighbours that hear something else, or nothing for --stall s.
Time for which a busy machine kept the server waiting does not count. Each is kept in --out with the inputs before it,
to be sent once more by --replay. An input is that of its seed and number, so --first N goes on where another run ended.
Exit code 1: something was found; 2: nothing could be tried. Ctrl-C ends it with the summary.

    python bench/fuzz.py                           # all of them, three minutes each
    python bench/fuzz.py web rpc --minutes 120 --seed 7
    python bench/fuzz.py --replay fuzz-findings/web-frames-0123456789.json
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

from fuzzing.campaign import Campaign
from fuzzing.cases import cases_of
from fuzzing.targets import TARGETS
from network.outcome import Outcome, console, write
from network.serving import BenchError

ROOT: Final = Path(__file__).resolve().parents[1]
SOUNDTRACK: Final = ROOT / "examples" / "dungeon"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; by default all")
    parser.add_argument("--minutes", type=float, default=3.0, help="of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--together", type=int, default=4, help="inputs at the same time")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds that an input may take")
    parser.add_argument("--grow-mb", type=float, default=400.0, help="by which a server's memory may grow")
    parser.add_argument("--stall", type=float, default=3.0, help="seconds that neighbours may be without music")
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"), help="folder for findings and servers' logs")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="send the inputs of a finding once more")
    parser.add_argument("--json", type=Path)
    return parser


def campaign(name: str, options: argparse.Namespace) -> Campaign:
    """As asked for."""
    return Campaign(
        TARGETS[name],
        60 * options.minutes,
        options.seed,
        options.out,
        first=options.first,
        limit=options.limit,
        grow_mb=options.grow_mb,
        stall=options.stall,
        together=options.together,
        soundtrack=SOUNDTRACK,
    )


async def run(options: argparse.Namespace) -> int:
    """All the targets asked for; gives the exit code. Raises BenchError."""
    done: list[Outcome] = []
    try:
        if options.replay is not None:
            cases = cases_of(options.replay)
            one = campaign(cases[-1].target, options)
            done.append(one.outcome)
            await one.again(cases)
        else:
            for name in options.targets or TARGETS:
                console.print(f"\n{name}", style="bold")
                one = campaign(name, options)
                done.append(one.outcome)
                await one.run()
    finally:
        for outcome in done:
            console.print()
            outcome.show()
        if any(outcome.broken for outcome in done) and options.replay is None:
            console.print(f"\nfindings are in {options.out}", markup=False)
        write(options.json, {"model": "fake", "device": "cpu"}, done)
    return 1 if any(outcome.broken for outcome in done) else 0


def main() -> None:
    parser = arguments()
    options = parser.parse_args()
    for name in options.targets:
        if name not in TARGETS:
            parser.error(f"TARGET: expected one of {', '.join(TARGETS)}, got {name!r}")
    if os.name != "nt":  # as a job of a shell, which takes Ctrl-C away from it, it is to end in order, too
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        sys.exit(asyncio.run(run(options)))
    except KeyboardInterrupt:
        console.print("\nfuzz.py: interrupted")
        sys.exit(130)
    except (BenchError, OSError, ValueError) as error:
        console.print(f"fuzz.py: {error}", markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
