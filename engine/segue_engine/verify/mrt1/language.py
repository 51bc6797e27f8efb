# SPDX-License-Identifier: Apache-2.0
"""The language model of a tag: config_<tag>.json says its sizes, weights_<tag>*.safetensors holds it as published."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_1 import depth
from segue_engine.models.magenta_rt_1.config import ComputeDtype, MagentaRT1Config, config_of_vectors
from segue_engine.models.magenta_rt_1.parameters import ModelParams
from segue_engine.models.magenta_rt_1.weights import LOGITS, CheckpointError, load_params
from segue_engine.verify.vector_set import Arrays, Tensors, VectorError, VectorSet

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Language:
    """config and parameters as served; `unrestricted` has logits over all ids at every level."""

    config: MagentaRT1Config
    params: ModelParams
    unrestricted: ModelParams


def config_of(vectors: VectorSet, tag: str) -> MagentaRT1Config:
    """The model that config_<tag>.json describes."""
    name = f"config_{tag}.json"
    document = vectors.cached(("config", tag), lambda: vectors.json(name))
    if not isinstance(document, dict):
        raise VectorError(f"{name}: expected an object with the sizes of the model")
    try:
        return config_of_vectors(document)
    except ValueError as error:
        raise VectorError(f"{name}: {error}") from None


def tensors_of(vectors: VectorSet, tag: str) -> Tensors:
    """The tag's tensors, whatever the end of their file's name says of their type."""
    usual = f"weights_{tag}.safetensors"
    found = [name for name in vectors.files if fnmatchcase(name, f"weights_{tag}_*.safetensors")]
    name = usual if usual in vectors or len(found) != 1 else found[0]
    if name not in vectors:
        raise VectorError(f"{usual}: expected this file or one weights_{tag}_*.safetensors, found {len(found)}")
    return vectors.cached(("tensors", tag), lambda: vectors.tensors("", name))


def language_of(vectors: VectorSet, tag: str, dtype: ComputeDtype = "float32") -> Language:
    """The tag's model, computing in `dtype`."""
    return vectors.cached(("mrt1", tag, dtype), lambda: _load(vectors, tag, dtype))


def _load(vectors: VectorSet, tag: str, dtype: ComputeDtype) -> Language:
    config, tensors = replace(config_of(vectors, tag), compute_dtype=dtype), tensors_of(vectors, tag)
    try:
        params = load_params(config, tensors.flat)
    except CheckpointError as error:
        raise VectorError(f"{tensors.file}: {error}") from None
    kernel = jnp.asarray(np.asarray(tensors.flat[LOGITS], np.float32))
    return Language(config, params, params._replace(depth=depth.unrestricted(params.depth, kernel)))


def ids_of(arrays: Arrays, config: MagentaRT1Config, name: str, *shape: int | str) -> Array:
    """Token ids int32[*shape], each a row of the table: an id outside would be quietly clamped."""
    ids = arrays.take(name, *shape, kind="i")
    wrong = np.argwhere((ids < 0) | (ids >= config.vocabulary))
    if len(wrong):
        at = tuple(int(index) for index in wrong[0])
        said = f"expected an id in 0..{config.vocabulary - 1}, got {ids[at]}"
        raise VectorError(f"{arrays.file}: {name}{list(at)}: {said}")
    return ids.astype(np.int32)
