# SPDX-License-Identifier: Apache-2.0
"""Whose call it is: an API key or a JWT → a tenant."""

from __future__ import annotations

from dataclasses import dataclass

from segue_service.errors import token_missing, token_wrong
from segue_service.security.jwt import Claims, KeySet, claims_of
from segue_service.security.keys import PREFIX
from segue_service.security.tenants import Quotas, Tenant, TenantBook, matches
from segue_service.security.watched import WatchedFile

_FREE = Quotas.model_validate({"uploads": 1 << 30, "upload_bytes": 1 << 40, "texts_per_minute": 1e6})
_ANYBODY = Tenant.model_construct(id="", api_keys=(), quotas=_FREE)


@dataclass(frozen=True, slots=True)
class Identity:
    """A tenant, what it has shown (for the audit log; no secret), and what that limits it to."""

    tenant: Tenant
    key_id: str = ""
    soundtracks: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """Id of the tenant; empty where the server has none."""
        return self.tenant.id

    def may_use(self, soundtrack: str) -> bool:
        """Whether it may use a soundtrack of this name."""
        return self.tenant.may_use(soundtrack) and (self.soundtracks is None or matches(soundtrack, self.soundtracks))


ANYBODY = Identity(_ANYBODY)
"""Whoever calls a server that has no tenants, and its operator."""


class Access:
    """The tenants of a server, by file. With neither file everybody is let in: such a server is for one machine, or
    for a network that is closed."""

    def __init__(
        self,
        tenants: WatchedFile[TenantBook] | None = None,
        keys: WatchedFile[KeySet] | None = None,
        *,
        issuer: str = "",
        audience: str = "",
        leeway_s: float = 0.0,
    ) -> None:
        self._tenants, self._keys = tenants, keys
        self._issuer, self._audience, self._leeway = issuer, audience, leeway_s

    @property
    def is_open(self) -> bool:
        """Whether nobody has to say who he is."""
        return self._tenants is None and self._keys is None

    def identify(self, token: str | None) -> Identity:
        """Who has this API key or JWT. Raises Refused."""
        if self.is_open:
            return ANYBODY
        if token is None:
            raise token_missing("an API key or a JWT of a tenant")
        if token.startswith(PREFIX):
            if self._tenants is None:
                raise token_wrong("this server: it takes JWTs, no API keys")
            tenant, key_id = self._tenants.value.by_key(token)
            return Identity(tenant, key_id)
        if self._keys is None:
            raise token_wrong("this server: expected an API key of a tenant")
        claims = claims_of(token, self._keys.value, self._issuer, self._audience, self._leeway)
        return Identity(self._tenant(claims), claims.key_id, claims.soundtracks)

    def quotas(self, tenant: str) -> Quotas:
        """What a tenant may have now. Raises Refused if there is no such tenant any more."""
        if self.is_open or not tenant:
            return _FREE
        if self._tenants is None:
            return Tenant(id=tenant).quotas
        found = self._tenants.value.tenants.get(tenant)
        if found is None:
            raise token_wrong(f'this server: it has no tenant "{tenant}" any more')
        return found.quotas

    def _tenant(self, claims: Claims) -> Tenant:
        if self._tenants is None:
            return Tenant(id=claims.tenant)
        found = self._tenants.value.tenants.get(claims.tenant)
        if found is None:
            raise token_wrong(f'this server: it has no tenant "{claims.tenant}"')
        return found
