# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from segue_service.soundtrack import Soundtrack, SoundtrackError, document, load_soundtrack, model, parse_soundtrack

MINIMAL = "soundtrack: one\ninitial: a\nstyles: { a: { prompts: calm } }\nstates: { a: { style: a } }\n"


def mistakes(text: str) -> list[str]:
    with pytest.raises(SoundtrackError) as caught:
        parse_soundtrack(text, "f.yaml")
    return str(caught.value).splitlines()


def changed(text: str, old: str, new: str) -> list[str]:
    assert text.count(old) == 1, old
    return mistakes(text.replace(old, new))


def test_minimal_and_shorthands() -> None:
    one = parse_soundtrack(MINIMAL)
    assert one.styles["a"].prompts[0].text == "calm"
    assert one.output.loudness == -18
    many = parse_soundtrack(MINIMAL.replace("prompts: calm", "prompts: [calm, { text: harp, weight: 0.5 }]"))
    assert [(p.text, p.weight) for p in many.styles["a"].prompts] == [("calm", 1.0), ("harp", 0.5)]


def test_words_of_yaml_1_1_are_words(small: Soundtrack) -> None:
    assert small.styles["calm"].drums == "off"
    assert small.styles["fight"].drums == "on"
    assert small.transitions[0].on == ("enemy",)


def test_fades(small: Soundtrack) -> None:
    step = small.transitions[3].fade
    assert (step.length.value, step.curve) == (0, "step")
    text = MINIMAL + "transitions: [{ from: any, to: a, on: x, fade: { length: 2, unit: bars, curve: ease_in } }]"
    fade = parse_soundtrack(text).transitions[0].fade
    assert (str(fade.length), fade.curve, fade.shape) == ("2 bars", "ease_in", "linear")


def test_near_misses_with_line_and_column(small_text: str) -> None:
    assert changed(small_text, "via: bridge", "via: brigde") == [
        'f.yaml:21:94  transitions[1].via: no style "brigde". Did you mean "bridge"?'
    ]
    assert changed(small_text, "initial: calm", "initial: clam") == [
        'f.yaml:3:10  initial: no state "clam". Did you mean "calm"?'
    ]
    assert changed(small_text, "when: danger < 0.2", "when: dagner < 0.2") == [
        'f.yaml:21:37  transitions[1].when: no parameter "dagner". Did you mean "danger"?'
    ]
    assert changed(small_text, "trigger: chest", "trigger: chset") == [
        'f.yaml:31:22  events.opened.trigger: no stinger "chset". Did you mean "chest"?'
    ]
    assert changed(small_text, "cooldown: 1 s", "coldown: 1 s") == [
        'f.yaml:29:73  stingers.hit.coldown: no key "coldown". Did you mean "cooldown"?'
    ]
    assert changed(small_text, "exit_source_at: exit_cue", "exit_source_at: exit-cue") == [
        "f.yaml:22:57  transitions[2].exit_source_at: expected one of immediate, next_beat, next_bar, exit_cue, "
        'got "exit-cue". Did you mean "exit_cue"?'
    ]


def test_offset_inside_a_guard(small_text: str) -> None:
    assert changed(small_text, "health > 50", "health >> 50")[0].startswith("f.yaml:25:56  transitions[5].when: ")
    assert changed(small_text, "when: health > 50", 'when: "health > helth"')[0].startswith("f.yaml:25:58  ")


def test_ranges_and_kinds(small_text: str) -> None:
    assert "events.hurt.set.health: expected 0 to 100, got 400" in changed(small_text, "health: 40", "health: 400")[0]
    assert "expected a number of at most 7, got 30" in changed(small_text, "guidance: 3", "guidance: 30")[0]
    assert "expected a number, got true" in changed(small_text, "gain_db: -6", "gain_db: true")[0]
    assert 'expected a whole number, got "ten"' in changed(small_text, "priority: 10", "priority: ten")[0]
    assert 'Did you mean "2 s"?' in changed(small_text, "min_dwell: 2 s", "min_dwell: 2")[0]
    assert "rising order" in changed(small_text, "[0.5, 0.25], [1, 1]", "[0.5, 0.25], [0.1, 1]")[0]
    assert "shares from 0 to 1" in changed(small_text, "[1, 1]]", "[1, 2]]")[0]
    assert "from low to high" in changed(small_text, "range: [0, 100]", "range: [100, 0]")[0]
    assert (
        "expected a map with style, blend_by, min_dwell, got a list"
        in changed(small_text, "boss:  { style: fight }", "boss:  [fight]")[0]
    )
    assert '"to" is missing' in changed(small_text, "to: won,   on: boss_died", "on: boss_died")[0]
    assert 'at least one of "on", "when" and "after"' in changed(small_text, "after: 3 s, fade", "fade")[0]
    assert 'expected either "clip", or "style"' in changed(small_text, "clip: clips/hit.flac, ", "")[0]
    assert 'expected either "clip", or "style"' in changed(small_text, "{ clip:", "{ drums: off, clip:")[0]
    assert 'expected "length" with "drums"' in changed(small_text, "{ clip: clips/hit.flac,", "{ drums: off,")[0]
    assert "expected one of on, off, got" in changed(small_text, "{ clip: clips/hit.flac,", "{ drums: auto,")[0]
    assert (
        "expected hysteresis below half of the range, 0.5, got 0.5"
        in changed(small_text, "seek_speed: 0.5", "hysteresis: 0.5")[0]
    )
    assert 'no key "hysteresys". Did you mean "hysteresis"?' in changed(small_text, "seek_speed", "hysteresys")[0]
    assert 'expected "length" with "style"' in changed(small_text, "length: 1 bar, ", "")[0]


