# SPDX-License-Identifier: Apache-2.0
"""The process in which a prompt hook runs: a JSON list [prompt, tenant] a line in, a JSON answer a line out.

`python -m segue_service.security.hook_worker MODULE:FUNCTION`. What the hook prints goes to stderr.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable


def hook_of(entry: str) -> Callable[[str, str], object]:
    """The function of "module:function". Raises ImportError, AttributeError, TypeError, ValueError."""
    module, colon, name = entry.partition(":")
    if not (colon and module and name):
        raise ValueError('expected "module:function"')
    found = getattr(importlib.import_module(module), name)
    if not callable(found):
        raise TypeError(f"{entry} is no function")
    hook: Callable[[str, str], object] = found
    return hook


def main() -> None:
    """Answer until stdin ends."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        try:
            hook = hook_of(sys.argv[1])
        except Exception as error:
            answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
            return
        answers.write(json.dumps({"ready": True}) + "\n")
        answers.flush()
        for line in sys.stdin.buffer:
            prompt, tenant = json.loads(line)
            try:
                said = hook(prompt, tenant)
                reason = None if said is None or said is True else str(said or "not allowed")
                answer = {"reason": reason}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
