# SPDX-License-Identifier: Apache-2.0
"""Files system_e2e_<tag>: sessions of some chunks by the published loop and sampler, from context to sound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_1 import published_decode as published
from segue_engine.models.magenta_rt_1.config import MagentaRT1Config
from segue_engine.models.magenta_rt_1.published_decode import Ints
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt1 import forced, stubs
from segue_engine.verify.mrt1.language import Language, ids_of, language_of
from segue_engine.verify.mrt1.sampled import Run, sampled
from segue_engine.verify.vector_set import Arrays, VectorError, VectorSet

Array = NDArray[Any]

_FILE: Final = re.compile(r"system_(?P<tag>e2e_.+)\.npz")
_POSITIONS: Final = re.compile(r"e2e_tf_logits_pos(?P<positions>\d+(?:_\d+)*)")
_SEED: Final = 5
_HOW: Final = (5.0, 1.1, 40)
"""Seed, and guidance, temperature and top-k, of a file that has no e2e_seed and e2e_params."""


def plan(vectors: VectorSet, file: str) -> Plan:
    """Chunks 0, 1, …: e2e_encoder_inputs_i, e2e_llm_tokens_i, e2e_scores_i, e2e_chunk_i, e2e_context_i, each from what
    our own chunks before it left; e2e_tf_logits_pos<p>_<q>…: of chunk 0's golden tokens at these flat positions."""
    arrays = vectors.arrays(file)
    found = _FILE.fullmatch(file)
    if found is None:
        raise VectorError(f"{file}: expected system_e2e_<tag>.npz")
    language = language_of(vectors, found["tag"])
    config = language.config
    chunks, samples = _chunks(arrays, config), _samples(arrays, config)
    style, whence = _style(vectors, arrays, config, found["tag"].removeprefix("e2e_"))
    seed = int(arrays.take("e2e_seed", 1, kind="i")[0]) if "e2e_seed" in arrays else _SEED
    how = arrays.take("e2e_params", 3).tolist() if "e2e_params" in arrays else _HOW
    given = _given(arrays, config)

    def run(tick: Tick) -> Iterator[Produced]:
        if given is not None:
            yield from _teacher_forced(arrays, language, *given)
        state, codec = published.fresh(config, samples, stubs.CHANNELS), stubs.formula_codec(samples)
        for index in range(chunks):
            source = published.encoder_rows(config, state, style)
            yield Produced(f"e2e_encoder_inputs_{index}", source, whence)
            weight, temperature, top_k = how
            steps = config.frames * config.levels
            each = Run("", "", published.chunk_seed(seed, state), weight, temperature, int(top_k), steps)
            decoded = sampled(language, source, each)
            ids = np.asarray(decoded.ids)
            yield Produced(f"e2e_llm_tokens_{index}", ids, "published sampler")
            yield Produced(f"e2e_scores_{index}", np.asarray(decoded.scores), "published sampler")
            made = published.finish(config, state, ids[0], codec)
            yield Produced(f"e2e_chunk_{index}", made.sound)
            yield Produced(f"e2e_context_{index}", made.state.context)
            state = made.state
            tick()

    return Plan(steps=chunks, run=run)


def _chunks(arrays: Arrays, config: MagentaRT1Config) -> int:
    tokens = config.frames * config.levels
    for index in count():
        if f"e2e_llm_tokens_{index}" not in arrays:
            if index == 0:
                raise VectorError(f"{arrays.file}: expected e2e_llm_tokens_0, it holds {', '.join(arrays)}")
            return index
        arrays.check(f"e2e_llm_tokens_{index}", 2, tokens, kind="i")
        arrays.check(f"e2e_encoder_inputs_{index}", 2, config.source_length, kind="i")
        arrays.check(f"e2e_scores_{index}", 2)
        arrays.check(f"e2e_context_{index}", config.context_frames, config.levels, kind="i")
    raise AssertionError("count() ends")


def _samples(arrays: Arrays, config: MagentaRT1Config) -> int:
    """Samples per frame of the formula codec."""
    samples, rest = divmod(len(arrays.take("e2e_chunk_0", "samples", stubs.CHANNELS)), config.frames)
    if rest or not samples:
        raise VectorError(f"{arrays.file}: e2e_chunk_0: expected {config.frames} whole frames")
    return samples


def _style(vectors: VectorSet, arrays: Arrays, config: MagentaRT1Config, tag: str) -> tuple[Ints | None, str]:
    """Style codes: of the stored embedding, where its codebooks are here too, else as the golden inputs state them."""
    beside = f"system_scripted_{tag}.npz"
    holder = arrays if stubs.CODEBOOKS in arrays else vectors.arrays(beside) if beside in vectors else None
    if holder is not None and stubs.CODEBOOKS in holder and "e2e_style_embedding" in arrays:
        embedding = arrays.take("e2e_style_embedding", "E").astype(np.float32)
        return stubs.style_codes(holder, embedding[None])[0], "style embedded"
    golden = arrays.take("e2e_encoder_inputs_0", 2, config.source_length, kind="i")
    return stubs.codes_of_ids(config, golden[0, -config.style_levels :], arrays.file), "style codes as given"


def _given(arrays: Arrays, config: MagentaRT1Config) -> tuple[Array, Array] | None:
    """Chunk 0's source [2, S] and tokens [2, frames, levels], if its logits are wanted."""
    if not any(_POSITIONS.fullmatch(name) for name in arrays):
        return None
    source = ids_of(arrays, config, "e2e_encoder_inputs_0", 2, config.source_length)
    target = ids_of(arrays, config, "e2e_llm_tokens_0", 2, config.frames * config.levels)
    return source, target.reshape(2, config.frames, config.levels)


def _teacher_forced(arrays: Arrays, language: Language, source: Array, target: Array) -> Iterator[Produced]:
    config, run = language.config, forced.programs(language.config)
    wanted = {name: found["positions"] for name in arrays if (found := _POSITIONS.fullmatch(name))}
    places = {name: [int(place) for place in places.split("_")] for name, places in wanted.items()}
    highest = max(max(positions) for positions in places.values())
    if highest >= config.frames * config.levels:
        raise VectorError(f"{arrays.file}: position {highest}: expected at most {config.frames * config.levels - 1}")
    encoded = forced.encoded(language, source, config.encoder_layers, np.ones(source.shape, bool))
    heard = run.project(language.params, encoded)
    frames = highest // config.levels + 1  # causal: what comes later changes nothing
    logits = np.asarray(run.whole(language.unrestricted, heard, target[:, :frames]))
    for name, positions in places.items():
        yield Produced(name, logits[:, positions], "whole")
