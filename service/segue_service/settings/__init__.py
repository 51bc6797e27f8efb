# SPDX-License-Identifier: Apache-2.0
"""How `Settings` are filled: defaults < file < environment < flags, with the place that each value came from."""

from segue_service.settings.environment import PREFIX, from_environment
from segue_service.settings.file import from_file
from segue_service.settings.layers import Layer, SettingsError, from_flags
from segue_service.settings.resolve import Origin, Resolved, load, resolve
from segue_service.settings.safety import public_warning, refusal_to_bind
from segue_service.settings.showing import reference, shown

__all__ = [
    "PREFIX",
    "Layer",
    "Origin",
    "Resolved",
    "SettingsError",
    "from_environment",
    "from_file",
    "from_flags",
    "load",
    "public_warning",
    "reference",
    "refusal_to_bind",
    "resolve",
    "shown",
]
