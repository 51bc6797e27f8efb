# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue_service.soundtrack import Soundtrack, SoundtrackError, build, content_hash, load_built, load_soundtrack
from segue_service.soundtrack.build import MAX_BUILT_BYTES


def test_reads_back_losslessly(example: Soundtrack, small: Soundtrack) -> None:
    for soundtrack in (example, small):
        text = build(soundtrack)
        again = load_built(text)
        assert again == soundtrack
        assert build(again) == text


def test_hash_survives_another_writer_and_notices_a_change(small: Soundtrack, tmp_path: Path) -> None:
    built = json.loads(build(small))
    assert built["hash"] == content_hash(small)
    assert load_built(json.dumps(built, sort_keys=True, separators=(",", ":"))) == small
    built["document"]["states"]["fight"]["min_dwell"] = "3 s"
    with pytest.raises(SoundtrackError, match="the document was changed"):
        load_built(json.dumps(built))
    file = tmp_path / "small.soundtrack.json"
    file.write_text(build(small), encoding="utf-8")
    assert load_soundtrack(file) == small


def test_the_hash_is_for_ever() -> None:
    """Resume points, save games, built and baked files hold it: a new key of the language, at its default, must not
    change it. If this fails, the hash has come to cover what it should leave out."""
    root = Path(__file__).parents[3] / "examples"
    found = {path.parent.name: content_hash(load_soundtrack(path))[:23] for path in root.glob("*/*.soundtrack.yaml")}
    assert found == {
        "dungeon": "sha256:27d35e84c38b2a6f",
        "starfield": "sha256:86e57ef3423f0c7e",
        "village_life": "sha256:0269c46c87328beb",
    }


def test_the_hash_does_not_care_whether_a_default_is_spelled_out(small: Soundtrack) -> None:
    built = json.loads(build(small))
    del built["document"]["states"]["fight"]["blend_by"]
    assert load_built(json.dumps(built)) == small


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", "segue build"),
        ('{"document": {}}', "format: expected 1, got nothing"),
        ('{"format": 1, "document": {}, "x": 1}', 'no key "x"'),
        ('{"format": 1, "document": 5}', "expected a map"),
        ('{"format": 1, "document": {"a": NaN}}', "NaN is not a number"),
        ('{"format": 1, "document": {"output": {"loudness": 1e400}}}', "1e400 is no number"),
        ('{"format": 1, "document": {"output": {"loudness": -1%s}}}' % ("0" * 400), "is no number"),
        ('{"format": 1, "document": {"soundtrack": "\\ud800"}}', "surrogates not allowed"),
        ('{"format": 1, "format": 1}', "twice"),
        ("[" * 100_000, "deep"),
        ("[" + "1," * 90_000 + "1]", "values"),
        (" " * (MAX_BUILT_BYTES + 1), "KiB"),
    ],
)
def test_refused_uploads(text: str, said: str) -> None:
    with pytest.raises(SoundtrackError) as caught:
        load_built(text)
    assert said in str(caught.value)


def test_errors_in_an_upload_name_the_path(small: Soundtrack) -> None:
    built = json.loads(build(small))
    built["document"]["transitions"][1]["via"] = "brigde"
    with pytest.raises(SoundtrackError, match=r"<upload>  transitions\[1\].via: no style \"brigde\"") as caught:
        load_built(json.dumps(built))
    assert caught.value.diagnostics[0].line == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from(["soundtrack", "styles", "states", "transitions", "events", "music", "parameters", "output"]), JSON
)
def test_any_json_is_read_or_refused(small: Soundtrack, section: str, value: object) -> None:
    built = json.loads(build(small))
    built["document"][section] = value
    with contextlib.suppress(SoundtrackError):
        load_built(json.dumps(built))
