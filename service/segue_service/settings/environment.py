# SPDX-License-Identifier: Apache-2.0
"""SEGUE_PORT=8000: settings by environment variables, beside names that mean something else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from segue_service.settings.fields import names, unknown_key, value_of
from segue_service.settings.layers import Layer
from segue_service.soundtrack.diagnostics import near_misses

PREFIX: Final = "SEGUE_"
CONFIG: Final = "SEGUE_CONFIG"
"""Names the settings file where --config does not."""
_OTHERS: Final = frozenset({"CONFIG", "MODELS", "TOKEN", "SERVER", "PROGRAM", "SOUNDTRACK", "LOG"})
"""Read by other parts of segue, or set by its clients for a server that they start."""

# What Kubernetes sets for a Service whose name is segue or begins with segue-, unless enableServiceLinks is false.
_LINK: Final = re.compile(r"(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_LINK_VALUE: Final = re.compile(r"(tcp|udp|sctp)://")


def from_environment(environment: Mapping[str, str]) -> Layer:
    """What SEGUE_* variables say; an empty one says nothing.

    One that is no setting is a problem if it is like one (a near miss, or the same first word), else a note."""
    layer, known = Layer("environment"), names()
    first_words = {name.split("_")[0] for name in known if "_" in name}
    for variable in sorted(environment):
        text = environment[variable]
        if not variable.startswith(PREFIX) or not text.strip():
            continue
        name = variable.removeprefix(PREFIX)
        if name in _OTHERS or _is_link(name, text):
            continue
        key = name.lower()
        if key not in known:
            if near_misses(key, known) or key.split("_")[0] in first_words:
                layer.problems.append(f"{variable}: {unknown_key(key)}")
            else:
                layer.notes.append(f"{variable} is no setting and was not looked at")
            continue
        try:
            layer.put(key, value_of(key, text), variable)
        except ValueError as error:
            layer.problems.append(f"{variable}: {error}")
    return layer


def _is_link(name: str, text: str) -> bool:
    return bool(_LINK.fullmatch(name)) or (name.endswith("PORT") and bool(_LINK_VALUE.match(text)))
