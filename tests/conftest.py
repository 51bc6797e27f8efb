# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: a busy machine is no failure, what a test makes of the log is undone after it, and a tool
that is missing is said loudly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest
import structlog
from hypothesis import settings

settings.register_profile("segue", deadline=None)
settings.load_profile("segue")


@pytest.fixture(autouse=True)
def _log_restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def missing() -> Callable[[str, str], NoReturn]:
    """missing(what, how to get it): ends a test that can't check anything without it, as skipped.

    With TESTS_NEED_TOOLS=1, as in .ci/run, as failed: what installs its tools must not be green without them.
    """

    def tell(what: str, how: str) -> NoReturn:
        said = f"NOT CHECKED, {what} is not here: {how}"
        if os.environ.get("TESTS_NEED_TOOLS") == "1":
            pytest.fail(said, pytrace=False)
        pytest.skip(said)

    return tell
