# SPDX-License-Identifier: Apache-2.0
"""What an engine's bits depend on beside its inputs: build, compiler, device and sizes, as words to compare."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Final

import jax
import jaxlib.version

import segue_engine
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.contract import EngineInfo

_SETTINGS: Final = (
    "jax_default_matmul_precision",
    "jax_disable_most_optimizations",
    "jax_enable_x64",
    "jax_threefry_partitionable",
)
"""Of jax, those that change programs."""


def provenance(info: EngineInfo, config: SlotEngineConfig, devices: Sequence[jax.Device]) -> dict[str, str]:
    """By name; the same for all engines that make the same bits of the same records."""
    device = devices[0]
    found = {
        "model": info.version,
        "engine": _sources(),
        "device": info.device,
        "jax": f"{jax.__version__}, jaxlib {jaxlib.version.__version__}",
        "compiler": " ".join(str(device.client.platform_version).split()),
        "settings": ", ".join(f"{name}={jax.config.values.get(name)}" for name in _SETTINGS),
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
        "sizes": ", ".join(f"{name}={value}" for name, value in asdict(config).items()),
    }
    if device.platform == "cpu":  # XLA compiles for this very processor, and spreads over its cores
        found["processor"] = _processor()
        found["cores"] = f"{os.cpu_count()}, {len(jax.devices('cpu'))} devices"
    return found


@cache
def _sources() -> str:
    """A short hash of the engine's source files: a version number stands still while they change."""
    root = Path(segue_engine.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def _processor() -> str:
    """Its name, and a short hash of what it can do."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return name
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = facts.get("model name", name)
    flags = facts.get("flags", facts.get("Features", ""))
    return f"{name} ({hashlib.sha256(flags.encode()).hexdigest()[:8]})"
