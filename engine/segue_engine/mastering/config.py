# SPDX-License-Identifier: Apache-2.0
"""Every number that mastering can be told, checked once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MasteringConfig:
    """Targets and ballistics of mastering. Raises ValueError naming the first field out of range."""

    loudness_lufs: float = -18.0
    """Integrated loudness that a session is brought to, before its styles' own gain."""
    assumed_lufs: float = -18.0
    """Loudness of the codec's raw output until it has been measured."""
    assumed_weight_s: float = 2.0
    """How many seconds of measurement the assumption is worth at the start; it is forgotten within a minute."""
    memory_s: float = 180.0
    """Time constant with which the loudness measurement forgets."""
    max_gain_db: float = 12.0
    """Bound of the rider, both ways."""
    dead_band_db: float = 0.5
    """The rider begins to move when it is off by more than this, and rests again within a quarter of it."""
    early_rate_db_s: float = 1.0
    """Fastest move of the rider at a session's start."""
    late_rate_db_s: float = 0.15
    """Fastest move of the rider later on."""
    settle_s: float = 15.0
    """Time constant, in seconds of music heard, from the early to the late rate."""
    release_ms: float = 120.0
    """Time constant of the limiter's release (of its gain reduction in dB)."""
    silence_dbfs: float = -66.0
    """A frame whose level is below this counts as silent."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("loudness_lufs", -40.0, -6.0),
            ("assumed_lufs", -60.0, 0.0),
            ("assumed_weight_s", 0.1, 60.0),
            ("memory_s", 10.0, 3600.0),
            ("max_gain_db", 0.0, 24.0),
            ("dead_band_db", 0.0, 3.0),
            ("early_rate_db_s", 0.01, 6.0),
            ("late_rate_db_s", 0.01, 6.0),
            ("settle_s", 1.0, 600.0),
            ("release_ms", 20.0, 2000.0),
            ("silence_dbfs", -120.0, -30.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name}: expected {low:g}..{high:g}, got {value}")
