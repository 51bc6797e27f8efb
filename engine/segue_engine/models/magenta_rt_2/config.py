# SPDX-License-Identifier: Apache-2.0
"""Sizes of a Magenta RT 2 model: the two published ones, and tiny ones that share their layout.

All of them use one program: a conditioning encoder, a temporal transformer over frames, a depth transformer over the
codes of a frame. Facts are from the published implementation; windows count past frames, the present one comes on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import jax.numpy as jnp

from segue_engine.contract import STYLE_CODES, STYLE_LEVELS

ComputeDtype = Literal["float32", "bfloat16"]

RESERVED_IDS: Final = 6
"""Token ids 0..5 belong to no level; id 0 starts a sequence."""


@dataclass(frozen=True, slots=True)
class StackConfig:
    """One transformer stack: blocks, residual width, feed-forward width, heads and units per head."""

    layers: int
    width: int
    hidden: int
    heads: int
    units: int

    def __post_init__(self) -> None:
        for name in ("layers", "width", "hidden", "heads", "units"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")


@dataclass(frozen=True, slots=True)
class MagentaRT2Config:
    """Everything that fixes the shapes of parameters and state, and how the model is run.

    levels, codebook: codes per frame, and codes per level. style_codebook, style_width: of the style encoder's codes.
    style_levels_used: how many of the 12 style codes are heard, the rest are masked (the published desktop engine
    uses 6, the published JAX system 12). compute_dtype: of the language model; sampling is float32 either way.
    """

    name: str
    encoder_width: int
    temporal: StackConfig
    depth: StackConfig
    self_window: int
    cross_window: int
    levels: int = 12
    codebook: int = 1024
    style_codebook: int = STYLE_CODES
    style_width: int = 768
    style_levels_used: int = STYLE_LEVELS
    compute_dtype: ComputeDtype = "float32"

    def __post_init__(self) -> None:
        for name in (
            "encoder_width",
            "self_window",
            "cross_window",
            "levels",
            "codebook",
            "style_codebook",
            "style_width",
        ):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        if not 0 <= self.style_levels_used <= STYLE_LEVELS:
            raise ValueError(f"style_levels_used: expected 0..{STYLE_LEVELS}, got {self.style_levels_used}")
        if self.compute_dtype not in ("float32", "bfloat16"):
            raise ValueError(f"compute_dtype: expected float32 or bfloat16, got {self.compute_dtype!r}")

    @property
    def vocabulary(self) -> int:
        """Rows of the token table: the reserved ids, then one block of `codebook` ids per level."""
        return RESERVED_IDS + self.levels * self.codebook

    @property
    def dtype(self) -> jnp.dtype:
        return jnp.dtype(self.compute_dtype)


SMALL: Final = MagentaRT2Config(
    name="mrt2_small",
    encoder_width=256,
    temporal=StackConfig(layers=12, width=1024, hidden=4096, heads=8, units=128),
    depth=StackConfig(layers=2, width=768, hidden=3072, heads=6, units=128),
    self_window=41,
    cross_window=41,
)

BASE: Final = MagentaRT2Config(
    name="mrt2_base",
    encoder_width=1024,
    temporal=StackConfig(layers=20, width=3072, hidden=8192, heads=24, units=128),
    depth=StackConfig(layers=6, width=1024, hidden=4096, heads=8, units=128),
    self_window=25,
    cross_window=25,
)

PRESETS: Final[Mapping[str, MagentaRT2Config]] = {config.name: config for config in (SMALL, BASE)}

_CODEC_KEYS: Final = frozenset({"rvq_total", "ss_feat", "ss_enc_depth", "ss_dec_depth"})
_MODEL_KEYS: Final = frozenset(
    {"enc_dim", "temporal", "depth", "self_win", "cross_win", "Q", "codebook", "mc_codebook", "mc_dim"}
)


def preset(name: str) -> MagentaRT2Config:
    """The published size of that name. Raises ValueError listing the names there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ValueError(f"model: expected one of {', '.join(PRESETS)}, got {name!r}") from None


def config_of_vectors(meta: Mapping[str, object], name: str = "mrt2_vectors") -> MagentaRT2Config:
    """The `config` object in a golden-vector set's meta.json, codec sizes aside. Raises ValueError naming bad keys."""
    missing, unknown = sorted(_MODEL_KEYS - meta.keys()), sorted(meta.keys() - _MODEL_KEYS - _CODEC_KEYS)
    if missing or unknown:
        raise ValueError(f"config: missing keys {missing}, unknown keys {unknown}")
    return MagentaRT2Config(
        name=name,
        encoder_width=_integer(meta, "enc_dim"),
        temporal=_stack(meta, "temporal"),
        depth=_stack(meta, "depth"),
        self_window=_integer(meta, "self_win"),
        cross_window=_integer(meta, "cross_win"),
        levels=_integer(meta, "Q"),
        codebook=_integer(meta, "codebook"),
        style_codebook=_integer(meta, "mc_codebook"),
        style_width=_integer(meta, "mc_dim"),
    )


def _integer(meta: Mapping[str, object], key: str) -> int:
    value = meta[key]
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"config.{key}: expected an integer, got {value!r}")
    return value


def _stack(meta: Mapping[str, object], key: str) -> StackConfig:
    value = meta[key]
    if not isinstance(value, Sequence) or len(value) != 5 or not all(isinstance(v, int) for v in value):
        raise ValueError(f"config.{key}: expected [layers, width, hidden, heads, units], got {value!r}")
    layers, width, hidden, heads, units = value
    return StackConfig(layers=layers, width=width, hidden=hidden, heads=heads, units=units)
