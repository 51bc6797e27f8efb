# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue_engine import contract
from segue_service.soundtrack import units
from segue_service.soundtrack.units import (
    Length,
    UnitError,
    parse_chord,
    parse_key,
    parse_length,
    parse_level,
    parse_meter,
)


def test_frame_rate_is_the_engines() -> None:
    assert units.FRAME_RATE == contract.FRAME_RATE


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0.5 s", Length(0.5)),
        ("250ms", Length(0.25)),
        ("1 beat", Length(1, "beats")),
        ("2 bars", Length(2, "bars")),
        ("1.5 min", Length(90)),
        ("0 s", Length(0)),
    ],
)
def test_lengths(text: str, length: Length) -> None:
    assert parse_length(text) == length
    assert parse_length(str(length)) == length


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (8, 'no unit. Did you mean "8 s"?'),
        ("8", 'Did you mean "8 s"?'),
        ("2 bas", 'there is no unit "bas"'),
        ("-1 s", "expected a length"),
        ("soon", 'got "soon"'),
        (None, "got nothing"),
        (True, "got true"),
        ("1e9 s", "expected a length"),
        ("99999 s", "at most 3600 s"),
        ("9999 bars", "at most 1024 bars"),
        (float("nan"), "expected a length"),
    ],
)
def test_bad_lengths(raw: object, said: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_length(raw)
    assert said in str(caught.value)


@given(st.floats(0, 1000).map(lambda x: round(x, 6)), st.sampled_from(["s", "beats", "bars"]))
def test_every_length_reads_back(value: float, unit: units.LengthUnit) -> None:
    length = Length(value, unit)
    if "e" not in str(length).split()[0]:
        assert parse_length(str(length)) == length


def test_levels() -> None:
    assert parse_level("-18 LUFS", "LUFS", -40, -8) == -18
    assert parse_level(-18, "LUFS", -40, -8) == -18
    with pytest.raises(UnitError, match="expected -40 to -8 LUFS, got 3 LUFS"):
        parse_level("3 LUFS", "LUFS", -40, -8)
    with pytest.raises(UnitError, match=r"got inf LUFS"):
        parse_level("9" * 400, "LUFS", -40, -8)
    with pytest.raises(UnitError, match="expected a level such as"):
        parse_level("-1 dBTP", "LUFS", -40, -8)


def test_music_words() -> None:
    assert str(parse_meter("6/8")) == "6/8"
    key = parse_key("Bb  harmonic Minor")
    assert (str(key), key.pitch_class) == ("Bb harmonic minor", 10)
    assert parse_key("A aeolian").mode == "minor"
    for chord in ("i", "VI", "bVII", "V7", "Dm", "Bbmaj7", "F#m7b5", "IV/G"):
        assert parse_chord(chord) == chord
    for wrong in ("H", "viiii", "Dmm", "", 5):
        with pytest.raises(UnitError):
            parse_chord(wrong)
    with pytest.raises(UnitError, match='no mode "moll"'):
        parse_key("D moll")
    for bad in ("4", "0/4", "4/3", 4):
        with pytest.raises(UnitError):
            parse_meter(bad)
