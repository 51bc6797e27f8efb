# SPDX-License-Identifier: Apache-2.0
"""Resume points: signed, small, of a key and an age that are accepted; everything else is refused in words."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue_engine.contract import Conditioning, ConditioningError, Guidance, Sampling
from segue_service.session.resume_point import (
    MOST_BYTES,
    ResumeError,
    ResumePoint,
    Seal,
    conditionings,
    digest_of,
    runs,
    thinned,
)

OLD, NEW = b"o" * 32, b"n" * 32


def point(**fields: Any) -> ResumePoint:
    return ResumePoint(
        **{
            "session": "s-1",
            "digest": digest_of("token"),
            "soundtrack": "dungeon",
            "version": 3,
            "hash": "0" * 32,
            "model": "fake fake-1",
            "seed": 2**63 - 1,
            "lead_ms": 300,
            "guidance": (1.0, 1.0, 1.0),
            "take": 2,
            "frame": 1000,
            "machine": {"head": 1000, "state": "explore"},
            **fields,
        }
    )


def held(number: int) -> Conditioning:
    return Conditioning(
        style_codes=tuple((number * 31 + level * 77) % 1024 for level in range(12)),
        drums=number % 3 - 1,
        guidance=Guidance(1.5, 1.0, 2.0),
        gain_db=-1.25,
        sampling=Sampling(0.9, 40, None),
    )


def test_what_is_sealed_is_opened() -> None:
    seal = Seal([OLD], 1)
    under = runs([(at, held(at)) for at in range(0, 60, 5)])
    whole = point(under=under, override=((1, 2, 3), 2.0), done=("01234567",) * 8)
    token = seal.close(whole)
    assert token is not None
    assert len(token) < 1024
    assert seal.open(token) == whole


def test_keys_rotate() -> None:
    of_old = Seal([OLD], 1).close(point())
    of_new = Seal([OLD, NEW], 1).close(point())
    assert of_old is not None
    assert of_new is not None
    assert Seal([OLD, NEW], 1).open(of_old) == Seal([NEW], 1).open(of_new) == point()
    with pytest.raises(ResumeError, match=r"signed with the key .*, which this server does not have"):
        Seal([NEW], 1).open(of_old)


@settings(max_examples=60)
@given(st.data())
def test_a_change_of_a_byte_is_noticed(data: st.DataObject) -> None:
    seal = Seal([OLD], 1)
    token = bytearray(seal.close(point()) or b"")
    at = data.draw(st.integers(7, len(token) - 2))  # the last one's low bits are not used
    token[at] = data.draw(st.integers(0, 255).filter(lambda value: value != token[at]))
    with pytest.raises(ResumeError, match=r"changed after it was signed|as it came"):
        seal.open(bytes(token))


@given(st.binary(max_size=3000))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(ResumeError, match="expected"):
        Seal([OLD], 1).open(noise)


def test_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    seal = Seal([OLD], 2)
    token = seal.close(point()) or b""
    now = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + 2.1 * 86_400)
    with pytest.raises(ResumeError, match=r"it is of \d{4}-\d\d-\d\d, and at most 2 days are accepted"):
        seal.open(token)


def test_servers_clocks_may_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + 86_400)
    token = Seal([OLD], 2).close(point()) or b""
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now)
    assert Seal([OLD], 2).open(token) == point()


def test_it_fits_into_two_kilobytes_or_is_not_made() -> None:
    seal = Seal([OLD], 1)
    many = point(under=runs([(at, held(at)) for at in range(400)]))
    token = seal.close(many)
    assert token is not None
    assert len(token) <= MOST_BYTES
    kept = seal.open(token)
    assert kept.under
    assert kept.under[-1] == many.under[-1]
    machine = {"parameters": {digest_of(str(number)): {"origin": number} for number in range(60)}}
    assert seal.close(point(machine=machine)) is None


def test_another_format_says_what_does_not_fit() -> None:
    seal = Seal([OLD], 1)
    signed = seal._serializer.dumps({**point().model_dump(mode="json"), "mood": 1})
    with pytest.raises(ResumeError, match=r"another version of the format \(mood"):
        seal.open(f"{seal._names[-1]}.{signed}".encode())


def test_runs_are_conditionings_and_merge() -> None:
    entries = [(0, held(1)), (5, held(1)), (9, held(2))]
    assert conditionings(runs(entries)) == [(0, held(1)), (9, held(2))]
    with pytest.raises(ConditioningError):
        conditionings([(0, (2000,), 0, 1.0, 1.0, 1.0, 0.0, -1.0, None, None, None)])


@given(st.lists(st.integers(0, 500), min_size=1, max_size=40, unique=True), st.integers(1, 20))
def test_the_longest_runs_are_kept(frames: list[int], most: int) -> None:
    under = runs([(at, held(at)) for at in sorted(frames)])
    kept = thinned(under, most)
    assert len(kept) == min(most, len(under))
    assert kept[-1] == under[-1]
    assert set(kept) <= set(under)
    assert list(kept) == sorted(kept)
