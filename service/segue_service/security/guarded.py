# SPDX-License-Identifier: Apache-2.0
"""All of a server's security in one place, as its settings ask for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from segue_service.config import Settings
from segue_service.observe.metrics import Metrics
from segue_service.security.access import Access
from segue_service.security.audit import Audit
from segue_service.security.grants import Grants
from segue_service.security.hook import Hook
from segue_service.security.jwt import read_jwks
from segue_service.security.prompt_filter import PromptFilter
from segue_service.security.tenants import read_tenants
from segue_service.security.usage import Usage
from segue_service.security.watched import WatchedFile, watch
from segue_service.security.word_list import read_words

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Security:
    """What handlers and sessions ask."""

    access: Access
    usage: Usage
    grants: Grants
    audit: Audit
    prompts: PromptFilter


@contextlib.asynccontextmanager
async def guarded(settings: Settings, keys: Sequence[bytes], metrics: Metrics) -> AsyncIterator[Security]:
    """The security of a server for as long as the block runs; files are read again when they change. keys: the resume
    keys. Raises FileError, HookError, OSError of the audit log."""
    tenants = _watched(settings.tenants_file, read_tenants, metrics)
    jwks = _watched(settings.jwks_file, read_jwks, metrics)
    words = _watched(settings.prompt_list, read_words, metrics)
    hook = None
    if settings.prompt_hook is not None:
        hook = Hook(settings.prompt_hook, settings.prompt_hook_ms / 1000, metrics)
    try:
        if hook is not None:
            await hook.start()
        audit = Audit(settings.audit_log, metrics)
        access = Access(
            *(tenants, jwks),
            issuer=settings.jwt_issuer or "",
            audience=settings.jwt_audience or "",
            leeway_s=settings.jwt_leeway_s,
        )
        watching = asyncio.get_running_loop().create_task(
            watch(*(file for file in (tenants, jwks, words) if file is not None))
        )
        try:
            yield Security(access, Usage(access.quotas), Grants(keys), audit, PromptFilter(words, hook))
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await asyncio.to_thread(audit.close)
    finally:
        if hook is not None:
            await hook.close()


def check_files(settings: Settings) -> None:
    """Raises FileError if a file of tenants, keys or words can't be used."""
    metrics = Metrics()
    _watched(settings.tenants_file, read_tenants, metrics)
    _watched(settings.jwks_file, read_jwks, metrics)
    _watched(settings.prompt_list, read_words, metrics)


def _watched(path: Path | None, read: Callable[[str], T], metrics: Metrics) -> WatchedFile[T] | None:
    return None if path is None else WatchedFile(path, read, metrics)
