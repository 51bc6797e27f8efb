# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of `*.soundtrack.yaml`, by which editors complete and underline; kept in `docs/`.

python -c "from segue_service.soundtrack import schema_text; print(schema_text(), end='')" > docs/soundtrack.schema.json
"""

from __future__ import annotations

import json
from typing import Any

from segue_service.soundtrack.fields import NAME_PATTERN
from segue_service.soundtrack.model import Soundtrack


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of the authored form."""
    schema = Soundtrack.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Segue soundtrack"
    _tidy(schema)
    return schema


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidy(node: Any) -> None:
    """Drops generated titles (an editor shows them in place of descriptions) and says what names look like."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
        return
    if not isinstance(node, dict):
        return
    for name, value in node.items():
        if name == "properties":
            for prop in value.values():
                if isinstance(prop, dict):
                    prop.pop("title", None)
                    _tidy(prop)
        else:
            _tidy(value)
    if isinstance(node.get("additionalProperties"), dict) and "$ref" in node["additionalProperties"]:
        node.setdefault("propertyNames", {"pattern": NAME_PATTERN})
