# SPDX-License-Identifier: Apache-2.0
"""Several sessions on one server, each steered on its own: does one hear another's steering?

All sessions have the same seed and soundtrack. Half of them get an event right after their first audio. What is heard
before a session's `audible_at_sample` must be what the first session plays, which gets none, up to 3 of 32,768: equal
seeds are equal bit for bit in one row and program only. What comes after must differ. A model that is slower than real
time just takes longer.

    segue serve examples/dungeon --model mrt2_small_noise --announce ready.json &
    python bench/crosstalk.py --address localhost:7470 --sessions 4 --seconds 2
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import segue

TOLERANCE = 3


async def read(session: segue.aio.Session, samples: int, begun: asyncio.Event) -> NDArray[np.int16]:
    """Audio of a session from its first sample on."""
    blocks: list[NDArray[np.int16]] = []
    count = 0
    async for block in session.audio():
        blocks.append(block.pcm)
        count += len(block.pcm)
        begun.set()
        if count >= samples:
            break
    return np.concatenate(blocks)[:samples]


async def run(address: str, count: int, seconds: float, soundtrack: str, event: str) -> dict[str, object]:
    samples = round(seconds * 48_000)
    async with segue.aio.connect(address, timeout=600) as music:
        info = await music.info()
        sessions = [await music.play(soundtrack, seed=7, lead_ms=1000) for _ in range(count)]
        begun = [asyncio.Event() for _ in sessions]
        started = time.monotonic()
        readers = [asyncio.create_task(read(one, samples, event)) for one, event in zip(sessions, begun, strict=True)]
        await asyncio.gather(*(one.wait() for one in begun))
        audible: list[int | None] = [None] * count
        for i in range(1, count, 2):
            audible[i] = (await sessions[i].post(event)).audible_at_sample
        heard = await asyncio.gather(*readers)
        spent = time.monotonic() - started
        for session in sessions:
            await session.close()
    plain = heard[0]
    rows: list[dict[str, Any]] = []
    for i, (pcm, at) in enumerate(zip(heard, audible, strict=True)):
        end = samples if at is None else min(at, samples)
        apart = np.abs(pcm[:end].astype(np.int32) - plain[:end]).max(initial=0)
        after = None if at is None or at >= samples else bool((pcm[at:] != plain[at:]).any())
        rows.append({"session": i, "steered_at": at, "difference_before": int(apart), "differs_after": after})
    fine = all(row["difference_before"] <= TOLERANCE and row["differs_after"] is not False for row in rows)
    return {"model": info.model.version, "real_time_factor": round(seconds / spent, 3), "sessions": rows, "fine": fine}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="localhost:7470")
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--soundtrack", default="dungeon")
    parser.add_argument("--event", default="enemy_spotted")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = asyncio.run(run(options.address, options.sessions, options.seconds, options.soundtrack, options.event))
    print(json.dumps(result, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    raise SystemExit(0 if result["fine"] else 1)


if __name__ == "__main__":
    main()
