# SPDX-License-Identifier: Apache-2.0
"""Settings for people to read: without secrets."""

from __future__ import annotations

import re
from typing import Any, Final

from segue_service.config import Settings
from segue_service.settings.environment import PREFIX
from segue_service.settings.fields import is_secret

HIDDEN: Final = "******"
_USER_INFO: Final = re.compile(r"(://)[^/\s@]+@")


def shown(settings: Settings) -> dict[str, Any]:
    """Every field as plain data, secrets and passwords in URLs as ******."""
    plain = settings.model_dump(mode="json")
    return {name: _hidden(value) if is_secret(name) else _clean(value) for name, value in plain.items()}


def reference() -> str:
    """Every setting as a table in Markdown."""
    rows = ["| setting | variable | default | |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        secret = is_secret(name)
        default = _default(field.get_default(call_default_factory=True))
        said = " ".join((field.description or "").split()).replace("|", "\\|")
        keys = f"`{name}`, `{name}_file`" if secret else f"`{name}`"
        variables = f"`{PREFIX}{name.upper()}`" + (f", `{PREFIX}{name.upper()}_FILE`" if secret else "")
        rows.append(f"| {keys} | {variables} | {default} | {said} |")
    return "\n".join(rows) + "\n"


def _default(value: object) -> str:
    return "" if value is None or value == () else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _hidden(value: Any) -> Any:
    if isinstance(value, list):
        return [_hidden(one) for one in value]
    if isinstance(value, dict):
        return {key: _hidden(one) for key, one in value.items()}
    return value if value in (None, "") else HIDDEN


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _USER_INFO.sub(rf"\1{HIDDEN}@", value)
    return [_clean(one) for one in value] if isinstance(value, list) else value
