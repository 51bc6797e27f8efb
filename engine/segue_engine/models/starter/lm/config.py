# SPDX-License-Identifier: Apache-2.0
"""Sizes and switches of the starter's language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from segue_engine.models.starter import tokens

TAP_BARS: Final = (1, 2, 4)
"""How many bars back the model looks at exactly the same place of the bar."""
TAP_LEVELS: Final = (tokens.CHORD, tokens.DRUMS, tokens.BASS, tokens.PAD, tokens.ARP, tokens.LEAD, tokens.COUNTER)
TAP_REACH: Final = max(TAP_BARS) * tokens.MAX_FRAMES_PER_BAR
TAP_FEATURES: Final = 3  # always, same motif, same chord
LEAD_PITCHES: Final = 48
STYLE_WIDTH: Final = 34
DELTA_FRAMES: Final = 24


@dataclass(frozen=True)
class LMConfig:
    """Sizes of both transformers and how codes are drawn. Frames are 40 ms."""

    width: int = 192
    layers: int = 4
    heads: int = 6
    hidden: int = 512
    window: int = 128
    depth_width: int = 128
    depth_layers: int = 2
    depth_heads: int = 4
    depth_hidden: int = 256
    style_hidden: int = 256
    delta_hidden: int = 64
    temperature: float = 0.95
    min_p: float = 0.04
    lead_temperature: float = 0.85
    """Multiplies the row's temperature for the lead."""
    gate_offset: float = 3.5
    """Taken from the plan's copy gates on beats while the style is moving, so that no plan goes stale."""
    moving_lags: tuple[int, ...] = (12, 25, 50)
    moving_distance: float = 0.15
    """The style moves if it is further than this from where it was at any of the lags."""

    grammar: bool = True
    """Whether what the composer never writes is never drawn (`grammar`)."""

    def __post_init__(self) -> None:
        if self.width % self.heads or self.depth_width % self.depth_heads:
            raise ValueError("LMConfig: expected width and depth_width to be multiples of heads and depth_heads")
