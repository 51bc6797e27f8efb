# SPDX-License-Identifier: Apache-2.0
"""The Unity SDK's C# client against a real server with the starter model, both on this machine, without Unity.

checks
  steady      --seconds (600) at --lead-ms (300): does it run dry, do chunks come one by one, what is in reserve
  steering    --steering-seconds (120) with 3 s of lead, another state every 3 s, IMMEDIATE: how soon it is heard
  jitter      --jitter-seconds (60) with 1 s of lead, QOA, over a network with delay, jitter and loss
  adapting    the same network, QOA, with 300 ms of lead that may grow: how far it does, how often it ran dry
  killed      kill -9 of the server in mid-stream, started again --down seconds later, --rounds (5) times: how soon the
              baked loop is whole, how long it is silent, how soon the music is back, whether there is a click

Laws are asserted, timings only told: exit code 1 says that a law is broken (the stream ran dry, samples are missing,
the timeline jumped, there was silence or a click), 2 that nothing could be measured. `callback_late_ms_max` is the
longest time by which the client's own callbacks were held up, `server_underruns` how often the engine was too slow:
run it on a quiet machine. Some 16 minutes; Ctrl-C stops client and server. `python3 sdk/unity/test.py --install` gets
the C# compiler and Mono.

    python bench/unity.py                                    # all of it, into bench/results/unity-cpu-CORES-cores.json
    python bench/unity.py steady --seconds 20 --json /tmp/unity.json
    python bench/unity.py killed --rounds 2 --lead-ms 1000 --json /tmp/killed.json
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import soundfile
from network.link import Path as Way
from network.outcome import Outcome, Progress, console, progress, show_figures, write
from network.proxy import Proxy
from network.serving import BenchError, Serve, Served, serving
from unity_client.player import Runtime, listening, runtime
from unity_client.seams import Log, measured, read_log, read_loop

HERE: Final = Path(__file__).resolve().parent
EXAMPLE: Final = HERE.parent / "examples" / "dungeon"
CHECKS: Final = ("steady", "steering", "jitter", "adapting", "killed")
STEERING_LEAD_MS: Final = 3_000
JITTER_LEAD_MS: Final = 1_000
SLOTS: Final = 4
BEFORE_SECONDS: Final = 6.0
"""Played before the server is killed, so that there is a resume point and something to hear."""
BACK_SECONDS: Final = 60.0
AFTER_SECONDS: Final = 3.0
CLICK: Final = 25.0
"""Roughness of a seam that is a click, unless the music around it is as rough; as in `segue bake`."""
LITTLE: Final = """soundtrack: little
version: 1
initial: explore
output: { loudness: -18 LUFS, true_peak: -1 dBTP }
styles:
  explore: { prompts: { calm exploration: 1.0, harp: 0.4 } }
states:
  explore: { style: explore }
