# SPDX-License-Identifier: Apache-2.0
"""What can be fuzzed, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from fuzzing import target_audio, target_resume, target_rpc, target_soundtrack, target_web
from fuzzing.cases import Case
from fuzzing.chance import Chance
from fuzzing.subject import Subject


@dataclass(frozen=True, slots=True)
class Target:
    """draw: the input of a number; the same for the same luck, subject and number. send: what goes wrong with it, as a
    sentence that says nothing of numbers that change, or None. prepare: what takes a while, before it begins."""

    name: str
    draw: Callable[[Chance, Subject, int], Case]
    send: Callable[[Case, Subject], Awaitable[str | None]]
    prepare: Callable[[], object] = tuple


TARGETS: Final[Mapping[str, Target]] = {
    module.NAME: Target(module.NAME, module.draw, module.send, getattr(module, "prepare", tuple))
    for module in (target_rpc, target_web, target_soundtrack, target_resume, target_audio)
}
