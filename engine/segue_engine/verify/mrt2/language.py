# SPDX-License-Identifier: Apache-2.0
"""The language model of a vector set: its sizes from meta.json, its weights as published, its inputs found in range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import STYLE_LEVELS
from segue_engine.models.magenta_rt_2 import CheckpointError, MagentaRT2Config, config_of_vectors, load_params
from segue_engine.models.magenta_rt_2.conditioning import CHANNELS, REGULAR_ROWS, regular_offsets, style_rows
from segue_engine.models.magenta_rt_2.config import RESERVED_IDS, ComputeDtype
from segue_engine.models.magenta_rt_2.parameters import DepthParams, ModelParams
from segue_engine.verify.vector_set import META, Arrays, Tensors, VectorError, VectorSet

Array = NDArray[Any]

PREFIX: Final = "params/depthformer/"
WEIGHTS: Final = "tiny_weights.safetensors"
_LOGITS: Final = PREFIX + "decoder/depth_body/to_logits/"


@dataclass(frozen=True, slots=True)
class Language:
    """config and parameters as served; `full_depth` is the depth transformer with every level's logits over all ids."""

    config: MagentaRT2Config
    params: ModelParams
    full_depth: DepthParams


def config_of(vectors: VectorSet) -> MagentaRT2Config:
    """The model that meta.json describes."""
    described = vectors.meta.get("config")
    if not isinstance(described, Mapping):
        raise VectorError(f'{META}: expected an object "config" with the sizes of the model')
    try:
        return config_of_vectors(described)
    except ValueError as error:
        raise VectorError(f"{META}: {error}") from None


def tensors_of(vectors: VectorSet) -> Tensors:
    """The set's language-model tensors."""
    return vectors.cached("language tensors", lambda: vectors.tensors(PREFIX, WEIGHTS))


def language_of(vectors: VectorSet, dtype: ComputeDtype = "float32") -> Language:
    """The set's model, computing in `dtype`."""
    return vectors.cached(("language", dtype), lambda: _load(replace(config_of(vectors), compute_dtype=dtype), vectors))


def _load(config: MagentaRT2Config, vectors: VectorSet) -> Language:
    tensors = tensors_of(vectors)
    try:
        params = load_params(config, tensors.flat)
    except CheckpointError as error:
        raise VectorError(f"{tensors.file}: {error}") from None
    kernel, bias = (jnp.asarray(np.asarray(tensors.flat[_LOGITS + leaf]), config.dtype) for leaf in ("kernel", "bias"))
    full = params.depth._replace(logit_kernels=(kernel,) * config.levels, logit_biases=(bias,) * config.levels)
    return Language(config, params, full)


def conditioning_of(arrays: Arrays, config: MagentaRT2Config, *shape: int | str, name: str = "cond_ids") -> Array:
    """Conditioning ids int32[*shape, 144], each inside of its table: an id outside would be quietly clamped."""
    ids = arrays.take(name, *shape, CHANNELS, kind="i")
    rows = style_rows(config)
    tops = np.concatenate(
        [rows * np.arange(STYLE_LEVELS, 0, -1, dtype=np.int64), REGULAR_ROWS - regular_offsets().astype(np.int64)]
    )
    wrong = np.argwhere((ids < 0) | (ids >= tops))
    if len(wrong):
        at = tuple(int(index) for index in wrong[0])
        raise VectorError(f"{arrays.file}: {name}{list(at)}: expected an id in 0..{tops[at[-1]] - 1}, got {ids[at]}")
    return ids.astype(np.int32)


def codes_of(arrays: Arrays, config: MagentaRT2Config, *shape: int | str, name: str = "token_ids") -> Array:
    """Codes int32[*shape, levels] of token ids, each found in its own level's range."""
    ids = arrays.take(name, *shape, config.levels, kind="i")
    codes = ids.astype(np.int64) - first_ids(config)
    wrong = np.argwhere((codes < 0) | (codes >= config.codebook))
    if len(wrong):
        at = tuple(int(index) for index in wrong[0])
        first = first_ids(config)[at[-1]]
        raise VectorError(
            f"{arrays.file}: {name}{list(at)}: expected an id in {first}..{first + config.codebook - 1}, got {ids[at]}"
        )
    return codes.astype(np.int32)


def first_ids(config: MagentaRT2Config) -> NDArray[np.int64]:
    """int64[levels]: the token id of each level's code 0."""
    return RESERVED_IDS + config.codebook * np.arange(config.levels, dtype=np.int64)
