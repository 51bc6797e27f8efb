# SPDX-License-Identifier: Apache-2.0
"""Files misc_*: positions, top-k, one step of sampling, token maps, the residual quantiser, ramps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_1 import positions, published_decode, sampling, vocabulary
from segue_engine.spectrostream.rvq import dequantise, quantise
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt1.stubs import outline
from segue_engine.verify.vector_set import Arrays, VectorError, VectorSet

Array = NDArray[Any]

_BUCKETS: Final = re.compile(r"relpos_bucket_(?P<stack>temporal|depth)_(?P<length>\d+)(?:_(?P<count>\d+))?")
_SINES: Final = re.compile(r"sinusoid_(?P<width>\d+)")
_ROWS: Final = re.compile(r"sinusoid_\d+_rows")
_TOP_K: Final = re.compile(r"topk_out_k(?P<k>\d+)")
_RAMP: Final = re.compile(r"ramp_(?P<kind>eqpower|linear)_(?P<samples>\d+)")
_TEMPORAL_BUCKETS: Final = 128
_STEP: Final = (5.0, 1.1, 40)
"""Guidance, temperature and top-k of the step in a file that has no step_params."""
_DEQUANTISED: Final = 3
_LONGEST: Final = 100_000


def plan(vectors: VectorSet, file: str) -> Plan:
    """Whatever of the file's arrays is known by name; an array of another name is not computed."""
    arrays = vectors.arrays(file)
    parts = [_buckets(arrays), _sines(arrays), _ramps(arrays), _step(arrays), _top_k(arrays), _ids(arrays)]
    parts.append(_quantiser(arrays))

    def run(tick: Tick) -> Iterator[Produced]:
        for part in parts:
            yield from part
        tick()

    return Plan(steps=1, run=run)


def _buckets(arrays: Arrays) -> Iterator[Produced]:
    for name in arrays:
        found = _BUCKETS.fullmatch(name)
        if found is None:
            continue
        length = _length(arrays, name, found["length"])
        usual = _TEMPORAL_BUCKETS if found["stack"] == "temporal" else length
        count = int(found["count"] or usual)
        behind = np.maximum(np.arange(length)[:, None] - np.arange(length), 0)
        table = positions.buckets(behind, count, count)
        yield Produced(name, table if arrays[name].ndim == 2 else table[-1])


def _sines(arrays: Arrays) -> Iterator[Produced]:
    rows_name = next((name for name in arrays if _ROWS.fullmatch(name)), None)
    for name in arrays:
        found = _SINES.fullmatch(name)
        if found is None:
            continue
        golden = arrays.take(name, "rows", int(found["width"]))
        rows = np.arange(len(golden))
        if rows_name is not None:
            rows = arrays.take(rows_name, len(golden), kind="i")
            if rows.min() < 0 or rows.max() >= _LONGEST:
                raise VectorError(f"{arrays.file}: {rows_name}: expected rows in 0..{_LONGEST - 1}")
        yield Produced(name, positions.sinusoids(int(rows.max()) + 1, int(found["width"]))[rows])
    if rows_name is not None:  # an input, though a rule for sinusoid_* takes it in
        yield Produced(rows_name, arrays[rows_name], "as given")


def _ramps(arrays: Arrays) -> Iterator[Produced]:
    for name in arrays:
        found = _RAMP.fullmatch(name)
        if found is not None:
            samples = _length(arrays, name, found["samples"])
            equal_power = found["kind"] == "eqpower"
            ramp = published_decode.equal_power_ramp if equal_power else published_decode.linear_ramp
            yield Produced(name, ramp(samples))


def _top_k(arrays: Arrays) -> Iterator[Produced]:
    for name in arrays:
        found = _TOP_K.fullmatch(name)
        if found is not None:
            logits = arrays.take("topk_in", "rows", "ids")
            yield Produced(name, np.asarray(sampling.kept(jnp.asarray(logits), jnp.float32(1), jnp.int32(found["k"]))))


def _step(arrays: Arrays) -> Iterator[Produced]:
    if "step_logits_cond_uncond" not in arrays:
        return
    logits = jnp.asarray(arrays.take("step_logits_cond_uncond", 2, "ids").astype(np.float32))
    stated = arrays.take("step_params", 3).tolist() if "step_params" in arrays else _STEP
    weight, temperature, top_k = jnp.float32(stated[0]), jnp.float32(stated[1]), jnp.int32(stated[2])
    mixed = sampling.guided(logits[:1], logits[1:], weight[None])
    yield Produced("step_cfg", np.asarray(mixed))
    both = jnp.repeat(mixed, 2, axis=0)
    yield Produced("step_masked_scaled", np.asarray(sampling.kept(both, temperature, top_k)))
    raw = arrays.take("step_key", 2, kind="u").astype(np.uint32)
    own, following = jax.random.split(jax.random.wrap_key_data(jnp.asarray(raw), impl="threefry2x32"))
    yield Produced("step_key1_used", np.asarray(jax.random.key_data(own)))
    yield Produced("step_key2_next", np.asarray(jax.random.key_data(following)))
    yield Produced("step_gumbel", np.asarray(jax.random.gumbel(own, both.shape, jnp.float32)))
    yield Produced("step_token", np.asarray(sampling.draw(own, both, temperature, top_k).ids))


def _ids(arrays: Arrays) -> Iterator[Produced]:
    if "rvq_tokens" not in arrays:
        return
    codes = arrays.take("rvq_tokens", "n", "levels", kind="i")
    ids = arrays.take("rvq_to_llm", *codes.shape, kind="i")
    codebook = int(ids[0, 1] - codes[0, 1]) - 2 if codes.shape[1] > 1 else 1024
    config = outline(arrays.file, levels=codes.shape[1], codebook=codebook)
    yield Produced("rvq_to_llm", np.asarray(vocabulary.code_ids(config, jnp.asarray(codes, jnp.int32))))
    if "llm_any" in arrays:
        anything = arrays.take("llm_any", "n", "levels", kind="i")
        folded = vocabulary.folded_codes(config, jnp.asarray(anything, jnp.int32))
        yield Produced("llm_to_rvq", np.asarray(folded))


def _quantiser(arrays: Arrays) -> Iterator[Produced]:
    if "rvq_codebooks" not in arrays:
        return
    books = jnp.asarray(arrays.take("rvq_codebooks", "levels", "entries", "width").astype(np.float32))
    vectors = arrays.take("rvq_emb", "n", books.shape[2]).astype(np.float32)
    codes = quantise(books, jnp.asarray(vectors), len(books))
    yield Produced("rvq_q", np.asarray(codes))
    yield Produced("rvq_residual", vectors - np.asarray(dequantise(books, codes)))
    yield Produced("rvq_dequant", np.asarray(dequantise(books, codes[:, :_DEQUANTISED])))


def _length(arrays: Arrays, name: str, stated: str) -> int:
    length = int(stated)
    if arrays[name].shape[-1:] != (length,):
        raise VectorError(f"{arrays.file}: {name}: expected {length} entries, got shape {list(arrays[name].shape)}")
    return length
