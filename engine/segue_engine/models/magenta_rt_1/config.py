# SPDX-License-Identifier: Apache-2.0
"""Sizes of a Magenta RT 1 model: the two published ones, and tiny ones that share their layout.

All of them use one program: an encoder over the codes of the last seconds and a style, a temporal transformer over the
frames of one chunk, a depth transformer over the codes of a frame. One table of token rows serves all three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal

import jax.numpy as jnp

from segue_engine.contract import STYLE_LEVELS

ComputeDtype = Literal["float32", "bfloat16"]

PAD: Final = 0
"""Token id that starts a chunk; in an encoder's input it is not attended to. Served contexts hold none."""
MASK: Final = 1
"""Token id of context that does not exist and of style that is not given. The published sampler ends a chunk at it."""
RESERVED_IDS: Final = 2
_ROUNDED_TO: Final = 128


@dataclass(frozen=True, slots=True)
class MagentaRT1Config:
    """Everything that fixes the shapes of parameters and state, and how the model is run.

    width, hidden, heads, units: of all three stacks. levels, codebook: codes per frame and codes per level. frames: of
    a chunk. context_frames, context_levels: what the encoder hears of the past; style_levels: how many style codes.
    vocabulary: rows of the token table. bias_buckets, bias_distance: of the temporal stack's relative positions.
    compute_dtype: of products; residuals of the decoder, logits and sampling are float32 either way.
    """

    name: str
    width: int
    hidden: int
    heads: int
    units: int
    encoder_layers: int
    temporal_layers: int
    depth_layers: int
    levels: int = 16
    codebook: int = 1024
    frames: int = 50
    context_frames: int = 250
    context_levels: int = 4
    style_levels: int = 6
    vocabulary: int = 29_824
    bias_buckets: int = 128
    bias_distance: int = 128
    compute_dtype: ComputeDtype = "float32"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and value < 1:
                raise ValueError(f"{field.name}: expected at least 1, got {value}")
        if self.width % 2:
            raise ValueError(f"width: expected an even number, for sines and cosines, got {self.width}")
        if self.context_levels > self.levels:
            raise ValueError(f"context_levels: expected at most {self.levels} levels, got {self.context_levels}")
        if self.style_levels > STYLE_LEVELS:
            raise ValueError(f"style_levels: expected at most {STYLE_LEVELS}, got {self.style_levels}")
        if self.vocabulary < self.named_ids:
            raise ValueError(f"vocabulary: expected at least {self.named_ids} rows, got {self.vocabulary}")
        if self.bias_distance * 2 <= self.bias_buckets:
            raise ValueError(f"bias_distance: expected more than half of {self.bias_buckets} buckets")
        if self.compute_dtype not in ("float32", "bfloat16"):
            raise ValueError(f"compute_dtype: expected float32 or bfloat16, got {self.compute_dtype!r}")

    @property
    def first_style_id(self) -> int:
        """Id of the first style level's code 0. The block of ids between codes and style means nothing."""
        return RESERVED_IDS + (self.levels + 1) * self.codebook

    @property
    def named_ids(self) -> int:
        """Ids that may be met: reserved ones, codes, an unused block, style codes."""
        return self.first_style_id + self.style_levels * self.codebook

    @property
    def source_length(self) -> int:
        """Tokens that the encoder reads: the context, frame by frame, then the style."""
        return self.context_frames * self.context_levels + self.style_levels

    @property
    def dtype(self) -> jnp.dtype:
        return jnp.dtype(self.compute_dtype)


BASE: Final = MagentaRT1Config(
    name="mrt1_base",
    width=768,
    hidden=2048,
    heads=12,
    units=64,
    encoder_layers=12,
    temporal_layers=20,
    depth_layers=4,
)

LARGE: Final = MagentaRT1Config(
    name="mrt1_large",
    width=1024,
    hidden=2816,
    heads=16,
    units=64,
    encoder_layers=24,
    temporal_layers=20,
    depth_layers=4,
)

PRESETS: Final[Mapping[str, MagentaRT1Config]] = {config.name: config for config in (BASE, LARGE)}

_VECTOR_KEYS: Final[Mapping[str, str]] = {
    "width": "embed",
    "hidden": "mlp",
    "heads": "heads",
    "units": "head_dim",
    "encoder_layers": "enc_layers",
    "temporal_layers": "temporal_layers",
    "depth_layers": "depth_layers",
    "levels": "levels",
    "codebook": "codebook",
    "frames": "frames",
    "context_frames": "enc_frames",
    "context_levels": "enc_levels",
    "style_levels": "style",
    "bias_buckets": "temp_buckets",
    "bias_distance": "temp_maxdist",
}


def preset(name: str) -> MagentaRT1Config:
    """The published size of that name. Raises ValueError listing the names there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ValueError(f"model: expected one of {', '.join(PRESETS)}, got {name!r}") from None


def config_of_vectors(meta: Mapping[str, object], name: str = "mrt1_vectors") -> MagentaRT1Config:
    """The object in a golden-vector set's config file; what it says of seeds and gains is not looked at.

    Raises ValueError naming the keys that are missing, not integers or at odds with each other.
    """
    missing = sorted(set(_VECTOR_KEYS.values()) - meta.keys())
    if missing:
        raise ValueError(f"missing keys {missing}")
    sizes = {field: _integer(meta, key) for field, key in _VECTOR_KEYS.items()}
    if "padded_vocab" in meta:
        rows = _integer(meta, "padded_vocab")
    elif "vocab" in meta:
        rows = -(-_integer(meta, "vocab") // _ROUNDED_TO) * _ROUNDED_TO
    else:
        raise ValueError("missing keys ['padded_vocab']")
    config = MagentaRT1Config(name=name, vocabulary=rows, **sizes)  # type: ignore[arg-type]
    stated = meta.get("enc_len", config.source_length)
    if stated != config.source_length:
        raise ValueError(f"enc_len: expected enc_frames · enc_levels + style = {config.source_length}, got {stated!r}")
    return config


def _integer(meta: Mapping[str, object], key: str) -> int:
    value = meta[key]
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key}: expected an integer, got {value!r}")
    return value
