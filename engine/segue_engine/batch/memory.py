# SPDX-License-Identifier: Apache-2.0
"""What a session takes of a device's memory: bytes of the arrays that a warmed-up engine holds, beside the formula.

A friend of the slot engine: it reads its private parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax

from segue_engine.batch.engine import SlotEngine
from segue_engine.batch.profile import StepParts
from segue_engine.frame_model import PyTree


@dataclass(frozen=True)
class Group:
    """One kind of a session's state. measured: bytes of its arrays over the rows of a bank. formula: text → bytes."""

    name: str
    measured: float
    formula: Mapping[str, int] = field(default_factory=dict)

    @property
    def expected(self) -> int | None:
        """Bytes by formula; None where there is none."""
        return sum(self.formula.values()) if self.formula else None


@dataclass(frozen=True)
class Memory:
    """Bytes of one session by group, and of weights and tables, which each device has once."""

    groups: tuple[Group, ...]
    weights: int
    rewind_frames: int

    @property
    def session(self) -> float:
        return sum(group.measured for group in self.groups)


def measure_memory(engine: SlotEngine, step_parts: StepParts | None) -> Memory:
    """Of an engine that is warmed up. Codec and mastering have no formula: what is measured goes into that of the
    copies kept for rewinding."""
    if not engine._banks:
        raise ValueError("engine: expected one that is warmed up")
    bank, config = engine._banks[0], engine.config
    live, kept = bank.state
    codec, mastering = (_bytes(tree) / bank.rows for tree in (live.carried.codec, live.carried.mastering))
    copies = (
        f"copies of codec and mastering: {config.kept} × ({codec:.0f} + {mastering:.0f}) bytes; "
        f"{config.kept} = {config.rewind_frames} rewind / {config.snapshot_interval}, rounded up, + 3"
    )
    rings = step_parts.ring_bytes(config.rewind_frames) if step_parts else {}
    groups = (
        Group("rings", _bytes(live.rings) / bank.rows, rings),
        Group("codec", codec),
        Group("mastering", mastering),
        Group("kept for rewinding", _bytes(kept) / bank.rows, {copies: round(config.kept * (codec + mastering))}),
    )
    return Memory(groups, _bytes(bank._params), config.rewind_frames)


def device_facts(engine: SlotEngine) -> dict[str, Any]:
    """The devices that the engine's banks are on, and what their backend says of its version and memory."""
    device = engine._devices[0]
    stats = device.memory_stats() or {}
    return {
        "platform": device.platform,
        "kind": device.device_kind,
        "count": len(engine._devices[: engine.config.banks]),
        "platform_version": str(device.client.platform_version),
        "memory_bytes": stats.get("bytes_limit"),
        "memory_in_use_bytes": stats.get("bytes_in_use"),
        "memory_peak_bytes": stats.get("peak_bytes_in_use"),
    }


def _bytes(tree: PyTree) -> int:
    return sum(_on_device(leaf) for leaf in jax.tree.leaves(tree))


def _on_device(leaf: jax.Array) -> int:
    return int(leaf.on_device_size_in_bytes())
