# SPDX-License-Identifier: Apache-2.0
"""The tenants file: who may create sessions, by which keys, and how much each may have."""

from __future__ import annotations

import fnmatch
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from segue_service.errors import token_expired, token_wrong
from segue_service.security.keys import KEY_ID, digest_of_key, id_of
from segue_service.soundtrack.diagnostics import SoundtrackError
from segue_service.soundtrack.document import read_yaml

TENANT: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


def _moment(raw: object) -> object:
    """A date without a time is its beginning, UTC."""
    if isinstance(raw, str) and len(raw) == len("2027-01-31"):
        return f"{raw}T00:00:00Z"
    return raw


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quotas(_Part):
    """How much a tenant may have. None: as much as the server has."""

    sessions: int | None = Field(None, ge=0)
    """At once."""
    creations_per_minute: float | None = Field(None, gt=0, le=1e6)
    controls_per_second: float | None = Field(None, gt=0, le=1e6)
    """Of each session."""
    listeners_per_session: int | None = Field(None, ge=0)
    listeners: int | None = Field(None, ge=0)
    """Of all its sessions together."""
    lead_ms: int | None = Field(None, ge=100, le=60_000)
    """Largest lead."""
    soundtracks: tuple[str, ...] = ("*",)
    """Names that it may use and upload, with * and ?. What else there is it does not see."""
    uploads: int = Field(0, ge=0)
    """Soundtracks of its own that the server keeps, each version one."""
    upload_bytes: int = Field(1 << 20, ge=0)
    """Bytes of all these together."""
    texts_per_minute: float = Field(30.0, gt=0, le=1e6)
    """Texts that it may have checked, kept or embedded."""


class ApiKey(_Part):
    """What is kept of a key."""

    id: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    expires: Annotated[AwareDatetime, BeforeValidator(_moment)] | None = None

    @field_validator("id")
    @classmethod
    def _is_public(cls, given: str) -> str:
        if not KEY_ID.fullmatch(given):
            raise ValueError('expected the id of a key, as "segue keys new" prints it, never the key')
        return given


class Tenant(_Part):
    """Somebody who may create sessions."""

    id: str = Field(pattern=f"^{TENANT}$")
    api_keys: tuple[ApiKey, ...] = ()
    quotas: Quotas = Quotas.model_validate({})

    def may_use(self, soundtrack: str) -> bool:
        """Whether it may use a soundtrack of this name."""
        return matches(soundtrack, self.quotas.soundtracks)


class _File(_Part):
    tenants: tuple[Tenant, ...] = Field(min_length=1, max_length=4096)


@dataclass(frozen=True, slots=True)
class TenantBook:
    """The tenants by id, and whose each key is."""

    tenants: Mapping[str, Tenant]
    keys: Mapping[str, tuple[Tenant, ApiKey]]

    def by_key(self, key: str) -> tuple[Tenant, str]:
        """Whose a key is, and its id. Raises Refused."""
        try:
            found = self.keys.get(id_of(key))
        except ValueError:
            found = None
        digest = digest_of_key(key)
        kept = found[1].sha256 if found is not None else "0" * 64
        if not hmac.compare_digest(kept, digest) or found is None:
            raise token_wrong("this server: it is no key of a tenant")
        tenant, held = found
        if held.expires is not None and held.expires.timestamp() <= time.time():
            raise token_expired(f"the API key {held.id}", held.expires.astimezone(UTC))
        return tenant, held.id


def read_tenants(text: str) -> TenantBook:
    """The text of a tenants file. Raises ValueError with the place and what was expected."""
    try:
        document = read_yaml(text, "tenants")
    except SoundtrackError as error:
        first = error.diagnostics[0]
        raise ValueError(f"line {first.line}: {first.message}") from None
    try:
        file = _File.model_validate(document.data, strict=False)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        place = document.place(wrong["loc"])
        where = ".".join(map(str, wrong["loc"])) or "file"
        raise ValueError(f"line {place.line}: {where}: {wrong['msg']}") from None
    tenants: dict[str, Tenant] = {}
    keys: dict[str, tuple[Tenant, ApiKey]] = {}
    for tenant in file.tenants:
        if tenant.id in tenants:
            raise ValueError(f'tenants: "{tenant.id}" is there twice')
        tenants[tenant.id] = tenant
        for key in tenant.api_keys:
            if key.id in keys:
                raise ValueError(f"tenants: the key {key.id} is there twice")
            keys[key.id] = (tenant, key)
    return TenantBook(tenants, keys)


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether any of the patterns is of this name, case and all."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def key_lines(key_id: str, sha256: str, expires: datetime | None) -> str:
    """A key as an entry of a tenant's `api_keys`."""
    until = "" if expires is None else f", expires: {expires:%Y-%m-%dT%H:%M:%SZ}"
    return f"      - {{ id: {key_id}, sha256: {sha256}{until} }}"
