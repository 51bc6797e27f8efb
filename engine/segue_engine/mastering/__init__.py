# SPDX-License-Identifier: Apache-2.0
"""Mastering: loudness, true-peak limiter, liveness guard; batched, on device. `measure` is its offline counterpart.

The names here are loaded on first use, so that `segue_engine.mastering.measure` can be imported without jax.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue_engine.mastering.config import MasteringConfig as MasteringConfig
    from segue_engine.mastering.master import METRICS as METRICS
    from segue_engine.mastering.master import Mastering as Mastering
    from segue_engine.mastering.master import MasteringState as MasteringState

__all__ = ["METRICS", "Mastering", "MasteringConfig", "MasteringState"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "config" if name == "MasteringConfig" else "master"
    return getattr(import_module(f"{__name__}.{home}"), name)
