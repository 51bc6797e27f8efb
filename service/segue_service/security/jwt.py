# SPDX-License-Identifier: Apache-2.0
"""JSON Web Tokens of tenants: RS256 and EdDSA, by the public keys of a JWKS file (RFC 7515, 7517, 7519, 8037).

A key says by its own type which algorithm it is for; what the token's header says only has to agree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from segue_service.errors import Refused, token_expired, token_wrong
from segue_service.security.tenants import TENANT

MOST_CHARACTERS: Final = 8_192
_LEAST_RSA_BITS: Final = 2048
_MOST_KEYS: Final = 64
_TENANT: Final = re.compile(TENANT, re.ASCII)
_SECRET_PARTS: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: whose it is, and what it is limited to (None: to nothing)."""

    tenant: str
    key_id: str
    soundtracks: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class KeySet:
    """Public keys by `kid`, each with its one algorithm."""

    keys: Mapping[str, tuple[jwt.PyJWK, str]]


def read_jwks(text: str) -> KeySet:
    """The text of a JWKS file. Raises ValueError; a set with a private or a symmetric key is refused as a whole."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is not JSON: {error}") from None
    listed = data.get("keys") if isinstance(data, dict) else None
    if not isinstance(listed, list) or not 1 <= len(listed) <= _MOST_KEYS:
        raise ValueError(f'expected {{"keys": [1 to {_MOST_KEYS} public keys]}}')
    keys: dict[str, tuple[jwt.PyJWK, str]] = {}
    for place, item in enumerate(listed):
        if not isinstance(item, dict):
            raise ValueError(f"keys[{place}]: expected a JWK")
        kid = item.get("kid") or ("" if len(listed) == 1 else None)
        if not isinstance(kid, str) or len(kid) > 128:
            raise ValueError(f"keys[{place}].kid: expected a name of at most 128 characters, since there are several")
        if kid in keys:
            raise ValueError(f'keys[{place}].kid: "{kid}" is there twice')
        keys[kid] = _public(f"keys[{place}]", item)
    return KeySet(keys)


def claims_of(token: str, keys: KeySet, issuer: str, audience: str, leeway_s: float) -> Claims:
    """What a token says once its signature, issuer, audience and time have been checked. Raises Refused."""
    if len(token) > MOST_CHARACTERS:
        raise token_wrong(f"this server: a JWT has at most {MOST_CHARACTERS} characters")
    try:
        header = jwt.get_unverified_header(token)
        kid = header.get("kid", "")
        found = keys.keys.get(kid) if kid or len(keys.keys) > 1 else next(iter(keys.keys.values()))
        if found is None:
            raise token_wrong("this server: the JWT's kid is none of its keys")
        key, algorithm = found
        payload = jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
            leeway=leeway_s,
            options={"require": ["exp", "iss", "aud"]},
        )
    except jwt.ExpiredSignatureError:
        raise token_expired("the JWT", _expiry(token)) from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise token_wrong(f"this server: the JWT is refused ({_said(error)})") from None
    return _claims(payload, kid)


def _public(where: str, item: dict[str, Any]) -> tuple[jwt.PyJWK, str]:
    kind = item.get("kty")
    if kind not in ("RSA", "OKP"):
        raise ValueError(f"{where}.kty: expected RSA or OKP (Ed25519), got {kind!r}")
    if any(part in item for part in _SECRET_PARTS):
        raise ValueError(f"{where}: expected a public key, this one has private parts")
    algorithm = "RS256" if kind == "RSA" else "EdDSA"
    if item.get("alg", algorithm) != algorithm:
        raise ValueError(f"{where}.alg: expected {algorithm}, got {item['alg']!r}")
    if item.get("use", "sig") != "sig":
        raise ValueError(f'{where}.use: expected "sig", got {item["use"]!r}')
    try:
        key = jwt.PyJWK.from_dict(item, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{where}: {error}") from None
    if isinstance(key.key, RSAPublicKey):
        if key.key.key_size < _LEAST_RSA_BITS:
            raise ValueError(f"{where}: expected at least {_LEAST_RSA_BITS} bits, got {key.key.key_size}")
    elif not isinstance(key.key, Ed25519PublicKey):
        raise ValueError(f"{where}.crv: expected Ed25519, got {item.get('crv')!r}")
    return key, algorithm


def _claims(payload: Mapping[str, Any], kid: str) -> Claims:
    tenant = payload.get("tenant", payload.get("sub"))
    if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
        raise token_wrong('this server: the JWT names no tenant, in "tenant" or else in "sub"')
    limits = payload.get("soundtracks")
    if isinstance(limits, str):
        limits = limits.split()
    if limits is not None and not (isinstance(limits, list) and all(isinstance(one, str) for one in limits)):
        raise token_wrong(
            'this server: the JWT\'s "soundtracks" is neither a list of names nor names with blanks between'
        )
    return Claims(tenant, f"jwt:{kid}" if kid else "jwt", None if limits is None else tuple(limits))


def _expiry(token: str) -> datetime:
    """When a token whose signature is good has expired."""
    payload = jwt.decode(token, options={"verify_signature": False})
    return datetime.fromtimestamp(int(payload["exp"]), UTC)


def _said(error: Exception) -> str:
    if isinstance(error, Refused):
        return str(error)
    return " ".join(str(error).split())[:120] or type(error).__name__
