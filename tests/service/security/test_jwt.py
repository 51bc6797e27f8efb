# SPDX-License-Identifier: Apache-2.0
"""Tokens that must not open anything, and the few that must."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from segue.v1 import errors_pb2
from segue_service.errors import Refused
from segue_service.security.jwt import MOST_CHARACTERS, Claims, claims_of, read_jwks

ISSUER, AUDIENCE = "https://login.example", "segue"


def opened(issuer: Any, token: str, leeway: float = 0.0) -> Claims:
    return claims_of(token, read_jwks(issuer.jwks()), ISSUER, AUDIENCE, leeway)


def part(value: Any) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def handmade(header: dict[str, Any], secret: bytes | None, **claims: Any) -> str:
    """A token as an attacker writes it: HMAC with whatever bytes, or no signature at all."""
    payload = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 600, "tenant": "studio", **claims}
    signed = part(header) + b"." + part(payload)
    mark = b"" if secret is None else hmac.digest(secret, signed, hashlib.sha256)
    return (signed + b"." + base64.urlsafe_b64encode(mark).rstrip(b"=")).decode()


@pytest.mark.parametrize("kid", ["rsa", "ed"])
def test_a_good_token_names_its_tenant(issuer: Any, kid: str) -> None:
    assert opened(issuer, issuer.token(kid)) == Claims("studio", f"jwt:{kid}", None)
    by_sub = opened(issuer, issuer.token(kid, tenant=None, sub="other", soundtracks="dungeon cave*"))
    assert (by_sub.tenant, by_sub.soundtracks) == ("other", ("dungeon", "cave*"))
    assert opened(issuer, issuer.token(kid, aud=["other", AUDIENCE])).tenant == "studio"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another-service"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": int(time.time()) + 3600},
        {"tenant": "../etc"},
        {"tenant": ["studio"]},
        {"tenant": ""},
        {"tenant": None},
        {"soundtracks": [1]},
        {"soundtracks": {}},
    ],
)
def test_what_is_not_for_us_is_refused(issuer: Any, claims: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        opened(issuer, issuer.token(**claims))
    assert caught.value.reason == errors_pb2.ERROR_REASON_TOKEN_WRONG


def test_an_expired_token_says_so_and_a_clock_that_is_off_is_forgiven(issuer: Any) -> None:
    token = issuer.token(exp=int(time.time()) - 10)
    with pytest.raises(Refused, match="expired") as caught:
        opened(issuer, token)
    assert caught.value.reason == errors_pb2.ERROR_REASON_TOKEN_EXPIRED
    assert opened(issuer, token, leeway=30.0).tenant == "studio"


def test_forgeries(issuer: Any) -> None:
    rsa_public, ed_public = issuer.rsa.public_key(), issuer.ed.public_key()
    public = rsa_public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    raw = ed_public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    thief = Ed25519PrivateKey.generate()
    payload = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 600, "tenant": "studio"}
    head, body, mark = issuer.token("rsa").split(".")
    other = part({**payload, "tenant": "rich"}).decode()
    forged = [
        handmade({"alg": "none", "typ": "JWT", "kid": "rsa"}, None),
        handmade({"alg": "None", "kid": "ed"}, None),
        *(handmade({"alg": alg, "kid": kid}, public) for alg in ("HS256", "RS256") for kid in ("rsa", "ed")),
        handmade({"alg": "HS256", "kid": "ed"}, raw),
        handmade({"alg": "HS256", "kid": ""}, b""),
        jwt.encode(payload, thief, "EdDSA", headers={"kid": "ed"}),
        jwt.encode(payload, thief, "EdDSA", headers={"kid": "rsa"}),
        jwt.encode(payload, thief, "EdDSA", headers={"kid": "ed", "jwk": OKPAlgorithm.to_jwk(thief.public_key())}),
        jwt.encode(payload, issuer.ed, "EdDSA", headers={"kid": "rsa"}),
        jwt.encode(payload, issuer.rsa, "RS384", headers={"kid": "rsa"}),
        jwt.encode(payload, issuer.ed, "EdDSA", headers={"kid": "unknown"}),
        jwt.encode(payload, issuer.ed, "EdDSA"),
        f"{head}.{other}.{mark}",
        f"{head}.{body}.",
        f"{head}.{body}",
        "..",
        "",
        "é.é.é",
        "x" * (MOST_CHARACTERS + 1),
        handmade({"alg": "EdDSA", "kid": ["ed"]}, None),
        handmade({"alg": "EdDSA", "kid": {"a": 1}}, None),
    ]
    for token in forged:
        with pytest.raises(Refused) as caught:
            opened(issuer, token)
        assert caught.value.reason == errors_pb2.ERROR_REASON_TOKEN_WRONG, token


def test_key_sets_that_must_not_be_used(issuer: Any) -> None:
    private: Any = OKPAlgorithm.to_jwk(issuer.ed, as_dict=True)
    weak: Any = RSAAlgorithm.to_jwk(generate_private_key(65_537, 1024).public_key(), as_dict=True)
    good = issuer.jwk("ed")
    cases: list[tuple[Any, str]] = [
        ([{**private, "kid": "a"}], "public"),
        ([{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}], "kty"),
        ([{**weak, "kid": "a"}], "2048"),
        ([{**issuer.jwk("rsa"), "alg": "HS256"}], "alg"),
        ([{**good, "alg": "RS256"}], "alg"),
        ([{**good, "use": "enc"}], "use"),
        ([good, good], "twice"),
        ([good, {**good, "kid": None}], "kid"),
        ([{**good, "crv": "X25519"}], "keys"),
        ([], "1 to 64"),
        (["x"], "JWK"),
    ]
    for keys, said in cases:
        with pytest.raises(ValueError, match=said):
            read_jwks(json.dumps({"keys": keys}))
    for text in ("[]", "{", "[" * 100_000):
        with pytest.raises(ValueError, match=r"expected|JSON"):
            read_jwks(text)
    alone = {key: value for key, value in good.items() if key != "kid"}
    lone = read_jwks(json.dumps({"keys": [alone]}))
    without_kid = jwt.encode(
        {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 9, "sub": "a"}, issuer.ed, "EdDSA"
    )
    assert claims_of(without_kid, lone, ISSUER, AUDIENCE, 0).tenant == "a"
