# SPDX-License-Identifier: Apache-2.0
"""Which prompts are allowed: by a list of words, then by a hook. Each refusal names the prompt and the reason."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from google.rpc import code_pb2

from segue.v1 import errors_pb2
from segue_service.errors import Refused, prompt_refused, retry
from segue_service.security.hook import Hook, HookError
from segue_service.security.watched import WatchedFile
from segue_service.security.word_list import WordList
from segue_service.soundtrack import Soundtrack

_REMEMBERED: Final = 8_192
Named = tuple[str, str]
"""Where a prompt is, as a field or a path, and its text."""


class PromptFilter:
    """A server's. Event loop only; texts are compared on a thread, verdicts are remembered until the list changes."""

    def __init__(self, words: WatchedFile[WordList] | None = None, hook: Hook | None = None) -> None:
        self._words, self._hook = words, hook
        self._verdicts: OrderedDict[tuple[int, str, str], str | None] = OrderedDict()

    async def check(self, prompts: Iterable[Named], tenant: str) -> None:
        """Raises Refused at the first prompt that is not allowed, or that nobody could judge."""
        if self._words is None and self._hook is None:
            return
        for field, text in prompts:
            reason = await self._reason(text, tenant)
            if reason is not None:
                raise prompt_refused(field, text, reason)

    async def close(self) -> None:
        """End the hook's process."""
        if self._hook is not None:
            await self._hook.close()

    async def _reason(self, text: str, tenant: str) -> str | None:
        key = (0 if self._words is None else self._words.revision, tenant, text)
        if key in self._verdicts:
            self._verdicts.move_to_end(key)
            return self._verdicts[key]
        reason = None
        if self._words is not None:
            found = await asyncio.to_thread(self._words.value.find, text)
            reason = None if found is None else f'it holds "{found}"'
        if reason is None and self._hook is not None:
            try:
                reason = await self._hook.ask(text, tenant)
            except HookError as error:
                unjudged = (code_pb2.UNAVAILABLE, errors_pb2.ERROR_REASON_PROMPT_REFUSED, str(error))
                raise Refused(*unjudged, retry(1_000)) from None
        self._verdicts[key] = reason
        while len(self._verdicts) > _REMEMBERED:
            self._verdicts.popitem(last=False)
        return reason


def prompts_of(soundtrack: Soundtrack) -> list[Named]:
    """The text prompts of a soundtrack, each by its path."""
    return [
        (f"styles.{name}.prompts[{place}]", prompt.text)
        for name, style in soundtrack.styles.items()
        for place, prompt in enumerate(style.prompts)
        if prompt.text is not None
    ]
