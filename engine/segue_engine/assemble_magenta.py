# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 2 put together from its published files, for `assemble`: language model, codec, styles, tokenizer."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from segue_engine import checkpoints
from segue_engine.contract import STYLE_LEVELS, StyleEncoder

if TYPE_CHECKING:
    from segue_engine.checkpoints import Checkpoint, Located
    from segue_engine.models.magenta_rt_2 import MagentaRT2
    from segue_engine.spectrostream.tokenizer import SpectroStreamTokenizer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MagentaOptions:
    """How a Magenta RT 2 is run. "auto": float32 on a CPU; bfloat16 and TF32 on an accelerator.

    dtype: of the language model. codec: of the codec's products. style_levels: how many of the 12 style codes are heard
    (the published JAX system uses 12, the published desktop engine 6). mapper: whether texts go through MusicCoCa's
    mapper into the space of audio ("auto": if the file is here).
    """

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    codec: Literal["auto", "float32", "tf32", "bfloat16"] = "auto"
    style_levels: int = STYLE_LEVELS
    mapper: Literal["auto", "on", "off"] = "auto"


@dataclass(frozen=True, slots=True)
class MagentaParts:
    """What the slot engine and the service are given."""

    model: MagentaRT2
    styles: StyleEncoder
    tokenizer: SpectroStreamTokenizer | None


def load(name: str, kind: str, options: MagentaOptions, models_dir: Path | None) -> MagentaParts:
    """Read and check the files of a located model for a device of that kind. Raises EngineError naming file and key."""
    from dataclasses import replace

    from segue_engine.checkpoints import layout
    from segue_engine.models.magenta_rt_2 import MagentaRT2, load_params
    from segue_engine.spectrostream import SpectroStream, load_codebooks, load_decoder

    located = checkpoints.find(name, models_dir)
    size = layout.described(located)
    if located.checkpoint is None:  # `find` has raised for it
        raise AssertionError(located)
    styles = _styles(located, options)
    file = checkpoints.open_checkpoint(located.checkpoint)
    shapes = layout.checkpoint_shapes(size)
    for note in file.check(shapes, located.name):
        _log.info("%s: %s", located.checkpoint, note)
    flat = file.only(shapes)
    on_cpu = kind == "cpu"
    dtype = ("float32" if on_cpu else "bfloat16") if options.dtype == "auto" else options.dtype
    precision = ("float32" if on_cpu else "tf32") if options.codec == "auto" else options.codec
    config = replace(layout.model_config(size), compute_dtype=dtype)
    codec_config, fingerprint = layout.codec_config(size), _fingerprint(file)
    codec = SpectroStream(
        codec_config,
        load_decoder(codec_config, flat),
        load_codebooks(codec_config, flat),
        levels=config.levels,
        precision=precision,
        fingerprint=fingerprint,
    )
    model = MagentaRT2(config, load_params(config, flat), codec, fingerprint)
    return MagentaParts(model, styles, _tokenizer(located, flat, config.levels))


def _styles(located: Located, options: MagentaOptions) -> StyleEncoder:
    from segue_engine.styles.cache import CachedStyleEncoder
    from segue_engine.styles.musiccoca import MusicCoCa, MusicCoCaSettings

    if located.musiccoca is None:
        raise AssertionError(located)
    encoder = MusicCoCa(located.musiccoca, MusicCoCaSettings(mapper=options.mapper, style_levels=options.style_levels))
    encoder.load(audio=encoder.takes_audio)
    return CachedStyleEncoder(encoder)


def _tokenizer(located: Located, flat: Mapping[str, NDArray[Any]], levels: int) -> SpectroStreamTokenizer | None:
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


def _fingerprint(file: Checkpoint) -> str:
    """Identifies weights without reading all of them: the header, and a sample of each tensor's bytes."""
    digest = hashlib.sha256()
    for key in sorted(file):
        tensor = file[key]
        flat = tensor.reshape(-1)
        digest.update(f"{key}{tensor.shape}{tensor.dtype}".encode())
        digest.update(flat[:64].tobytes() + flat[-64:].tobytes())
    return digest.hexdigest()[:8]
