# SPDX-License-Identifier: Apache-2.0
"""Files v and v2: SpectroStream's spectrogram and encoder, whole and in pieces, and the residual quantiser alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES
from segue_engine.spectrostream import analyse, quantise
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt2.codec import Encoder, codebooks_of, codes_of, config_of, encoder_of
from segue_engine.verify.vector_set import Arrays, VectorError, VectorSet

Array = NDArray[Any]

_FIRST: Final = re.compile(r"stft_first(\d+)")
_HOP: Final = 480


def plan(vectors: VectorSet, file: str) -> Plan:
    """wave [n, 2] → stft_firstN [1, N, 480, 4], embeddings [1, T, D], codes [1, T, L]."""
    arrays, config = vectors.arrays(file), config_of(vectors)
    wave = wave_of(arrays, "wave")
    frames = -(-wave.shape[1] // FRAME_SAMPLES)
    arrays.check("embeddings", 1, frames, config.features)
    codes = codes_of(arrays, "codes", config, 1, frames, "L") if "codes" in arrays else None
    levels = config.codebooks if codes is None else codes.shape[-1]
    spectra = {name: int(found[1]) for name in arrays if (found := _FIRST.fullmatch(name))}
    for name, count in spectra.items():
        if not 1 <= count <= -(-wave.shape[1] // _HOP):
            raise VectorError(f"{file}: {name}: the wave does not have {count} STFT frames")
        arrays.check(name, 1, count, _HOP, 4)
    encoder = encoder_of(vectors)

    def run(tick: Tick) -> Iterator[Produced]:
        if spectra:
            spectrogram = np.asarray(jax.jit(analyse)(wave))
        for name, count in spectra.items():
            yield Produced(name, spectrogram[:, :count])
        for name, value, way in encoded(encoder, wave, levels, tick):
            yield Produced(name, value, way)

    return Plan(steps=2, run=run)


def plan_quantiser(vectors: VectorSet, file: str) -> Plan:
    """embeddings [B, T, D] → codes [B, T, L]."""
    arrays, config = vectors.arrays(file), config_of(vectors)
    embeddings = arrays.take("embeddings", "B", "T", config.features).astype(np.float32)
    levels = codes_of(arrays, "codes", config, *embeddings.shape[:2], "L").shape[-1]
    codebooks = codebooks_of(vectors)

    def run(tick: Tick) -> Iterator[Produced]:
        yield Produced("codes", np.asarray(quantise(codebooks, jnp.asarray(embeddings), levels)))
        tick()

    return Plan(steps=1, run=run)


def wave_of(arrays: Arrays, name: str) -> Array:
    """A stereo wave [n, 2] as float32[1, n, 2]."""
    return arrays.take(name, "n", 2).astype(np.float32)[None]


def encoded(encoder: Encoder, wave: Array, levels: int, tick: Tick) -> Iterator[tuple[str, Array, str]]:
    """(name, value, way) of embeddings and codes: whole, and in pieces where the wave is made of whole frames."""
    yield from _with_codes(encoder, encoder.whole(wave), levels, "whole")
    tick()
    frames, rest = divmod(wave.shape[1], FRAME_SAMPLES)
    if not rest:
        size = next(size for size in (4, 3, 2, 1) if frames % size == 0)
        yield from _with_codes(encoder, encoder.pieces(wave, size), levels, "in pieces")
    tick()


def _with_codes(encoder: Encoder, embeddings: Array, levels: int, way: str) -> Iterator[tuple[str, Array, str]]:
    yield "embeddings", embeddings, way
    yield "codes", np.asarray(quantise(encoder.codebooks, jnp.asarray(embeddings), levels)), way
