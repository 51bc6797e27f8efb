# SPDX-License-Identifier: Apache-2.0
"""API keys: 256 random bits behind a short public id. Of a key only its SHA-256 is kept: what no one can guess needs
no slow hash."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "sgk_"
_KEY: Final = re.compile(r"sgk_([0-9a-f]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
KEY_ID: Final = re.compile(r"sgk_[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewKey:
    """key: what the tenant is given, once. id and sha256: what the tenants file keeps."""

    key: str
    id: str
    sha256: str


def new_key() -> NewKey:
    """A key that did not exist before."""
    key = f"{PREFIX}{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
    return NewKey(key, id_of(key), digest_of_key(key))


def id_of(key: str) -> str:
    """The public part of a key. Raises ValueError unless it has the form of one."""
    found = _KEY.fullmatch(key)
    if found is None:
        raise ValueError(f'expected a key of "segue keys new", {PREFIX}ID_SECRET')
    return f"{PREFIX}{found[1]}"


def digest_of_key(key: str) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()
