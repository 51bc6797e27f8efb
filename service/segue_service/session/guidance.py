# SPDX-License-Identifier: Apache-2.0
"""The model's own guidance in the soundtrack's words."""

from __future__ import annotations

from segue_engine.contract import EngineInfo
from segue_service.soundtrack import Guidance


def guidance_of(info: EngineInfo) -> Guidance:
    """What styles that name no guidance are played with, unless a session says otherwise."""
    own = info.default_guidance
    return Guidance(style=own.style, notes=own.notes, drums=own.drums)
