# SPDX-License-Identifier: Apache-2.0
"""Makes support modules importable (this folder's, and the plain model of `magenta_rt_2`); programs compile quickly."""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "magenta_rt_2")]


@pytest.fixture(scope="module", autouse=True)
def quick_compilation():
    """Compiling is nearly all of the time here, and `segue verify` itself runs what is served."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
