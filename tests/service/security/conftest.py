# SPDX-License-Identifier: Apache-2.0
"""Tenants with keys, issuers of JWTs, and a rig that is told of both."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from segue_service.security.keys import NewKey, new_key

ISSUER, AUDIENCE = "https://login.example", "segue"


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


@dataclass
class Tenants:
    """A tenants file that grows as tenants are asked for."""

    path: Path
    entries: dict[str, tuple[NewKey, str]] = field(default_factory=dict)

    def add(self, name: str, **quotas: Any) -> tuple[tuple[str, str], ...]:
        """Metadata of a new tenant."""
        key = self.entries[name][0] if name in self.entries else new_key()
        self.entries[name] = (key, json.dumps(quotas))
        self.write()
        return bearer(key.key)

    def remove(self, name: str) -> None:
        del self.entries[name]
        self.write()

    def write(self) -> None:
        lines = [
            f"  - {{ id: {name}, api_keys: [{{ id: {key.id}, sha256: {key.sha256} }}], quotas: {quotas} }}"
            for name, (key, quotas) in self.entries.items()
        ]
        self.path.write_text("tenants:\n" + "\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def tenants(tmp_path: Path) -> Tenants:
    return Tenants(tmp_path / "tenants.yaml")


@dataclass
class Issuer:
    """Somebody who signs JWTs, by an RSA and an Ed25519 key."""

    rsa: Any
    ed: Any

    def jwk(self, kid: str) -> dict[str, Any]:
        made: Any = (RSAAlgorithm if kid == "rsa" else OKPAlgorithm).to_jwk(
            (self.rsa if kid == "rsa" else self.ed).public_key(), as_dict=True
        )
        return {**made, "kid": kid}

    def jwks(self) -> str:
        return json.dumps({"keys": [self.jwk("rsa"), self.jwk("ed")]})

    def token(self, kid: str = "ed", header: dict[str, Any] | None = None, **claims: Any) -> str:
        payload = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 600, "tenant": "studio", **claims}
        payload = {key: value for key, value in payload.items() if value is not None}
        key, algorithm = (self.rsa, "RS256") if kid == "rsa" else (self.ed, "EdDSA")
        return jwt.encode(payload, key, algorithm, headers={"kid": kid, **(header or {})})


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer(generate_private_key(65_537, 2048), Ed25519PrivateKey.generate())
