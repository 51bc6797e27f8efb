# SPDX-License-Identifier: Apache-2.0
"""Files vii: the model left to itself, codec included, greedy or with the published chain of random keys.

Served sessions fold their keys from (seed, frame, level); the published chain folds a key with the frame's number once
more per level. Everything else is the served code, and a greedy run is also made by the served step as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES, NOTES, STYLE_LEVELS
from segue_engine.frame_model import StepRows
from segue_engine.layers.sampler import Filters, draw_gumbel
from segue_engine.models.magenta_rt_2 import MagentaRT2, MagentaRT2Config, depth
from segue_engine.models.magenta_rt_2 import model as language_model
from segue_engine.models.magenta_rt_2.conditioning import ID_OFFSET
from segue_engine.models.magenta_rt_2.model import Rings
from segue_engine.models.magenta_rt_2.parameters import ModelParams
from segue_engine.spectrostream import pcm16
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt2.codec import Decoder, decoder_of
from segue_engine.verify.mrt2.language import Language, codes_of, conditioning_of, config_of, first_ids, language_of
from segue_engine.verify.vector_set import META, Arrays, VectorError, VectorSet

Array = NDArray[Any]

_RUN: Final = re.compile(r"(?P<prefix>(?:.*_)?)token_ids")
_USUAL: Final[Mapping[str, tuple[float, int]]] = {"vii_e2e_greedy": (0.0, 40), "vii_e2e_sampled": (1.3, 10)}
"""Temperature and top-k of the files that do not state theirs."""


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a file: conditioning [B, T, 144], first keys [B, 2], and how to draw (top_k 0 is off)."""

    prefix: str
    ids: Array
    keys: Array
    temperature: float
    top_k: int
    heard: bool
    """Whether the file holds its audio."""

    @property
    def frames(self) -> int:
        return int(self.ids.shape[1])


def plan(vectors: VectorSet, file: str) -> Plan:
    """cond_ids [B, T, 144] → per prefix: token_ids [b, T, levels], pcm_int16 [b, 1920 T, 2], out_mask [b, T].

    A run with fewer rows than there is conditioning takes the first. Its keys [b, T + 1, 2] give the first.
    """
    arrays, config, language = vectors.arrays(file), config_of(vectors), language_of(vectors)
    ids = conditioning_of(arrays, config, "B", "T")
    prefixes = [found["prefix"] for name in arrays if (found := _RUN.fullmatch(name))]
    if not prefixes:
        raise VectorError(f"{file}: expected token_ids of at least one run, it holds {', '.join(arrays)}")
    runs = [_run(vectors, arrays, config, ids, prefix) for prefix in prefixes]
    decoder = decoder_of(vectors, config.levels)

    def run(tick: Tick) -> Iterator[Produced]:
        for each in runs:
            yield from _generated(each, language, decoder, tick)

    return Plan(steps=sum(each.frames for each in runs), run=run)


def _run(vectors: VectorSet, arrays: Arrays, config: MagentaRT2Config, ids: Array, prefix: str) -> _Run:
    frames = ids.shape[1]
    rows = len(codes_of(arrays, config, "b", frames, name=prefix + "token_ids"))
    if rows > len(ids):
        raise VectorError(f"{arrays.file}: {prefix}token_ids: {rows} rows, but conditioning for {len(ids)}")
    arrays.check(prefix + "pcm_int16", rows, FRAME_SAMPLES * frames, 2, kind="i")
    arrays.check(prefix + "out_mask", rows, frames, kind="b")
    temperature, top_k = _sampling(vectors, arrays, prefix)
    keys = np.zeros((rows, 2), np.uint32)
    if temperature > 0 or prefix + "keys" in arrays:
        keys = arrays.take(prefix + "keys", rows, "n", 2, kind="u")[:, 0].astype(np.uint32)
    return _Run(prefix, ids[:rows], keys, temperature, top_k, prefix + "pcm_int16" in arrays)


def _sampling(vectors: VectorSet, arrays: Arrays, prefix: str) -> tuple[float, int]:
    """Temperature and our top-k: from the file's arrays, from meta.json under the file's name, or the usual ones."""
    stem = arrays.file.removesuffix(".npz")
    stated = vectors.meta.get(stem)
    known: dict[str, Any] = dict(zip(("temperature", "top_k"), _USUAL.get(stem, ()), strict=False))
    if isinstance(stated, Mapping):
        known |= {name: stated[name] for name in ("temperature", "top_k") if name in stated}
    for name in ("temperature", "top_k"):
        for array in (name, prefix + name):
            if array in arrays:
                known[name] = arrays[array].item() if arrays[array].size == 1 else None
    match known:
        case {"temperature": int() | float() as temperature, "top_k": int(top_k)} if temperature >= 0:
            return float(temperature), max(1, top_k)
        case {"temperature": int() | float() as temperature, "top_k": None} if temperature >= 0:
            return float(temperature), 0
    raise VectorError(
        f"{arrays.file}: expected temperature and top_k, as arrays of the file or under {stem} in {META}, got {known}"
    )


