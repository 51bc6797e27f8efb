# SPDX-License-Identifier: Apache-2.0
"""Checks of Magenta RT 1 vectors, by the first word of their names; the last one is the tag of a model."""

from __future__ import annotations

from typing import Final

from segue_engine.verify.checks import Check
from segue_engine.verify.mrt1 import archive, core, end_to_end, misc, scripted
from segue_engine.verify.mrt1.settings import parity

CHECKS: Final = (
    Check("misc_*.npz", misc.plan, parity),
    Check("core_*_bf16.npz", core.plan_bfloat16, parity),
    Check("core_*.npz", core.plan_float32, parity),
    Check("t5x_checkpoint_*", archive.plan, parity),
    Check("system_scripted_*.npz", scripted.plan, parity),
    Check("system_e2e_*.npz", end_to_end.plan, parity),
)
