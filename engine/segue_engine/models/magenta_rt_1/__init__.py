# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 1: an encoder over ten seconds of codes and a style, and a decoder of chunks of two seconds.

Pure functions on explicit state, batch axis first, rows independent. `encoder` (whole or in pieces), `temporal` (cached
or teacher-forced) and `depth` are the network on rows; `chunk` is a slot's state and one frame of it, both branches of
guidance in the slot; `sampling`, `published_sampling` and `published_decode` are the published rules, for parity.

How the slot engine is meant to drive it. A slot goes round through four phases:

1. *context*: frame f is reached at which a chunk ends (f = begun + frames) or is cut by a control. The encoder reads
   the 250 frames of codes before f and the style that is in force there. Codes live in a ring of context_frames +
   rewind + frames entries (`layers.ring`), so that no session holds more history than that.
2. *encode*: `encoder.enter`, `encoder.go_on(first, stop)` over a few layers per engine step, `encoder.leave` with
   `temporal.project`, `chunk.land`. A piece is bounded work and runs like a prefill between the frame steps of other
   slots, from one budget; the slot itself is not due meanwhile and lives on its lead. One pass needs one activation
   [2, S, D] per bank, not per slot. The negative branch does not hear the style: its rows can run first, as a pass of
   their own, and the style be read as late as the positive pass begins. Landing writes the slot's rows only.
3. *decode*: `chunk.frame` for all due slots at once, each at its own place at = f − begun of its own chunk, its key
   from (seed, frame, level). The guidance weight is the contract's style scale less 1: there 1 is plain sampling.
4. the next chunk, from 1. At rated load the pieces of a pass are part of every 50 frames' budget.

What rewinds how. Inside of the chunk: counting down; own keys past `at` weigh nothing and the source stays, so going
on again gives the same bits. To before the chunk's beginning: the source is gone. The engine keeps a log of (begun,
style codes) per chunk; it re-runs the pass of the chunk that holds the frame from the code ring (same pieces, same
bits), and then `temporal.step` over the given codes from that chunk's beginning up to the frame, without the depth
transformer. A control that rewinds in order to change the style needs none of this: it cuts, that is, begins a chunk
at the frame it rewound to (phase 1 with another f), which costs one pass wherever that is. Prefilled codes only fill
the ring.

Random keys, codec and mastering are as for any frame model. `two_pass_guidance` is False: both branches always run,
because the negative one's keys must be complete when guidance changes inside of a chunk.

Memory per slot: source 2 branches · 2 · temporal_layers · source_length · heads · units numbers (124 MB base, 165 MB
large in bfloat16), own the same with `frames` in place of source_length (6 MB, 8 MB), codes 2 bytes each.
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
