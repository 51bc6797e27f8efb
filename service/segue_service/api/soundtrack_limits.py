# SPDX-License-Identifier: Apache-2.0
"""How large a soundtrack from outside may be: what costs the server time beyond the bytes of its text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from google.rpc import code_pb2

from segue.v1 import errors_pb2
from segue_service.config import Settings
from segue_service.errors import Refused, too_large
from segue_service.session.parts import Parts
from segue_service.soundtrack import Soundtrack


async def parsed(size: int, parse: Callable[[], Soundtrack], parts: Parts) -> Soundtrack:
    """What a text of so many bytes says, read off the event loop. Raises Refused TOO_LARGE, and what `parse` raises."""
    if size > parts.settings.max_soundtrack_bytes:
        raise too_large("text", size, parts.settings.max_soundtrack_bytes)
    soundtrack = await asyncio.get_running_loop().run_in_executor(parts.slow, parse)
    check_size(soundtrack, parts.settings)
    return soundtrack


def check_size(soundtrack: Soundtrack, settings: Settings) -> None:
    """Raises Refused TOO_LARGE. Each prompt is embedded; each way from state to state is compared with others."""
    _at_most("prompts", prompts(soundtrack), settings.max_soundtrack_prompts)
    _at_most("ways from state to state", ways(soundtrack), settings.max_soundtrack_ways)


def prompts(soundtrack: Soundtrack) -> int:
    """Prompts of all styles."""
    return sum(len(style.prompts) for style in soundtrack.styles.values())


def ways(soundtrack: Soundtrack) -> int:
    """Transitions times the states that each may leave."""
    states = len(soundtrack.states)
    return sum(states if transition.from_any else len(transition.source) for transition in soundtrack.transitions)


def _at_most(what: str, count: int, most: int) -> None:
    if count > most:
        message = f"text: expected a soundtrack with at most {most} {what}, got {count}"
        raise Refused(code_pb2.RESOURCE_EXHAUSTED, errors_pb2.ERROR_REASON_TOO_LARGE, message)
