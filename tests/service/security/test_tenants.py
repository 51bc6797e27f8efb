# SPDX-License-Identifier: Apache-2.0
"""The tenants file: what it may hold, and whose each key is."""

from __future__ import annotations

import io
import re

import pytest

from segue.v1 import errors_pb2
from segue_service.cli.keys import hash_, new
from segue_service.errors import Refused
from segue_service.security.keys import digest_of_key, new_key
from segue_service.security.tenants import read_tenants


def book(key: str, more: str = "") -> str:
    entry = f"id: {key[:12]}, sha256: {digest_of_key(key)}{more}"
    return f"tenants:\n  - id: studio\n    api_keys:\n      - {{ {entry} }}\n    quotas: {{ sessions: 3 }}\n"


def test_a_key_opens_its_tenant_and_nothing_like_it_does() -> None:
    key, other = new_key().key, new_key().key
    found = read_tenants(book(key))
    tenant, key_id = found.by_key(key)
    assert (tenant.id, tenant.quotas.sessions, key_id) == ("studio", 3, key[:12])
    last = "A" if key[-1] != "A" else "B"
    for wrong in (other, key[:-1] + last, key[:12] + other[12:], key.upper(), key + " ", key[:12], "sgk_", ""):
        with pytest.raises(Refused) as caught:
            found.by_key(wrong)
        assert caught.value.reason == errors_pb2.ERROR_REASON_TOKEN_WRONG
        assert "studio" not in str(caught.value)


def test_a_key_expires() -> None:
    key = new_key().key
    assert read_tenants(book(key, ", expires: 2126-01-31")).by_key(key)[0].id == "studio"
    with pytest.raises(Refused, match="good until 2026-01-31 00:00:00 UTC") as caught:
        read_tenants(book(key, ", expires: 2026-01-31")).by_key(key)
    assert caught.value.reason == errors_pb2.ERROR_REASON_TOKEN_EXPIRED


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tenants: []\n", "tenants: "),
        ("tenants:\n  - id: a\n    quotas:\n      sesions: 1\n", "line 4: tenants.0.quotas.sesions"),
        ("tenants:\n  - id: a\n  - id: a\n", '"a" is there twice'),
        ("tenants:\n  - id: 'a b'\n", "line 2: tenants.0.id"),
        ("tenants:\n  - id: a\n    api_keys: [{ id: sgk_0, sha256: x }]\n", "never the key"),
        ("tenants: !!python/object:os.system {}\n", "tags"),
        ("tenants: &a [*a]\n", "anchors"),
        ("x", "line 1"),
    ],
)
def test_a_mistake_has_its_place(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_tenants(text)


def test_a_key_in_two_places_is_refused() -> None:
    key = new_key()
    entry = f"api_keys: [{{ id: {key.id}, sha256: {key.sha256} }}]"
    with pytest.raises(ValueError, match="twice"):
        read_tenants(f"tenants:\n  - {{ id: a, {entry} }}\n  - {{ id: b, {entry} }}\n")


def test_the_command_makes_keys_that_its_own_entry_accepts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    new("studio", days=1.0)
    made = capsys.readouterr()
    key = made.out.strip()
    assert key not in made.err
    assert read_tenants("tenants:\n" + made.err.partition("\n")[2]).by_key(key)[0].id == "studio"
    monkeypatch.setattr("sys.stdin", io.StringIO(key + "\n"))
    hash_()
    assert digest_of_key(key) in capsys.readouterr().out
