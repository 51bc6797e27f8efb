# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from segue_service.soundtrack import Soundtrack, document_of, json_schema, schema_text
from segue_service.soundtrack.document import read_yaml

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_published_schema_is_current() -> None:
    published = (ROOT / "docs" / "soundtrack.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(), "write it anew: see segue_service/soundtrack/schema.py"


def test_examples_are_valid_as_written_and_as_built(validator: Any, examples: Path, example: Soundtrack) -> None:
    text = (examples / example.soundtrack / f"{example.soundtrack}.soundtrack.yaml").read_text(encoding="utf-8")
    validator.validate(read_yaml(text, "x").data)
    validator.validate(document_of(example))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("styles", "calm", "guidance"), 70),
        (("styles", "calm", "drums"), "maybe"),
        (("styles", "calm", "extra"), 1),
        (("states", "fight", "min_dwell"), 2),
        (("transitions", 0, "fade"), "2 bas"),
        (("transitions", 0, "exit_source_at"), "soon"),
        (("music", "key"), "D moll"),
        (("initial",), None),
    ],
)
def test_mistakes_are_invalid(validator: Any, small_text: str, path: tuple[str | int, ...], value: object) -> None:
    data = read_yaml(small_text, "x").data
    validator.validate(data)
    part = data
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    assert not validator.is_valid(data)


def test_every_field_is_described() -> None:
    schema = json.loads(schema_text())
    for name, part in {"Soundtrack": schema, **schema["$defs"]}.items():
        assert part.get("description"), name
        for field, form in part.get("properties", {}).items():
            if name != "Soundtrack":
                assert form.get("description") or "$ref" in form, f"{name}.{field}"
