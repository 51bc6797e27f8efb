# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: a busy machine is no failure, and what a test makes of the log is undone after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

settings.register_profile("segue", deadline=None)
settings.load_profile("segue")


@pytest.fixture(autouse=True)
def _log_restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()
