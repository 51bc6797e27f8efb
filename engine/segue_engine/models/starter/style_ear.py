# SPDX-License-Identifier: Apache-2.0
"""Which style the last seconds sound like: event tokens → the embedding that they would be played under. numpy only.

A ridge regression from what is played to tag weights, taught by the composer in styles of every kind (`fit_ear`), so
that it knows blends and modifiers and no soundtrack has to be learned first. It hears rhythm, register, intervals and
hits as the judges of `evaluation` do, and the patches of those voices that sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from segue_engine.contract import EngineError
from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.evaluation.token_features import token_features
from segue_engine.styles.starter_encoder import tag_directions
from segue_engine.styles.tags import TAGS

FloatArray = NDArray[np.float32]

WINDOW: Final = 125
"""Frames that it listens to: 5 s."""
PATH: Final = Path(__file__).parent / "weights" / "style_ear.safetensors"
_FARTHEST: Final = 8.0
"""Standard deviations at which a feature is cut: what never happened in training must not shout."""


@dataclass(frozen=True)
class StyleEar:
    """mean, scale f32[D] of the features; weights f32[D, 34], bias f32[34]. Immutable; any thread."""

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    bias: FloatArray

    @classmethod
    def bundled(cls, path: Path = PATH) -> StyleEar:
        """The ear in the package. Raises EngineError naming the file if it is missing or damaged."""
        try:
            ear = cls(**load_file(path))
        except (OSError, SafetensorError, TypeError) as error:
            raise EngineError(f"{path}: expected the starter's style ear: {error}") from None
        if ear.weights.shape != (len(ear.mean), len(TAGS)):
            raise EngineError(f"{path}: expected weights of [{len(ear.mean)}, {len(TAGS)}], got {ear.weights.shape}")
        return ear

    def save(self, path: Path) -> None:
        """Write it as `bundled` reads it."""
        names = ("mean", "scale", "weights", "bias")
        path.write_bytes(save({name: np.ascontiguousarray(getattr(self, name)) for name in names}))

    def tags(self, features: FloatArray) -> FloatArray:
        """Tag weights f32[n, 34], unit length, of what `hearable` gives."""
        far = np.clip((features - self.mean) / self.scale, -_FARTHEST, _FARTHEST)
        heard = far @ self.weights + self.bias
        return np.asarray(heard / np.maximum(np.linalg.norm(heard, axis=1, keepdims=True), 1e-6), np.float32)

    def hear(self, windows: NDArray[np.integer]) -> FloatArray:
        """Embeddings f32[n, 768], unit length, of what windows int[n, WINDOW, 12] of tokens sound like."""
        return np.asarray(self.tags(hearable(windows)) @ _directions(), np.float32)


@cache
def _directions() -> FloatArray:
    return tag_directions()


def hearable(windows: NDArray[np.integer]) -> FloatArray:
    """Features f32[n, D] of windows int[n, W, 12]."""
    return np.concatenate([token_features(windows), _colours(windows.astype(np.int64))], axis=1)


def _colours(x: NDArray[np.int64]) -> FloatArray:
    """Shares of the patches among the frames in which their voice sounds, and of ambience, reverb and brightness."""
    low, high, mix = (tk.CODEBOOKS[level].decode(x[:, :, level]) for level in (tk.PALETTE_LOW, tk.PALETTE_HIGH, tk.MIX))
    always = np.ones(x.shape[:2], np.bool_)
    note = x[:, :, tk.COUNTER] < tk.FIRST_EFFECT
    return np.concatenate(
        [
            _shares(x[:, :, tk.BASS] != tk.SILENT, low["bass"], len(tk.BASS_PATCHES)),
            _shares(x[:, :, tk.DRUMS] > 1, low["kit"], len(tk.KITS)),
            _shares(always, low["bed"], len(tk.BEDS)),
            _shares((x[:, :, tk.COUNTER] != tk.SILENT) & note, low["counter"], len(tk.COUNTER_PATCHES)),
            _shares(x[:, :, tk.PAD] != tk.SILENT, high["pad"], len(tk.PAD_PATCHES)),
            _shares(x[:, :, tk.ARP] != tk.SILENT, high["arp"], len(tk.ARP_PATCHES)),
            _shares(x[:, :, tk.LEAD] != tk.SILENT, high["lead"], len(tk.LEAD_PATCHES)),
            _shares(always, mix["brightness"], 4),
            _shares(always, mix["reverb"], 4),
        ],
        axis=1,
    )


def _shares(sounds: NDArray[np.bool_], patch: NDArray[np.int32], size: int) -> FloatArray:
    """f32[n, size]: how often each patch is the one, where its voice sounds; zeros where it never does."""
    row, column = np.nonzero(sounds)
    counts = np.bincount(row * size + patch[row, column], minlength=len(sounds) * size).reshape(len(sounds), size)
    return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1), np.float32)
