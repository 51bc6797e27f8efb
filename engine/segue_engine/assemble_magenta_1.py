# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 1 put together for `assemble`: its own language model, codec and styles of the second version's files."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from segue_engine.assemble_magenta import (
    MagentaOptions,
    MagentaParts,
    codec_of,
    compute_dtype,
    style_encoder,
    tokenizer_of,
)

if TYPE_CHECKING:
    from segue_engine.checkpoints import Located

_log = logging.getLogger(__name__)


def load(located: Located, kind: str, options: MagentaOptions) -> MagentaParts:
    """Read and check the files of a Magenta RT 1 for a device of that kind. Raises EngineError naming file and key.

    located: as `checkpoints.find` gives it. The language model is read array by array.
    """
    from segue_engine.checkpoints import layout
    from segue_engine.checkpoints.codec import codec_tensors
    from segue_engine.checkpoints.reader import fingerprint
    from segue_engine.checkpoints.t5x import open_t5x
    from segue_engine.models.magenta_rt_1 import MagentaRT1, load_params

    size = layout.described(located)
    if located.checkpoint is None:  # `find` has raised for it
        raise AssertionError(located)
    config = replace(layout.model_config_1(size), compute_dtype=compute_dtype(kind, options))
    mapper = "off" if options.mapper == "auto" else options.mapper
    styles = style_encoder(located, mapper, min(options.style_levels, config.style_levels))
    file, shapes = open_t5x(located.checkpoint), layout.checkpoint_shapes(size)
    for note in file.check(shapes, located.name):
        _log.info("%s: %s", located.checkpoint, note)
    sound = codec_tensors(located.codec, size)
    codec = codec_of(located, sound, config.levels, kind, options, fingerprint(sound))
    params = load_params(config, file.only(shapes))
    model = MagentaRT1(config, params, codec, file.fingerprint())
    return MagentaParts(model, styles, tokenizer_of(located, sound, config.levels))
