# SPDX-License-Identifier: Apache-2.0
"""What keys and shapes a located model's files must have. Its functions import jax; importing this module does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal

from segue_engine.checkpoints.description import Description
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.located import Located

if TYPE_CHECKING:
    from segue_engine.models.magenta_rt_1 import MagentaRT1Config
    from segue_engine.models.magenta_rt_2.config import MagentaRT2Config
    from segue_engine.spectrostream import SpectroStreamConfig

Part = Literal["decoder", "quantizer", "encoder"]
Shapes = dict[str, tuple[int, ...]]

CODEC_PREFIX: Final = "params/soundstream/"
FILE_PREFIX: Final = "params/"
"""Of a part of the codec in a file of its own."""
CODEC_PARTS: Final[tuple[Part, ...]] = ("decoder", "quantizer")
"""What a language-model checkpoint of a Magenta RT 2 holds; the encoder is always apart."""


def described(located: Located) -> Description:
    """A located model's size, whether it is published or described beside its checkpoint."""
    if located.description is not None:
        return located.description
    return Description(located.name, synthetic=False, preset=located.name, family=located.family)


def model_config(description: Description) -> MagentaRT2Config:
    """A Magenta RT 2's sizes, under the description's name. Raises CheckpointFileError naming the key."""
    from segue_engine.models.magenta_rt_2.config import config_of_vectors, preset

    if description.preset is not None:
        return dataclasses.replace(preset(description.preset), name=description.name)
    try:
        return config_of_vectors(description.config or {}, description.name)
    except ValueError as error:
        raise CheckpointFileError(f"{description.name}: {error}") from None


def model_config_1(description: Description) -> MagentaRT1Config:
    """A Magenta RT 1's sizes, under the description's name. Raises CheckpointFileError naming the key."""
    from segue_engine.models.magenta_rt_1 import config_of_vectors, preset

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
    """Key → shape of the published file of the language model; that of a Magenta RT 2 holds decoder and codebooks."""
    if description.family == "mrt1":
        from segue_engine.models.magenta_rt_1 import published_shapes as first_version_shapes

        return first_version_shapes(model_config_1(description))
    from segue_engine.models.magenta_rt_2.weights import published_shapes

    return {**published_shapes(model_config(description)), **codec_shapes(description, CODEC_PARTS, CODEC_PREFIX)}


def codec_shapes(description: Description, parts: Iterable[Part], prefix: str) -> Shapes:
    """Key → shape of parts of the codec, below a prefix."""
    from segue_engine.spectrostream import published_shapes

    found = published_shapes(codec_config(description), parts=parts, prefix=prefix)
    return {key: tuple(shape) for key, shape in found.items()}


def encoder_shapes(description: Description) -> Shapes:
    """Key → shape of the codec's encoder, which has a file of its own."""
    return codec_shapes(description, ("encoder",), FILE_PREFIX)
