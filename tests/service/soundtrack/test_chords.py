# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue_service.soundtrack import SoundtrackError, parse_soundtrack
from segue_service.soundtrack.chords import SCALES, is_degree, read_chord, read_progression, scale
from segue_service.soundtrack.units import CHORD_PATTERN, MODES, Key, parse_chord, parse_key

D_MINOR = parse_key("D minor")
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


def named(*pitch_classes: int) -> set[str]:
    return {NAMES[pitch_class] for pitch_class in pitch_classes}


@pytest.mark.parametrize(
    ("text", "key", "tones", "bass"),
    [
        ("i", "D minor", "D F A", "D"),
        ("VI", "D minor", "Bb D F", "Bb"),
        ("III", "D minor", "F A C", "F"),
        ("VII", "D minor", "C E G", "C"),
        ("V", "D minor", "A C# E", "A"),
        ("V7", "C major", "G B D F", "G"),
        ("ii7", "C major", "D F A C", "D"),
        ("viio", "C major", "B D F", "B"),
        ("bVII", "C major", "Bb D F", "Bb"),
        ("bVII", "D minor", "C E G", "C"),
        ("Imaj7", "F# lydian", "F# Bb C# F", "F#"),
        ("i/F", "D minor", "D F A", "F"),
        ("Bbmaj7", None, "Bb D F A", "Bb"),
        ("Dm", None, "D F A", "D"),
        ("Cm7b5", None, "C Eb F# Bb", "C"),
        ("Asus4", None, "A D E", "A"),
        ("G5", None, "G D", "G"),
        ("C+", None, "C E Ab", "C"),
    ],
)
def test_chords_by_name_and_by_degree(text: str, key: str | None, tones: str, bass: str) -> None:
    chord = read_chord(parse_chord(text), parse_key(key) if key else None)
    assert named(*chord.pitch_classes) == set(tones.split())
    assert NAMES[chord.bass] == bass


@given(
    st.from_regex(re.compile(CHORD_PATTERN), fullmatch=True), st.sampled_from(MODES), st.sampled_from(["C", "F#", "Bb"])
)
def test_whatever_may_be_written_can_be_read(text: str, mode: str, tonic: str) -> None:
    chord = read_chord(parse_chord(text), Key(tonic, mode))
    assert 2 <= len(chord.pitch_classes) <= 5
    assert all(0 <= pitch_class < 12 for pitch_class in (*chord.pitch_classes, chord.bass))


@pytest.mark.parametrize("mode", MODES)
def test_triads_on_the_plain_degrees_stand_on_the_scale(mode: str) -> None:
    key = Key("E", mode)
    assert len(scale(key)) == 7
    roots = [read_chord(text, key).bass for text in ("I", "II", "III", "IV", "V", "VI", "VII")]
    assert roots == [(4 + step) % 12 for step in SCALES[mode]]


def test_a_degree_needs_a_key() -> None:
    assert is_degree("bVII")
    assert not is_degree("Bbmaj7")
    assert len(read_progression(["Dm", "A/C#"], None)) == 2
    with pytest.raises(ValueError, match="needs a key"):
        read_progression(["i"], None)
    text = "soundtrack: a\ninitial: x\nmusic: { progression: i VI }\n"
    text += "styles: { x: { prompts: calm } }\nstates: { x: { style: x } }\n"
    with pytest.raises(SoundtrackError, match='"i" is a degree and needs a "key"'):
        parse_soundtrack(text)
    assert parse_soundtrack(text.replace("i VI", "Dm Bb")).music is not None
