# SPDX-License-Identifier: Apache-2.0
"""The Godot addon's player in the real engine, without window or sound card, against a real server with the starter.

checks
  steady      --seconds (600) at --lead-ms (300): does it run dry, what is in reserve, what a frame costs the game
  steering    --steering-seconds (120) with 3 s of lead, another state every 3 s, IMMEDIATE: how soon it is heard

Laws are asserted, timings only told: exit code 1 says that a law is broken (the stream ran dry, samples are missing,
the timeline jumped, a change was late), 2 that nothing could be measured. `generator_ran_dry` is told and no law: it
is the engine's own buffer, which Godot's driver without a device empties 85 ms at a time; on a busy machine nobody
fills it in time. Some 13 minutes; Ctrl-C stops engine and server. `python3 sdk/godot/test.py --install` gets Godot.

    python bench/godot.py                                    # into bench/results/godot-cpu-CORES-cores.json
    python bench/godot.py steady --seconds 20 --json /tmp/godot.json
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from network.outcome import Outcome, Progress, console, show_figures, write
from network.serving import BenchError, Serve, Served, serving

HERE: Final = Path(__file__).resolve().parent
EXAMPLE: Final = HERE.parent / "examples" / "dungeon"
PROJECT: Final = HERE.parent / "sdk" / "godot"
CHECKS: Final = ("steady", "steering")
STEERING_LEAD_MS: Final = 3_000
STATES: Final = "explore,combat"
SLOTS: Final = 4
START_SECONDS: Final = 60.0
"""An engine that has not seen the project yet imports it first."""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"of {', '.join(CHECKS)}; by default all")
    parser.add_argument("--seconds", type=float, default=600.0, help="of steady")
    parser.add_argument("--steering-seconds", type=float, default=120.0)
    parser.add_argument("--lead-ms", type=int, default=300, help="of steady")
    result = HERE / "results" / f"godot-cpu-{os.cpu_count()}-cores.json"
    parser.add_argument("--json", type=Path, default=result, help="write everything to this file")
    return parser


def engine() -> list[str]:
    """How Godot is started. Raises BenchError."""
    spec = importlib.util.spec_from_file_location("segue_godot_tools", PROJECT / "test.py")
    assert spec is not None
    assert spec.loader is not None
    tools: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tools)
    found = tools.godot()
    if found is None:
        raise BenchError("there is no Godot: python3 sdk/godot/test.py --install")
    return [str(word) for word in found]


async def played(check: str, start: list[str], server: Served, seconds: float, lead_ms: int) -> Outcome:
    """A player plays for so long."""
    outcome = Outcome(check, {"seconds": seconds, "lead_ms": lead_ms})
    words = [server.facts["web"], "dungeon", str(seconds), str(lead_ms), *([STATES] if check == "steering" else [])]
    process = await asyncio.create_subprocess_exec(
        *(*start, "--script", "res://tests/bench_listen.gd", "--", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=os.name != "nt",  # Ctrl-C reaches the bench alone
    )
    try:
        async with asyncio.timeout(seconds + START_SECONDS), Progress(check, seconds).shown():
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    lines = said.decode(errors="replace").strip().splitlines()
    figures = next((json.loads(line) for line in lines if line.startswith("{")), None)
    if figures is None:
        raise BenchError("the player gave no figures:\n" + "\n".join(lines[-15:]))
    outcome.notes += [line for line in lines if "ERROR" in line or "WARNING" in line]
    outcome.settings["figures"] = figures
    for name in ("underruns", "gaps", "jumps", "reconnects", "late_takes", "changes_failed"):
        outcome.law(figures[name] == 0, f"{name}: {figures[name]}")
    if check == "steering":
        outcome.law(figures["changes_heard"] > 0, "no change was heard")
    return outcome


async def run(options: argparse.Namespace) -> int:
    """The checks asked for; gives the exit code. Raises BenchError."""
    start, outcomes, facts = engine(), list[Outcome](), dict[str, Any]()
    for check in options.checks or CHECKS:
        async with serving(Serve(EXAMPLE, slots=SLOTS), console.print) as server:
            facts = {"model": server.facts["model"], "device": server.facts["device"]}
            steers = check == "steering"
            seconds = options.steering_seconds if steers else options.seconds
            lead = STEERING_LEAD_MS if steers else options.lead_ms
            outcomes.append(await played(check, start, server, seconds, lead))
        show_figures(outcomes[-1])
    write(options.json, facts, outcomes)
    console.print(f" wrote {options.json}", markup=False)
    return 1 if any(outcome.broken for outcome in outcomes) else 0


def main() -> None:
    parser = arguments()
    options = parser.parse_args()
    for check in options.checks:
        if check not in CHECKS:
            parser.error(f"CHECK: expected one of {', '.join(CHECKS)}, got {check!r}")
    try:
        sys.exit(asyncio.run(run(options)))
    except KeyboardInterrupt:
        console.print("\ngodot.py: interrupted")
        sys.exit(130)
    except (BenchError, TimeoutError, OSError) as error:
        console.print(f"godot.py: {error}", markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
