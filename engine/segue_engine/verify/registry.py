# SPDX-License-Identifier: Apache-2.0
"""Every check there is: one family per published model, one module per kind of file."""

from __future__ import annotations

from typing import Final

from segue_engine.verify import mrt1, mrt2
from segue_engine.verify.checks import Check

CHECKS: Final[tuple[Check, ...]] = (*mrt2.CHECKS, *mrt1.CHECKS)
"""The first whose pattern matches a file's name is used."""
