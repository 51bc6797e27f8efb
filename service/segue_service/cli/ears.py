# SPDX-License-Identifier: Apache-2.0
"""Who can hear how like a running session is to what was asked for: by model, where it is known by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segue_engine.assemble import Assembly
    from segue_service.session.adherence import Ear


def ear_for(assembly: Assembly) -> Ear | None:
    """The ear that goes with an engine; None if nobody can tell."""
    from segue_engine.styles.cache import CachedStyleEncoder
    from segue_service.session.ears import EncoderEar, ListenerEar, StyleCodesEar

    if assembly.info.model == "fake":
        return StyleCodesEar()
    if assembly.info.model == "starter":
        from segue_engine.models.starter.style_ear import WINDOW, StyleEar

        return ListenerEar(StyleEar.bundled(), WINDOW)
    encoder = assembly.style_encoder
    if isinstance(encoder, CachedStyleEncoder):  # no sound comes twice: it would only fill the cache
        encoder = encoder.encoder
    return EncoderEar(encoder) if encoder.takes_audio else None