"""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"of {', '.join(CHECKS)}; by default all")
    parser.add_argument("--seconds", type=float, default=600.0, help="of steady")
    parser.add_argument("--steering-seconds", type=float, default=120.0)
    parser.add_argument("--jitter-seconds", type=float, default=60.0)
    parser.add_argument("--lead-ms", type=int, default=300, help="of steady, adapting and killed")
    parser.add_argument("--rounds", type=int, default=5, help="of killed")
    parser.add_argument("--down", type=float, default=3.0, help="seconds until a killed server is started again")
    parser.add_argument(
        "--runtime", choices=("mono", "dotnet"), default="mono", help="of the client; Unity's is a Mono"
    )
    network = parser.add_argument_group("network (jitter, adapting)")
    network.add_argument("--delay-ms", type=float, default=30.0, help="one way")
    network.add_argument("--jitter-ms", type=float, default=60.0, help="on top, uniform")
    network.add_argument("--loss", type=float, default=0.01, help="share of TCP segments")
    result = HERE / "results" / f"unity-cpu-{os.cpu_count()}-cores.json"
    parser.add_argument("--json", type=Path, default=result, help="write everything to this file")
    return parser


async def streamed(
    check: str, runtime: Runtime, server: Served, address: str, seconds: float, lead_ms: int, *words: str
) -> Outcome:
    """A client listens for so long; what holds for every stream is asserted."""
    outcome = Outcome(check, {"runtime": runtime.name, "seconds": seconds, "lead_ms": lead_ms})
    states = ("explore", "combat") if check == "steering" else ("explore",)
    late = await server.counted("segue_underruns_total", by="server")
    async with (
        listening(runtime, address, "dungeon", seconds, lead_ms, states, *words) as client,
        Progress(check, seconds).shown(),
    ):
        figures = await client.figures()
    outcome.notes += figures.pop("said")
    if late is not None:
        now = await server.counted("segue_underruns_total", by="server")
        figures["server_underruns"] = round((now or late) - late)
    outcome.settings["figures"] = figures
    # How often it ran dry until the lead had grown is what `adapting` tells.
    for name in ("gaps", "jumps", "playhead_went_back", "reconnects", *([] if check == "adapting" else ["underruns"])):
        outcome.law(figures[name] == 0, f"{name}: {figures[name]}")
    outcome.law(figures["pieces"] > 5 * (seconds - 2), f"{figures['pieces']} pieces: chunks do not come one by one")
    if check == "steering":
        outcome.law(figures["changes_heard"] > 0, "no change was heard")
        outcome.law(figures["changes_failed"] == 0, f"changes that failed: {figures['changes_failed']}")
    return outcome


async def jitter(check: str, runtime: Runtime, server: Served, options: argparse.Namespace) -> Outcome:
    """The same through a proxy that is a bad network; with 1 s of lead, or with one that adapts."""
    words = (JITTER_LEAD_MS, "qoa") if check == "jitter" else (options.lead_ms, "qoa", "adapts")
    way = Way(delay=options.delay_ms / 1000, jitter=options.jitter_ms / 1000, loss=options.loss)
    async with Proxy(server.facts["web"].removeprefix("http://"), way, seed=3).running() as proxy:
        address, seconds = f"http://{proxy.address}", options.jitter_seconds
        outcome = await streamed(check, runtime, server, address, seconds, *words)
    outcome.settings |= {"delay_ms": options.delay_ms, "jitter_ms": options.jitter_ms, "loss": options.loss}
    return outcome


async def killed(runtime: Runtime, options: argparse.Namespace) -> Outcome:
    """Law: it is never silent, nothing is missing when the music is back, and neither seam clicks."""
    outcome = Outcome("killed", {"runtime": runtime.name, "lead_ms": options.lead_ms, "down_s": options.down})
    with tempfile.TemporaryDirectory(prefix="segue-unity-") as folder:
        baked = bake(Path(folder))
        wav, log = Path(folder) / "heard.wav", Path(folder) / "log.jsonl"
        keys = {"resume_keys": [secrets.token_hex(32)], "web_port": free_port(), "drain_ms": 0}
        wish = Serve(Path(folder) / "little.soundtrack.yaml", slots=SLOTS, settings=keys)
        times: list[tuple[float, float]] = []
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(serving(wish, console.print))
            words = (f"baked={baked}", f"wav={wav}", f"log={log}")
            limit = 60.0 + options.rounds * (options.down + BACK_SECONDS * 2)
            client = await stack.enter_async_context(
                listening(runtime, server.facts["web"], "little", limit, options.lead_ms, ("explore",), *words)
            )
            for number in range(options.rounds):
                await until_playing(log, number)
                await progress(f"round {number + 1} of {options.rounds}", BEFORE_SECONDS)
                at = time.time()
                server.kill()
                await asyncio.sleep(options.down)
                server = await stack.enter_async_context(serving(wish, console.print))
                times.append((at, time.time()))
            await until_playing(log, options.rounds)
            await asyncio.sleep(AFTER_SECONDS)
            figures = await client.end()
        outcome.notes += figures.pop("said")
        heard, _ = soundfile.read(wav, dtype="float64", always_2d=True)
        judge(outcome, figures, read_log(log), times, heard, baked)
    outcome.settings["figures"] = figures
    return outcome


def judge(
    outcome: Outcome,
    figures: Mapping[str, Any],
    log: Log,
    times: list[tuple[float, float]],
    heard: Any,
    baked: Path,
) -> None:
    """A row for every round, and the laws. times: when the server was killed, and ready again."""
    dry = log.gone_dry()
    outcome.law(len(dry) == len(times), f"it ran dry {len(dry)} times in {len(times)} rounds")
    for number, ((at, ready), (away, again)) in enumerate(zip(times, dry, strict=False), start=1):
        if again is None:
            outcome.law(False, f"round {number}: the music did not come back")
            continue
        row: dict[str, Any] = {"round": number, "dry_after_kill_ms": round(1000 * (log.wall(away.frame) - at))}
        row["music_after_ready_ms"] = round(1000 * (log.wall(again.frame) - ready))
        row |= measured(heard, away, again, read_loop(baked, away.state or "explore"))
        row["timeline_ms"] = round((again.before - away.after) / 48, 1)
        outcome.rows.append(row)
        outcome.law(row["silence_ms"] < 1, f"round {number}: {row['silence_ms']} ms of silence")
        outcome.law(row["loop_whole_after_ms"] is not None, f"round {number}: the loop was never heard alone")
        outcome.law(row["timeline_ms"] == 0, f"round {number}: the timeline moved by {row['timeline_ms']} ms")
        for seam in ("out", "in"):
            limit = max(CLICK, row[f"rough_usual_{seam}"])
            outcome.law(row[f"rough_{seam}"] <= limit, f"round {number}: a click, {row[f'rough_{seam}']} ({seam})")
    outcome.law(figures["resumes"] == len(times), f"resumes: {figures['resumes']}")
    for name in ("gaps", "jumps", "playhead_went_back", "playhead_strayed"):
        outcome.law(figures[name] == 0, f"{name}: {figures[name]}")


def bake(folder: Path) -> Path:
    """A soundtrack of one state in `folder`, and its baked folder. Raises BenchError."""
    soundtrack, baked = folder / "little.soundtrack.yaml", folder / "baked"
    soundtrack.write_text(LITTLE, encoding="utf-8")
    console.print(" baking a loop …")
    command = [sys.executable, "-m", "segue_service", "bake", str(soundtrack), "--out", str(baked), "--seconds", "8"]
    done = subprocess.run(
        [*command, "--format", "wav", "--slots", str(SLOTS)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchError(f"segue bake: {(done.stderr or done.stdout).strip()}")
    return baked


async def until_playing(log: Path, times_dry: int) -> None:
    """Wait for the music, after it has run dry so often. Raises BenchError."""
    deadline = time.monotonic() + BACK_SECONDS
    while True:
        found = read_log(log)
        dry = found.gone_dry()
        if times_dry == 0 and any(change.mode == "Playing" for change in found.changes):
            return
        if times_dry and len(dry) >= times_dry and dry[-1][1] is not None:
            return
        if time.monotonic() > deadline:
            raise BenchError(f"no music within {BACK_SECONDS:.0f} s; the client's log: {found.changes[-3:]}")
        await asyncio.sleep(0.05)


def free_port() -> int:
    """A port that the servers, one after the other, can have."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