@pytest.mark.parametrize("path", ["/etc/passwd", "../up.flac", "a\\b.flac", "C:x.flac", ""])
def test_paths_stay_inside(small_text: str, path: str) -> None:
    said = mistakes(small_text.replace("clip: clips/hit.flac", f"clip: '{path}'"))[0]
    assert "stingers.hit.clip: expected a" in said


def test_all_mistakes_at_once(small_text: str) -> None:
    text = small_text.replace("initial: calm", "initial: clam").replace("gain_db: -6", "gain_db: -600")
    text = text.replace("fade: 1 bar", "fade: 1 brr").replace("trigger: chest", "triger: chest")
    said = mistakes(text)
    assert [line.split(":")[1] for line in said] == ["3", "6", "22", "31"]


def test_any_is_reserved() -> None:
    said = mistakes(MINIMAL.replace("states: { a:", "states: { any: { style: a }, a:"))
    assert "can't be the name of a state" in said[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a map that begins with"),
        ("- a", "got a list"),
        ("a: [", "this is not YAML"),
        ("a:\n\t- b", "this is not YAML"),
        ("a: &x 1\nb: *x", "anchors and aliases"),
        ("a: !!python/object:os.system 1", "tags (tag:yaml.org,2002:python/object:os.system) are not allowed"),
        ("a: 1\n---\nb: 2", "expected one document"),
        ("a: 1\na: 2", '"a" is here twice (first in line 1)'),
        ("? [a]\n: 1", "expected a name before the colon"),
        ("[" * 40 + "]" * 40, "at most 12 deep"),
        ("a: " + "x" * 600_000, "at most 256 KiB"),
        ("a: \x00", "this is not YAML"),
        ('a: "\\ud800"', "half of a surrogate pair"),
        ('"\\udfff": 1', "half of a surrogate pair"),
    ],
)
def test_refused_yaml(text: str, said: str) -> None:
    assert any(said in line for line in mistakes(text))


def test_count_limit(monkeypatch: pytest.MonkeyPatch, small_text: str) -> None:
    monkeypatch.setattr(document, "MAX_NODES", 100)
    assert any("expected at most 100 values" in line for line in mistakes(small_text))


def test_files(tmp_path: Path, small_text: str, small: Soundtrack) -> None:
    file = tmp_path / "small.soundtrack.yaml"
    file.write_text("\ufeff" + small_text, encoding="utf-8")
    assert load_soundtrack(file) == small
    file.write_bytes(b"a: 1\nb: \xff")
    with pytest.raises(SoundtrackError, match=r":2:1  expected UTF-8 text"):
        load_soundtrack(file)
    file.write_bytes(b"#" * 600_000)
    with pytest.raises(SoundtrackError, match="at most 256 KiB"):
        load_soundtrack(file)
    with pytest.raises(FileNotFoundError):
        load_soundtrack(tmp_path / "none.yaml")


def test_the_guide_is_true(examples: Path) -> None:
    """Every key of the language is in the guide, and its smallest soundtrack loads."""
    guide = (examples.parent / "docs" / "soundtrack-format.md").read_text(encoding="utf-8")
    smallest = guide.split("## The smallest one")[1].split("```yaml\n")[1].split("```")[0]
    assert len(parse_soundtrack(smallest).transitions) == 2
    parts = [Soundtrack, model.Style, model.Parameter, model.State, model.Transition, model.Stinger, model.EventAction]
    for part in [*parts, model.Music, model.Output]:
        for name, field in part.model_fields.items():
            assert f"`{field.alias or name}`" in guide, f"{part.__name__}.{name}"
    line = guide.split("exit code is 2:")[1].split("```\n")[1].split("\n")[0]
    text = (examples / "dungeon" / "dungeon.soundtrack.yaml").read_text(encoding="utf-8")
    with pytest.raises(SoundtrackError) as caught:
        parse_soundtrack(text.replace("via: aftermath", "via: aftermth"), "dungeon.soundtrack.yaml")
    assert str(caught.value) == line
