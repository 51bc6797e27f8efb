# SPDX-License-Identifier: Apache-2.0
"""What keys and shapes a located model's files must have. Its functions import jax; importing this module does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from segue_engine.checkpoints.description import Description
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.places import Located

if TYPE_CHECKING:
    from segue_engine.models.magenta_rt_2.config import MagentaRT2Config
    from segue_engine.spectrostream import SpectroStreamConfig

Shapes = dict[str, tuple[int, ...]]

CODEC_PREFIX: Final = "params/soundstream/"
ENCODER_PREFIX: Final = "params/"


def described(located: Located) -> Description:
    """A located model's size, whether it is published or described beside its checkpoint."""
    return located.description or Description(located.name, synthetic=False, preset=located.name)


def model_config(description: Description) -> MagentaRT2Config:
    """The language model's sizes, under the description's name. Raises CheckpointFileError naming the key."""
    from segue_engine.models.magenta_rt_2.config import config_of_vectors, preset

    if description.preset is not None:
        return dataclasses.replace(preset(description.preset), name=description.name)
    try:
        return config_of_vectors(description.config or {}, description.name)
    except ValueError as error:
        raise CheckpointFileError(f"{description.name}: {error}") from None


def codec_config(description: Description) -> SpectroStreamConfig:
    """The codec's sizes. Raises CheckpointFileError naming the key."""
    from segue_engine.spectrostream import SpectroStreamConfig, config_of_vectors

    if description.preset is not None:
        return SpectroStreamConfig()
    try:
        return config_of_vectors(description.config or {})
    except ValueError as error:
        raise CheckpointFileError(f"{description.name}: {error}") from None


def checkpoint_shapes(description: Description) -> Shapes:
    """Key → shape of the language model with the codec's decoder and codebooks, as published in one file."""
    from segue_engine.models.magenta_rt_2.weights import published_shapes
    from segue_engine.spectrostream import published_shapes as codec_shapes

    parts = codec_shapes(codec_config(description), parts=("decoder", "quantizer"), prefix=CODEC_PREFIX)
    return {**published_shapes(model_config(description)), **_shapes(parts)}


def encoder_shapes(description: Description) -> Shapes:
    """Key → shape of the codec's encoder, which has a file of its own."""
    from segue_engine.spectrostream import published_shapes as codec_shapes

    return _shapes(codec_shapes(codec_config(description), parts=("encoder",), prefix=ENCODER_PREFIX))


def _shapes(parts: Mapping[str, Any]) -> Shapes:
    return {key: tuple(shape) for key, shape in parts.items()}
