# SPDX-License-Identifier: Apache-2.0
"""File iii: single draws, by the sampler that serves. Codes outside of a case's range are never legal.

Two conventions differ and are bridged here: removed logits are −∞ with us and −0.7 · float32's largest there, and
top-k 0 means off with us and the best code only there (off is null).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.layers.sampler import Filters, draw_gumbel, filtered
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.vector_set import VectorError, VectorSet

Array = NDArray[Any]

REMOVED: Final = np.float32(-0.7 * np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class _Case:
    index: int
    low: int
    high: int
    temperature: float
    top_k: int
    """Ours: 0 is off."""


def plan(vectors: VectorSet, file: str) -> Plan:
    """Per case i: i_logits [V], i_key [2] → i_masked, i_scores [V] and i_sample."""
    arrays = vectors.arrays(file)
    cases = _cases(vectors, file.removesuffix(".npz") + "_cases.json")
    logits = np.stack([arrays.take(f"{case.index}_logits", "V") for case in cases[:1]])
    size = logits.shape[1]
    logits = np.stack([arrays.take(f"{case.index}_logits", size) for case in cases]).astype(np.float32)
    keys = np.stack([arrays.take(f"{case.index}_key", 2, kind="u") for case in cases]).astype(np.uint32)
    for case in cases:
        if not 0 <= case.low < case.high <= size:
            raise VectorError(
                f"{file}: case {case.index}: expected 0 <= lo < hi <= {size}, got {case.low}, {case.high}"
            )
        for name in ("masked", "scores"):
            arrays.check(f"{case.index}_{name}", size)
        arrays.check(f"{case.index}_sample", kind="i")

    def run(tick: Tick) -> Iterator[Produced]:
        masked, scores, samples = _draw(cases, logits, keys)
        for row, case in enumerate(cases):
            yield Produced(f"{case.index}_masked", masked[row])
            yield Produced(f"{case.index}_scores", scores[row])
            yield Produced(f"{case.index}_sample", samples[row])
        tick()

    return Plan(steps=1, run=run)


def _draw(cases: list[_Case], logits: Array, keys: Array) -> tuple[Array, Array, Array]:
    ids = np.arange(logits.shape[1])
    legal = np.stack([(case.low <= ids) & (ids < case.high) for case in cases])
    temperature = np.asarray([case.temperature for case in cases], np.float32)
    top_k = jnp.asarray([case.top_k for case in cases], jnp.int32)
    off = jnp.zeros(len(cases), jnp.float32)
    offered = jnp.asarray(np.where(legal, logits, np.float32(-np.inf)))
    # a greedy row keeps its best code only, so what top-k keeps is asked at temperature 1
    kept = filtered(offered, Filters(jnp.asarray(np.where(temperature > 0, temperature, 1)), top_k, off), branch=False)
    masked: Array = np.where(np.isfinite(kept), logits, REMOVED)
    noise = jax.vmap(lambda key: jax.random.gumbel(key, (logits.shape[1],), jnp.float32))(_typed(keys))
    samples = draw_gumbel(offered, Filters(jnp.asarray(temperature), top_k, off), _typed(keys))
    scores: Array = masked + temperature[:, None] * np.asarray(noise)
    return masked, scores, np.asarray(samples)


def _typed(keys: Array) -> jax.Array:
    typed: jax.Array = jax.random.wrap_key_data(jnp.asarray(keys), impl="threefry2x32")
    return typed


def _cases(vectors: VectorSet, name: str) -> list[_Case]:
    document = vectors.json(name)
    if not isinstance(document, list) or not document:
        raise VectorError(f"{name}: expected a list of cases")
    return [_case(name, number, case) for number, case in enumerate(document)]


def _case(name: str, number: int, case: object) -> _Case:
    match case:
        case {
            "i": int(index),
            "lo": int(low),
            "hi": int(high),
            "temperature": int() | float() as temperature,
            "top_k": k,
        }:
            if (k is None or type(k) is int) and temperature >= 0:
                return _Case(index, low, high, float(temperature), 0 if k is None else max(1, k))
    raise VectorError(
        f"{name}: entry {number}: expected i, lo, hi, temperature (0 or more) and top_k (an integer or null), "
        f"got {case!r}"
    )
