# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 1: an encoder over ten seconds of codes and a style, and a decoder of chunks of two seconds.

Pure functions on explicit state, batch axis first, rows independent. `encoder` (whole or in pieces), `temporal` (cached
or teacher-forced) and `depth` are the network on rows; `chunk` is a slot's state and one frame of it, both branches of
guidance in the slot; `sampling`, `published_sampling` and `published_decode` are the published rules, for parity.

A slot goes round: at the frame where a chunk ends, or is cut by a change of style, the encoder reads the 250 frames of
codes before it and the style in force there (`hearing`, one pass per branch of guidance, in pieces of three layers);
keys and values of what it heard land in the slot (`chunk.land_branch`); then `chunk.step` makes one frame after the
other, each slot at its own place of its own chunk. `model` puts this together as a `FrameModel`, `rings` says what a
slot remembers. When passes run and where chunks begin is the slot engine's business (`batch.chunks`, `batch.passes`).

Going back is counting down in `rings`: own keys and values of chunk + rewind frames, codes of context + chunk + rewind
frames. What the encoder heard is of one chunk only; back in an earlier one, that chunk's passes run again.

Both branches run whatever the scale of guidance, because the negative one's keys must be complete when it changes
inside of a chunk. The published weight is the contract's style scale less 1: there 1 is plain sampling.
"""

from segue_engine.models.magenta_rt_1.chunk import ChunkState
from segue_engine.models.magenta_rt_1.config import BASE, LARGE, MagentaRT1Config, config_of_vectors, preset
from segue_engine.models.magenta_rt_1.model import MagentaRT1
from segue_engine.models.magenta_rt_1.parameters import ModelParams
from segue_engine.models.magenta_rt_1.weights import CheckpointError, load_params, published_shapes

__all__ = [
    "BASE",
    "LARGE",
    "CheckpointError",
    "ChunkState",
    "MagentaRT1",
    "MagentaRT1Config",
    "ModelParams",
    "config_of_vectors",
    "load_params",
    "preset",
    "published_shapes",
]
