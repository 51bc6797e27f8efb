# SPDX-License-Identifier: Apache-2.0
"""How much is played for each part of an evaluation. All times in frames of 40 ms."""

from __future__ import annotations

from dataclasses import dataclass

from segue_engine.contract import FRAME_RATE
from segue_engine.styles.tags import FAMILIES

SECOND = FRAME_RATE


@dataclass(frozen=True)
class Sizes:
    """The defaults are the full evaluation: one render of 10 minutes for each of the 16 families and players."""

    families: tuple[int, ...] = tuple(range(len(FAMILIES)))
    render: int = 600 * SECOND
    references: int = 3
    """Composer renders of each family, against which percentiles are taken."""
    window: int = 60 * SECOND
    train_pieces: int = 40
    train_frames: int = 30 * SECOND
    audio_train_pieces: int = 12
    audio_train_frames: int = 20 * SECOND
    style_window: int = 10 * SECOND
    excerpt: int = 60 * SECOND
    """Rendered to audio, from the middle of each render."""
    jumps: int = 64
    before: int = 10 * SECOND
    after: int = 10 * SECOND
    ramps: int = 32
    ramp: int = 10 * SECOND
    blend_pairs: int = 6
    blend_shares: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    blend_takes: int = 2
    blend_frames: int = 30 * SECOND
    flag_frames: int = 30 * SECOND

    def __post_init__(self) -> None:
        if len(set(self.families)) < 2:
            raise ValueError(f"families: expected at least two different ones, got {self.families}")
        for name, most in (("window", self.render), ("style_window", self.render), ("excerpt", self.render),
                           ("style_window", self.excerpt), ("style_window", self.train_frames),
                           ("style_window", self.audio_train_frames)):  # fmt: skip
            if not 0 < getattr(self, name) <= most:
                raise ValueError(f"{name}: expected 1..{most} frames, got {getattr(self, name)}")
        if self.after < 75 or self.before < 75 or self.train_frames < 75:
            raise ValueError("before, after, train_frames: expected at least 75 frames, the judge's trailing window")

    @staticmethod
    def quick() -> Sizes:
        """About a hundredth of the work, for development: figures are rough, and no claim may rest on them."""
        return Sizes(
            render=40 * SECOND, references=3, window=20 * SECOND, train_pieces=10, train_frames=20 * SECOND,
            audio_train_pieces=3, excerpt=10 * SECOND, jumps=16, ramps=8, blend_pairs=3, blend_shares=(0.0, 0.5, 1.0),
            blend_takes=1, blend_frames=15 * SECOND, flag_frames=10 * SECOND,
        )  # fmt: skip