async def run(runtime: Runtime, options: argparse.Namespace) -> int:
    """The checks asked for; gives the exit code. Raises BenchError."""
    wanted = options.checks or CHECKS
    outcomes: list[Outcome] = []
    facts: dict[str, Any] = {}
    for check in wanted:
        if check == "killed":
            outcomes.append(await killed(runtime, options))
        else:
            async with serving(Serve(EXAMPLE, slots=SLOTS), console.print) as server:
                facts = {"model": server.facts["model"], "device": server.facts["device"]}
                if check in ("jitter", "adapting"):
                    outcome = await jitter(check, runtime, server, options)
                else:
                    steers = check == "steering"
                    seconds = options.steering_seconds if steers else options.seconds
                    lead = STEERING_LEAD_MS if steers else options.lead_ms
                    outcome = await streamed(check, runtime, server, server.facts["web"], seconds, lead)
                outcomes.append(outcome)
        show_figures(outcomes[-1])
    write(options.json, facts or {"model": "starter", "device": "cpu"}, outcomes)
    console.print(f" wrote {options.json}", markup=False)
    return 1 if any(outcome.broken for outcome in outcomes) else 0


def main() -> None:
    parser = arguments()
    options = parser.parse_args()
    for check in options.checks:
        if check not in CHECKS:
            parser.error(f"CHECK: expected one of {', '.join(CHECKS)}, got {check!r}")
    try:
        sys.exit(asyncio.run(run(runtime(options.runtime), options)))
    except KeyboardInterrupt:
        console.print("\nunity.py: interrupted")
        sys.exit(130)
    except (BenchError, TimeoutError, OSError) as error:
        console.print(f"unity.py: {error}", markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
