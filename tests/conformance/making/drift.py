# SPDX-License-Identifier: Apache-2.0
"""drift.json: how fast to play, by how much audio is there; the rules are those of `segue.lead`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from segue.lead import LeadHolder, playback_rate


def make() -> dict[str, Any]:
    """The file."""
    pairs = [(0.3, 0.3), (0.305, 0.3), (0.31, 0.3), (0.32, 0.3), (0.28, 0.3), (0.25, 0.3), (0.0, 0.3), (5.0, 0.3)]
    rates = [{"reserve": r, "target": t, "rate": playback_rate(r, t)} for r, t in pairs]
    return {"rates": rates, "runs": list(_runs())}


def _runs() -> Iterator[dict[str, Any]]:
    steady = [(0.25 * n, 0.3) for n in range(60)]
    yield _run("a reserve that stays", steady, None)
    shrinking = [(0.25 * n, 0.3 - 0.001 * n) for n in range(120)]
    yield _run("a server that is slower than the sound card", shrinking, None)
    growing = [(0.25 * n, 0.3 + (0.002 * n if n > 60 else 0)) for n in range(120)]
    yield _run("a server that is faster", growing, None)
    jitter = [(0.02 * n, 0.3 + 0.04 * ((n * 7) % 5 - 2) / 2) for n in range(700)]
    yield _run("chunks that come unevenly", jitter, None, every=50)
    taken = [(0.25 * n, 1.0 if n < 60 else min(1.0, 0.2 + 0.02 * (n - 60))) for n in range(140)]
    yield _run("a take: the server makes up for what is missing", taken, 60)
    lasting = [(0.25 * n, 1.0 if n < 60 else 0.4) for n in range(160)]
    yield _run("a take after which the reserve stays small: 12 s later it counts", lasting, 60)


def _run(case: str, steps: list[tuple[float, float]], replaced_at: int | None, every: int = 5) -> dict[str, Any]:
    """Every step is to be taken; expected values are given at some of them."""
    holder, told = LeadHolder(), []
    for number, (now, reserve) in enumerate(steps):
        step: dict[str, Any] = {"now": round(now, 9), "reserve": round(reserve, 9)}
        if number == replaced_at:
            holder.replaced(step["now"])
            step["replaced"] = True
        rate = holder.rate(step["reserve"], step["now"])
        if number % every == 0 or number == len(steps) - 1:
            step["expect"] = {"rate": round(rate, 9), "average": round(holder.average, 9), "target": _of(holder.target)}
        told.append(step)
    return {"case": case, "tolerance": 1e-6, "steps": told}


def _of(target: float | None) -> float | None:
    return None if target is None else round(target, 9)
