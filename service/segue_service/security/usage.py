# SPDX-License-Identifier: Apache-2.0
"""What every tenant has taken of its quotas. Event loop only: a check and what it counts are one step."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from segue_service.errors import Refused, over_quota
from segue_service.security.buckets import Bucket
from segue_service.security.tenants import Quotas

_SOON_MS = 2_000
_MOST_BUCKETS = 8_192


@dataclass(slots=True)
class _Kept:
    """Bytes of a tenant's soundtracks, by name and version."""

    sizes: dict[tuple[str, int], int] = field(default_factory=dict)


class Usage:
    """Counts and rates by tenant; "" is nobody's and has no bounds. `quotas` says what a tenant may have now."""

    def __init__(self, quotas: Callable[[str], Quotas]) -> None:
        self._quotas = quotas
        self._sessions: Counter[str] = Counter()
        self._listeners: Counter[str] = Counter()
        self._creations: dict[str, Bucket] = {}
        self._texts: dict[str, Bucket] = {}
        self._kept: dict[str, _Kept] = {}
        self._last: dict[str, Quotas] = {}

    def sessions(self, tenant: str) -> int:
        """Sessions that hold a slot, or are about to."""
        return self._sessions[tenant]

    def claim_session(self, tenant: str) -> None:
        """One session more. Raises Refused, and counts nothing then."""
        if tenant:
            most = self._quotas(tenant).sessions
            if most is not None and self._sessions[tenant] >= most:
                raise over_quota(tenant, "sessions", f"{most} sessions at once, as many as it may", _SOON_MS)
            self._sessions[tenant] += 1

    def free_session(self, tenant: str) -> None:
        """One session less."""
        _drop(self._sessions, tenant)

    @contextmanager
    def listening(self, tenant: str, here: int) -> Iterator[None]:
        """One listener more for as long as the block runs, in a session that has `here` already. Raises Refused."""
        if not tenant:
            yield
            return
        quotas = self._running(tenant)
        if quotas.listeners_per_session is not None and here >= quotas.listeners_per_session:
            said = f"{quotas.listeners_per_session} listeners in a session, as many as it may"
            raise over_quota(tenant, "listeners_per_session", said, _SOON_MS)
        if quotas.listeners is not None and self._listeners[tenant] >= quotas.listeners:
            said = f"{quotas.listeners} listeners in all its sessions, as many as it may"
            raise over_quota(tenant, "listeners", said, _SOON_MS)
        self._listeners[tenant] += 1
        try:
            yield
        finally:
            _drop(self._listeners, tenant)

    def create(self, tenant: str) -> None:
        """One session is asked for. Raises Refused if they come too fast."""
        rate = self._quotas(tenant).creations_per_minute if tenant else None
        if rate is not None:
            self._take(self._creations, tenant, "creations_per_minute", rate / 60.0, rate / 4.0)

    def text(self, tenant: str) -> None:
        """One text is to be checked or embedded. Raises Refused if they come too fast."""
        if tenant:
            rate = self._quotas(tenant).texts_per_minute
            self._take(self._texts, tenant, "texts_per_minute", rate / 60.0, rate / 4.0)

    def control(self, tenant: str, bucket: Bucket) -> None:
        """One control of a session whose bucket this is. Raises Refused if they come too fast."""
        rate = self._running(tenant).controls_per_second if tenant else None
        if rate is not None:
            _taken(bucket, tenant, "controls_per_second", rate, 2.0 * rate)

    def lead(self, tenant: str) -> int | None:
        """The largest lead that a tenant's sessions may have, in ms."""
        return self._running(tenant).lead_ms if tenant else None

    def check_lead(self, tenant: str, lead_ms: int) -> None:
        """Raises Refused if a session may not have such a lead."""
        most = self.lead(tenant)
        if most is not None and lead_ms > most:
            raise over_quota(tenant, "lead_ms", f"target_lead_ms: expected at most {most}, got {lead_ms}")

    def check_upload(self, tenant: str, name: str, version: int, size: int) -> None:
        """Raises Refused if the server may not keep a text of so many bytes for a tenant."""
        if not tenant:
            return
        quotas = self._quotas(tenant)
        kept = self._kept.get(tenant, _Kept()).sizes
        others = [held for key, held in kept.items() if key != (name, version)]
        if len(others) + 1 > quotas.uploads:
            raise over_quota(tenant, "uploads", f"{quotas.uploads} soundtracks of its own, as many as it may")
        if sum(others) + size > quotas.upload_bytes:
            said = f"{sum(others) + size} bytes of soundtracks of its own; it may have {quotas.upload_bytes}"
            raise over_quota(tenant, "upload_bytes", said)

    def uploaded(self, tenant: str, name: str, version: int, size: int) -> None:
        """The server keeps a text of a tenant."""
        if tenant:
            self._kept.setdefault(tenant, _Kept()).sizes[name, version] = size

    def _running(self, tenant: str) -> Quotas:
        """Of a tenant that has a session. One that is in the file no more keeps what it had until its sessions end."""
        try:
            quotas = self._last[tenant] = self._quotas(tenant)
        except Refused:
            return self._last.get(tenant, Quotas.model_validate({}))
        return quotas

    def _take(self, buckets: dict[str, Bucket], tenant: str, quota: str, rate: float, burst: float) -> None:
        if tenant not in buckets and len(buckets) >= _MOST_BUCKETS:
            buckets.pop(next(iter(buckets)))  # the oldest: with so many tenants none of them is bounded for long
        _taken(buckets.setdefault(tenant, Bucket()), tenant, quota, rate, burst)


def _taken(bucket: Bucket, tenant: str, quota: str, rate: float, burst: float) -> None:
    wait = bucket.take(rate, burst)
    if wait > 0.0:
        shown = f"{60 * rate:g} a minute" if quota.endswith("minute") else f"{rate:g} a second"
        raise over_quota(tenant, quota, f"{shown}, and they come faster", math.ceil(1000 * wait))


def _drop(counts: Counter[str], tenant: str) -> None:
    if tenant:
        counts[tenant] -= 1
        if counts[tenant] <= 0:
            del counts[tenant]
