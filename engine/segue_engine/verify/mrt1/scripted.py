# SPDX-License-Identifier: Apache-2.0
"""Files system_scripted_*: the published chunk loop around given tokens, a formula codec and stored styles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_1 import published_decode as published
from segue_engine.models.magenta_rt_1.config import MagentaRT1Config
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt1 import stubs
from segue_engine.verify.vector_set import Arrays, VectorError, VectorSet

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """One call: its tokens [frames · levels], its style, and guidance, temperature and top-k as it was called with."""

    ids: Array
    style: Array | None
    called: Array


def plan(vectors: VectorSet, file: str) -> Plan:
    """scripted_llm_tokens_i, style_embeddings [n, E] → encoder inputs, keys, codes, waves, sounds and contexts.

    Sizes are read off the arrays. The seed is the first key's; a chunk's style is given where its encoder inputs end in
    style ids, and then it is embedding i; decoder params are what the caller said, but for the number of steps.
    """
    arrays = vectors.arrays(file)
    config, samples = _outline(arrays)
    chunks = _chunks(arrays, config)
    key = arrays.take("scripted_prng_key_0", 2, kind="u").astype(np.uint64)
    seed = int(key[0]) << 32 | int(key[1])

    def run(tick: Tick) -> Iterator[Produced]:
        state, codec = published.fresh(config, samples, stubs.CHANNELS), stubs.formula_codec(samples)
        for index, chunk in enumerate(chunks):
            rows = published.encoder_rows(config, state, chunk.style)
            yield Produced(f"scripted_encoder_inputs_{index}", rows)
            first = jax.random.key(published.chunk_seed(seed, state), impl="threefry2x32")
            yield Produced(f"scripted_prng_key_{index}", np.asarray(jax.random.key_data(first)))
            steps = config.frames * config.levels
            yield Produced(f"scripted_decoder_params_{index}", np.concatenate([[steps], chunk.called]), "as called")
            made = published.finish(config, state, chunk.ids, codec)
            yield Produced(f"scripted_codec_in_{index}", made.codes)
            yield Produced(f"scripted_codec_out_{index}", made.wave)
            yield Produced(f"scripted_chunk_{index}", made.sound)
            yield Produced(f"scripted_state_tail_{index}", made.state.tail)
            yield Produced(f"scripted_context_{index}", made.state.context)
            state = made.state
            tick()

    return Plan(steps=len(chunks), run=run)


def _outline(arrays: Arrays) -> tuple[MagentaRT1Config, int]:
    """The sizes of the tokens, and samples per frame."""
    context_frames, levels = arrays.take("scripted_context_0", "frames", "levels", kind="i").shape
    overlapped = len(arrays.take("scripted_codec_in_0", "frames", levels, kind="i"))
    source = arrays.take("scripted_encoder_inputs_0", 2, "S", kind="i").shape[1]
    wave = len(arrays.take("scripted_codec_out_0", "samples", stubs.CHANNELS))
    if overlapped < 2 or wave % overlapped:
        raise VectorError(f"{arrays.file}: scripted_codec_out_0: expected whole frames for {overlapped} rows of codes")
    codebook = arrays.take(stubs.CODEBOOKS, "levels", "entries", "E").shape[1]
    config = stubs.outline(
        arrays.file,
        levels=levels,
        codebook=codebook,
        frames=overlapped - 1,
        context_frames=context_frames,
        source=source,
    )
    return config, wave // overlapped


def _chunks(arrays: Arrays, config: MagentaRT1Config) -> list[_Chunk]:
    embeddings = arrays.take("style_embeddings", "n", "E").astype(np.float32)
    codes = stubs.style_codes(arrays, embeddings)
    chunks: list[_Chunk] = []
    for index in count():
        if f"scripted_llm_tokens_{index}" not in arrays:
            return chunks
        ids = arrays.take(f"scripted_llm_tokens_{index}", config.frames * config.levels, kind="i")
        golden = arrays.take(f"scripted_encoder_inputs_{index}", 2, config.source_length, kind="i")
        styled = stubs.codes_of_ids(config, golden[0, -config.style_levels :], arrays.file) is not None
        if styled and index >= len(codes):
            raise VectorError(
                f"{arrays.file}: style_embeddings: expected one for chunk {index}, there are {len(codes)}"
            )
        called = arrays.take(f"scripted_decoder_params_{index}", 4)[1:]
        chunks.append(_Chunk(ids, codes[index] if styled else None, called))
    raise AssertionError("count() ends")
