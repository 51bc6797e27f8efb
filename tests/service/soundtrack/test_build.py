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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", "segue build"),
        ('{"document": {}}', "format: expected 1, got nothing"),
        ('{"format": 1, "document": {}, "x": 1}', 'no key "x"'),
        ('{"format": 1, "document": 5}', "expected a map"),
        ('{"format": 1, "document": {"a": NaN}}', "NaN is not a number"),
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
