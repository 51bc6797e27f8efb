# SPDX-License-Identifier: Apache-2.0
"""Files core_<tag>: encoder, teacher-forced and cached logits, guidance, sampled chunks; in bfloat16 the first three.

Every array is checked in the ways that it is computed: the encoder whole and layer by layer, logits whole, from the
cache, and as served: among strangers and over a level's own codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_1.config import PAD, MagentaRT1Config
from segue_engine.models.magenta_rt_1.sampling import guided
from segue_engine.models.magenta_rt_1.vocabulary import first_ids
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt1 import forced
from segue_engine.verify.mrt1.language import Language, config_of, ids_of, language_of
from segue_engine.verify.mrt1.sampled import Run, named_runs, sampled
from segue_engine.verify.vector_set import Arrays, VectorError, VectorSet

Array = NDArray[Any]

_FILE: Final = re.compile(r"core_(?P<tag>.+?)(?:_bf16)?\.npz")
_GUIDED: Final = re.compile(r"cfg_logits_w(?P<weight>\d+(?:\.\d+)?)")
_WITH_PAD: Final = "_with_pad"


@dataclass(frozen=True, slots=True)
class _Given:
    """source ids [B, S], those with padding or None, target ids [B, frames, levels]."""

    source: Array
    padded: Array | None
    target: Array


def plan_float32(vectors: VectorSet, file: str) -> Plan:
    """enc_tokens [B, S], dec_target_tokens [B, frames · levels] → enc_out, tf_logits, inc_logits, cfg_logits_w*,
    sample_*."""
    arrays, tag = vectors.arrays(file), _tag(file)
    language = language_of(vectors, tag)
    given = _given(arrays, language.config)
    _check(arrays, language.config, len(given.source))
    runs = named_runs(arrays, language.config)
    weights = {name: float(found["weight"]) for name in arrays if (found := _GUIDED.fullmatch(name))}
    if (runs or weights) and len(given.source) != 2:
        raise VectorError(f"{file}: enc_tokens: guidance is of 2 rows, got {len(given.source)}")

    def run(tick: Tick) -> Iterator[Produced]:
        yield from _forced(language, given, weights, tick)
        yield from _sampled(language, given.source, runs, tick)

    return Plan(steps=given.target.shape[1] + 2 + len(runs), run=run)


def plan_bfloat16(vectors: VectorSet, file: str) -> Plan:
    """As `plan_float32` without guidance and sampling; the inputs are those of core_<tag>.npz unless it has its own."""
    tag = _tag(file)
    arrays, language = vectors.arrays(file), language_of(vectors, tag, "bfloat16")
    inputs = arrays if "enc_tokens" in arrays else vectors.arrays(f"core_{tag}.npz")
    given = _given(inputs, config_of(vectors, tag))
    _check(arrays, language.config, len(given.source))

    def run(tick: Tick) -> Iterator[Produced]:
        yield from _forced(language, given, {}, tick)

    return Plan(steps=given.target.shape[1] + 2, run=run)


def _tag(file: str) -> str:
    found = _FILE.fullmatch(file)
    if found is None:
        raise VectorError(f"{file}: expected core_<tag>.npz")
    return found["tag"]


def _given(arrays: Arrays, config: MagentaRT1Config) -> _Given:
    source = ids_of(arrays, config, "enc_tokens", "B", config.source_length)
    target = ids_of(arrays, config, "dec_target_tokens", len(source), config.frames * config.levels)
    padded = None
    if f"enc_tokens{_WITH_PAD}" in arrays:
        padded = ids_of(arrays, config, f"enc_tokens{_WITH_PAD}", "b", config.source_length)
    return _Given(source, padded, target.reshape(len(source), config.frames, config.levels))


def _check(arrays: Arrays, config: MagentaRT1Config, rows: int) -> None:
    tokens = config.frames * config.levels
    arrays.check("enc_out", rows, config.source_length, config.width)
    for name in ("tf_logits", "inc_logits"):
        arrays.check(name, rows, tokens, config.vocabulary)
    for name in arrays:
        if _GUIDED.fullmatch(name):
            arrays.check(name, tokens, config.vocabulary)


def _forced(language: Language, given: _Given, weights: dict[str, float], tick: Tick) -> Iterator[Produced]:
    config, run = language.config, forced.programs(language.config)
    everything = np.ones(given.source.shape, bool)
    encoded = forced.encoded(language, given.source, config.encoder_layers, everything)
    yield Produced("enc_out", _floats(encoded), "whole")
    yield Produced("enc_out", _floats(forced.encoded(language, given.source, 1, everything)), "layer by layer")
    if given.padded is not None:
        masked = forced.encoded(language, given.padded, config.encoder_layers, given.padded != PAD)
        yield Produced(f"enc_out{_WITH_PAD}", _floats(masked), "whole")
    tick()
    source = run.project(language.params, encoded)
    yield Produced("tf_logits", _floats(run.whole(language.unrestricted, source, given.target)), "whole")
    tick()
    frames = []
    for logits in forced.cached_logits(language, source, given.target):
        frames.append(logits)
        tick()
    cached = np.concatenate(frames, axis=1)
    yield Produced("inc_logits", cached, "cached")
    for name, weight in weights.items():
        yield Produced(
            name, np.asarray(guided(jnp.asarray(cached[0]), jnp.asarray(cached[1]), jnp.full(cached.shape[1], weight)))
        )
    codes = given.target[0] - first_ids(config)
    alike = bool((given.target == given.target[0]).all())
    if len(given.source) == 2 and alike and bool(((codes >= 0) & (codes < config.codebook)).all()):
        served = np.concatenate(list(forced.served_logits(language, source, codes)), axis=1)
        yield Produced("inc_logits", served, "served, among strangers", lambda full: _own_columns(config, full))


def _sampled(language: Language, source: Array, runs: list[Run], tick: Tick) -> Iterator[Produced]:
    for each in runs:
        decoded = sampled(language, source, each)
        yield Produced(each.ids, np.asarray(decoded.ids), "published sampler")
        yield Produced(each.scores, np.asarray(decoded.scores), "published sampler")
        tick()


def _own_columns(config: MagentaRT1Config, full: Array) -> Array:
    """[B, frames · levels, vocabulary] → [B, frames · levels, codebook]: of each level the columns of its own codes."""
    apart = full.reshape(len(full), -1, config.levels, full.shape[-1])
    own = [apart[:, :, q, s : s + config.codebook] for q, s in enumerate(first_ids(config).tolist())]
    return np.stack(own, axis=2).reshape(*full.shape[:2], config.codebook)


def _floats(value: Any) -> Array:
    return np.asarray(value).astype(np.float32)
