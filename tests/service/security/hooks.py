# SPDX-License-Identifier: Apache-2.0
"""Prompt hooks as a studio might write them, well or badly. Loaded in a process of their own, by name."""

from __future__ import annotations

import os
import time


def judge(prompt: str, tenant: str) -> str | None:
    """Refuses, hangs, dies or fails, as the prompt says."""
    print("a hook may print", flush=True)
    if "hang" in prompt:
        time.sleep(600)
    if "die" in prompt:
        os._exit(3)
    if "raise" in prompt:
        raise RuntimeError("no idea")
    return f"{tenant or 'nobody'} may not play polka" if "polka" in prompt else None


not_a_function = 3
