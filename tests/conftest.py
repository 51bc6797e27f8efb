# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: a busy machine is no failure, so hypothesis asks for no speed."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("segue", deadline=None)
settings.load_profile("segue")
