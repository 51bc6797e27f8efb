# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 2 put together from its published files, for `assemble`, and what it shares with the first version."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from segue_engine import checkpoints
from segue_engine.contract import STYLE_LEVELS, StyleEncoder

if TYPE_CHECKING:
    from segue_engine.checkpoints import Located
    from segue_engine.frame_model import FrameModel
    from segue_engine.models.magenta_rt_2.config import ComputeDtype
    from segue_engine.spectrostream import SpectroStream
    from segue_engine.spectrostream.tokenizer import SpectroStreamTokenizer
    from segue_engine.styles.musiccoca.settings import Mapper

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MagentaOptions:
    """How a Magenta RT is run. "auto": float32 on a CPU; bfloat16 and TF32 on an accelerator.

    dtype: of the language model. codec: of the codec's products. style_levels: how many of the 12 style codes are heard
    (of RT 2 the published JAX system uses 12, the published desktop engine 6; RT 1 hears no more than 6). mapper:
    whether texts go through MusicCoCa's mapper into the space of audio ("auto": with RT 2, if the file is here; RT 1
    was published without one).
    """

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    codec: Literal["auto", "float32", "tf32", "bfloat16"] = "auto"
    style_levels: int = STYLE_LEVELS
    mapper: Literal["auto", "on", "off"] = "auto"


@dataclass(frozen=True, slots=True)
class MagentaParts:
    """What the slot engine and the service are given."""

    model: FrameModel
    styles: StyleEncoder
    tokenizer: SpectroStreamTokenizer | None


def load(located: Located, kind: str, options: MagentaOptions) -> MagentaParts:
    """Read and check the files of a Magenta RT 2 for a device of that kind. Raises EngineError naming file and key.

    located: as `checkpoints.find` gives it.
    """
    from segue_engine.checkpoints import layout
    from segue_engine.models.magenta_rt_2 import MagentaRT2, load_params

    size = layout.described(located)
    if located.checkpoint is None:  # `find` has raised for it
        raise AssertionError(located)
    styles = style_encoder(located, options.mapper, options.style_levels)
    file = checkpoints.open_checkpoint(located.checkpoint)
    shapes = layout.checkpoint_shapes(size)
    for note in file.check(shapes, located.name):
        _log.info("%s: %s", located.checkpoint, note)
    flat, fingerprint = file.only(shapes), file.fingerprint()
    config = replace(layout.model_config(size), compute_dtype=compute_dtype(kind, options))
    codec = codec_of(located, flat, config.levels, kind, options, fingerprint)
    model = MagentaRT2(config, load_params(config, flat), codec, fingerprint)
    return MagentaParts(model, styles, tokenizer_of(located, flat, config.levels))


def compute_dtype(kind: str, options: MagentaOptions) -> ComputeDtype:
    """What the language model computes in on a device of that kind."""
    if options.dtype == "auto":
        return "float32" if kind == "cpu" else "bfloat16"
    return options.dtype


def codec_of(
    located: Located,
    flat: Mapping[str, NDArray[Any]],
    levels: int,
    kind: str,
    options: MagentaOptions,
    fingerprint: str,
) -> SpectroStream:
    """flat: the codec's decoder and codebooks, among others; fingerprint: of the file that they come from."""
    from segue_engine.checkpoints import layout
    from segue_engine.spectrostream import SpectroStream, load_codebooks, load_decoder

    config = layout.codec_config(layout.described(located))
    automatic: Literal["float32", "tf32"] = "float32" if kind == "cpu" else "tf32"
    return SpectroStream(
        config,
        load_decoder(config, flat),
        load_codebooks(config, flat),
        levels=levels,
        precision=automatic if options.codec == "auto" else options.codec,
        fingerprint=fingerprint,
    )


def style_encoder(located: Located, mapper: Mapper, style_levels: int) -> StyleEncoder:
    """MusicCoCa with its files loaded, keeping what it has embedded."""
    from segue_engine.styles.cache import CachedStyleEncoder
    from segue_engine.styles.musiccoca import MusicCoCa, MusicCoCaSettings

    if located.musiccoca is None:
        raise AssertionError(located)
    encoder = MusicCoCa(located.musiccoca, MusicCoCaSettings(mapper=mapper, style_levels=style_levels))
    encoder.load(audio=encoder.takes_audio)
    return CachedStyleEncoder(encoder)


def tokenizer_of(located: Located, flat: Mapping[str, NDArray[Any]], levels: int) -> SpectroStreamTokenizer | None:
    """What makes codes of a recording; None where the codec's encoder is not here. flat: as for `codec_of`."""
    from segue_engine.checkpoints import layout
    from segue_engine.spectrostream import SpectroStreamEncoder, load_codebooks, load_encoder
    from segue_engine.spectrostream.tokenizer import SpectroStreamTokenizer

    if located.encoder is None:
        return None
    size = layout.described(located)
    shapes = layout.encoder_shapes(size)
    file = checkpoints.open_checkpoint(located.encoder)
    file.check(shapes, located.name)
    config = layout.codec_config(size)
    codebooks = load_codebooks(config, flat)
    network = load_encoder(config, file.only(shapes))
    return SpectroStreamTokenizer(SpectroStreamEncoder(config, network, codebooks[:levels]), levels)
