# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 2: a transformer over frames and one over the codes of a frame, steered by conditioning tokens."""

from segue_engine.codec import Codec
from segue_engine.models.magenta_rt_2.config import (
    BASE,
    SMALL,
    MagentaRT2Config,
    StackConfig,
    config_of_vectors,
    preset,
)
from segue_engine.models.magenta_rt_2.model import MagentaRT2
from segue_engine.models.magenta_rt_2.weights import CheckpointError, load_params, published_shapes

__all__ = [
    "BASE",
    "SMALL",
    "CheckpointError",
    "Codec",
    "MagentaRT2",
    "MagentaRT2Config",
    "StackConfig",
    "config_of_vectors",
    "load_params",
    "preset",
    "published_shapes",
]
