# SPDX-License-Identifier: Apache-2.0
"""Makes this folder's support modules (`ss_*`) importable; shares what is dear to compile or to draw."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ss_tiny import Streamer, tiny_codec, tiny_encoder

from segue_engine.spectrostream import SpectroStreamEncoder


@pytest.fixture(scope="session")
def tiny() -> Streamer:
    """The tiny codec of the golden vectors in float32, with its programs."""
    return Streamer(tiny_codec())


@pytest.fixture(scope="session")
def encoder() -> SpectroStreamEncoder:
    return tiny_encoder()
