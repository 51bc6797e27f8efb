# SPDX-License-Identifier: Apache-2.0
"""Sizes of a SpectroStream codec: the published one, and tiny ones that share every stride, kernel and window.

Only channel counts, feature width and codebooks vary; the spectrogram is always 480 bins at 100 frames/s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from segue_engine.contract import FRAME_SAMPLES

HOP: Final = 480
"""Samples between two STFT frames."""
WINDOW: Final = 960
"""Samples under one STFT frame."""
BINS: Final = 480
"""Bins of a spectrogram: DC up to, and without, Nyquist."""
SIDES: Final = 2
"""Left and right share their weights wherever the network treats them apart."""
PARTS: Final = 2
"""Real and imaginary."""
STFT_FRAMES: Final = FRAME_SAMPLES // HOP
"""STFT frames in one codec frame."""
BANDS: Final = 5
"""Frequencies that are left in the innermost layers."""

Pair = tuple[int, int]

_UP_STRIDES: Final[tuple[Pair, ...]] = ((2, 1), (2, 2), (1, 2), (1, 2), (1, 3), (1, 2), (1, 2))
_UP_CHANNELS: Final[tuple[Pair, ...]] = ((8, 16), (8, 4), (4, 4), (4, 4), (4, 2), (2, 2), (2, 1))
_DOWN_STRIDES: Final[tuple[Pair, ...]] = ((1, 2), (1, 2), (1, 3), (1, 2), (1, 2), (2, 2), (2, 1))
_DOWN_CHANNELS: Final[tuple[Pair, ...]] = ((1, 2), (2, 2), (2, 4), (4, 4), (4, 4), (4, 8), (16, 8))

_VECTOR_KEYS: Final = {
    "features": "ss_feat",
    "encoder_channels": "ss_enc_depth",
    "decoder_channels": "ss_dec_depth",
    "codebooks": "rvq_total",
    "codebook": "codebook",
}


@dataclass(frozen=True, slots=True)
class Level:
    """One resampling unit: input and output channels, (time, frequency) stride and kernel, bands on its coarse side."""

    inputs: int
    outputs: int
    stride: Pair
    kernel: Pair
    bands: int

    @property
    def kernel_name(self) -> str:
        """As checkpoints spell it: "3x4"."""
        return f"{self.kernel[0]}x{self.kernel[1]}"


@dataclass(frozen=True, slots=True)
class SpectroStreamConfig:
    """features: width of an embedding; *_channels: at the spectrogram's end; codebooks of `codebook` codes each."""

    features: int = 256
    encoder_channels: int = 32
    decoder_channels: int = 64
    codebooks: int = 64
    codebook: int = 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 1:
                raise ValueError(f"{field.name}: expected at least 1, got {value}")

    @property
    def up(self) -> tuple[Level, ...]:
        """The decoder's units, innermost first; the first one sees both sides together, its output is split."""
        return _levels(_UP_STRIDES, _UP_CHANNELS, self.decoder_channels, BANDS)

    @property
    def down(self) -> tuple[Level, ...]:
        """The encoder's units, outermost first; the last one sees both sides together."""
        return _levels(_DOWN_STRIDES, _DOWN_CHANNELS, self.encoder_channels, BINS)


def _levels(strides: tuple[Pair, ...], channels: tuple[Pair, ...], base: int, bands: int) -> tuple[Level, ...]:
    levels, rising = [], bands == BANDS
    for stride, (inputs, outputs) in zip(strides, channels, strict=True):
        coarse = bands if rising else bands // stride[1]
        kernel = (max(3, 2 * stride[0]), max(3, 2 * stride[1]))
        levels.append(Level(inputs * base, outputs * base, stride, kernel, coarse))
        bands = bands * stride[1] if rising else coarse
    return tuple(levels)


def config_of_vectors(meta: Mapping[str, object]) -> SpectroStreamConfig:
    """The codec's sizes in the `config` object of a golden-vector set's meta.json; the model's keys are ignored.

    Raises ValueError naming keys that are missing or not integers.
    """
    missing = sorted(set(_VECTOR_KEYS.values()) - meta.keys())
    if missing:
        raise ValueError(f"config: missing keys {missing}")
    sizes: dict[str, int] = {}
    for field, key in _VECTOR_KEYS.items():
        value = meta[key]
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"config.{key}: expected an integer, got {value!r}")
        sizes[field] = value
    return SpectroStreamConfig(**sizes)