def _generated(run: _Run, language: Language, decoder: Decoder, tick: Tick) -> Iterator[Produced]:
    codes = list(_published(run, language, tick))
    token_ids = np.stack(codes, axis=1) + first_ids(language.config)
    way = "published keys" if run.temperature > 0 else "greedy"
    yield Produced(run.prefix + "token_ids", token_ids, way)
    if run.heard:
        wave = np.concatenate(list(decoder.stream((c, np.ones(len(c), bool)) for c in codes)), axis=1)
        yield Produced(run.prefix + "pcm_int16", np.asarray(pcm16(jnp.asarray(wave))), way)
    valid = np.arange(run.frames) >= decoder.codec.delay
    yield Produced(run.prefix + "out_mask", np.broadcast_to(valid, (len(run.ids), run.frames)), way)
    if run.temperature == 0 and _expressible(language.config, run.ids):
        served = np.stack(list(_served(run, language, decoder)), axis=1) + first_ids(language.config)
        yield Produced(run.prefix + "token_ids", served, "served step")


@cache
def _step(config: MagentaRT2Config) -> Any:
    def step(
        params: ModelParams, rings: Rings, ids: jax.Array, frame: jax.Array, keys: jax.Array, how: Filters
    ) -> tuple[Rings, jax.Array, jax.Array]:
        due = jnp.ones(len(ids), bool)
        remembered, advanced = language_model.advance(config, params, rings, ids, frame, due)
        typed = [jax.random.wrap_key_data(keys, impl="threefry2x32")]
        for _ in range(config.levels):
            typed.append(jax.vmap(jax.random.fold_in)(typed[-1], frame))

        def draw(level: int, own: jax.Array) -> jax.Array:
            start = int(first_ids(config)[level])
            # over the whole vocabulary, because that is what the published noise is drawn for
            logits = jnp.full((len(ids), config.vocabulary), -jnp.inf, jnp.float32)
            logits = logits.at[:, start : start + config.codebook].set(own)
            return draw_gumbel(logits, how, typed[level]) - start

        codes = depth.generate(config, params.depth, params.tokens, advanced.hidden, draw)
        rings = language_model.remember(config, remembered, rings, codes, frame, due)
        return rings, codes, jax.random.key_data(typed[-1])

    return jax.jit(step)


def _published(run: _Run, language: Language, tick: Tick) -> Iterator[Array]:
    """Codes int32[B, levels] frame by frame, drawn by the published chain of keys."""
    config, rows = language.config, len(run.ids)
    how = Filters(
        jnp.full(rows, run.temperature, jnp.float32), jnp.full(rows, run.top_k, jnp.int32), jnp.zeros(rows, jnp.float32)
    )
    rings, keys = language_model.init_rings(config, rows, rewind=0), jnp.asarray(run.keys)
    for frame in range(run.frames):
        at = np.full(rows, frame, np.int32)
        rings, codes, keys = _step(config)(language.params, rings, run.ids[:, frame], at, keys, how)
        yield np.asarray(codes)
        tick()


_STYLE, _NOTES, _DRUMS = slice(0, STYLE_LEVELS), slice(STYLE_LEVELS, STYLE_LEVELS + NOTES), STYLE_LEVELS + NOTES
_FINE, _COARSE = slice(_DRUMS + 1, _DRUMS + 3), slice(_DRUMS + 3, _DRUMS + 4)


def _expressible(config: MagentaRT2Config, ids: Array) -> bool:
    """Whether a session's conditioning can say all this: guidance always has a value there, it is never masked."""
    values = ids - ID_OFFSET
    limits = (
        (_STYLE, -1, config.style_codebook - 1),
        (_NOTES, -1, 3),
        (slice(_DRUMS, _DRUMS + 1), -1, 1),
        (_FINE, 0, 40),
        (_COARSE, 0, 8),
    )
    return all(bool(np.all((low <= values[..., c]) & (values[..., c] <= high))) for c, low, high in limits)


def _served(run: _Run, language: Language, decoder: Decoder) -> Iterator[Array]:
    """Codes of a greedy run by `MagentaRT2.step`, conditioned as a session is."""
    model = MagentaRT2(language.config, language.params, decoder.codec, fingerprint="vectors")
    step = jax.jit(model.step, static_argnames="guided")
    rows, values = len(run.ids), run.ids - ID_OFFSET
    rings, zeros = model.init_rings(rows, rewind=0), jnp.zeros(rows, jnp.float32)
    for frame in range(run.frames):
        now = values[:, frame]
        scales = np.concatenate([now[:, _FINE] * 0.2 - 1.0, now[:, _COARSE] - 1.0], axis=1)
        inputs = StepRows(
            due=jnp.ones(rows, bool),
            frame=jnp.full(rows, frame, jnp.int32),
            seed=jnp.zeros((rows, 2), jnp.uint32),
            style_codes=jnp.asarray(now[:, _STYLE], jnp.int32),
            notes=jnp.asarray(now[:, _NOTES], jnp.int8),
            drums=jnp.asarray(now[:, _DRUMS], jnp.int32),
            guidance=jnp.asarray(scales, jnp.float32),
            temperature=zeros,
            top_k=jnp.full(rows, run.top_k, jnp.int32),
            min_p=zeros,
        )
        rings, codes = step(model.params, rings, inputs, guided=False)
        yield np.asarray(codes)
