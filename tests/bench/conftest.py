# SPDX-License-Identifier: Apache-2.0
"""Makes what the benches share importable."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "bench"))
