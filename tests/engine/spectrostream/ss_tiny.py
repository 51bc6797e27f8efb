# SPDX-License-Identifier: Apache-2.0
"""The codecs that the golden vectors were made with, and a way to run one frame by frame."""

from __future__ import annotations

import functools
import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from segue_engine.spectrostream import (
    PCM_GAIN,
    CodecPrecision,
    DecoderState,
    SpectroStream,
    SpectroStreamEncoder,
    config_of_vectors,
    load_codebooks,
    load_decoder,
    load_encoder,
)

Array = NDArray[Any]
Flat = dict[str, NDArray[np.float32]]

VECTORS = Path(__file__).parents[2] / "vectors" / "mrt2"
META = json.loads((VECTORS / "meta.json").read_text())
TINY = config_of_vectors(META["config"])
LEVELS = 6
WHOLE = 10


@functools.cache
def tiny_weights() -> Flat:
    """Language model, decoder and quantiser."""
    return load_file(VECTORS / "tiny_weights.safetensors")


@functools.cache
def tiny_encoder_weights() -> Flat:
    return load_file(VECTORS / "tiny_codec_encoder_weights.safetensors")


def tiny_codec(levels: int = LEVELS, precision: CodecPrecision = "float32") -> SpectroStream:
    flat = tiny_weights()
    decoder, codebooks = load_decoder(TINY, flat), load_codebooks(TINY, flat)
    return SpectroStream(TINY, decoder, codebooks, levels=levels, precision=precision, fingerprint="tiny")


def tiny_encoder() -> SpectroStreamEncoder:
    return SpectroStreamEncoder(TINY, load_encoder(TINY, tiny_encoder_weights()), load_codebooks(TINY, tiny_weights()))


def drawn(shapes: dict[str, list[int]], seed: int) -> Flat:
    """Codec weights as the vectors' own description has them, tensor by tensor in the order of their keys."""
    rng, flat = np.random.default_rng(seed), {}
    for key, shape in sorted(shapes.items()):
        noise, leaf = rng.standard_normal(shape, dtype=np.float32), key.rsplit("/", 1)[1]
        if leaf == "bias":
            flat[key] = np.float32(0.1) * noise
        elif leaf == "embedding":
            flat[key] = noise / np.float32(np.sqrt(shape[-1]))
        else:
            gain = 1.5 if key.startswith(("params/soundstream", "params/encoder")) else 1.0
            flat[key] = noise * np.float32(gain / np.sqrt(np.prod(shape[:-1])))
    return flat


def random_codes(seed: int, *shape: int) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(0, TINY.codebook, shape, dtype=np.int32)


class Streamer:
    """One codec's compiled programs; `stream` decodes [B, T, L] frame by frame, all rows due unless `due` [B, T].

    Programs take seconds to compile, so tests share them: two rows, LEVELS codes, WHOLE frames.
    """

    def __init__(self, codec: SpectroStream) -> None:
        self.codec = codec
        self.step = jax.jit(codec.decode)
        self.whole = jax.jit(codec.decode_whole)

    def stream(
        self, codes: Array, due: Array | None = None, state: DecoderState | None = None
    ) -> tuple[DecoderState, Array]:
        """The state after it all, and raw waves [B, 1920 T, 2]."""
        rows, frames = codes.shape[:2]
        state = self.codec.init_state(rows) if state is None else state
        due = np.ones((rows, frames), np.bool_) if due is None else due
        waves = []
        for frame in range(frames):
            state, wave = self.step(self.codec.params, state, codes[:, frame], due[:, frame])
            waves.append(np.asarray(wave) / np.float32(PCM_GAIN))
        return state, np.concatenate(waves, axis=1)


class Golden:
    """One file of vectors, and its tolerances."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._arrays = np.load(VECTORS / name)
        self._rules = json.loads((VECTORS / "tolerances.json").read_text())[name]

    def __getitem__(self, array: str) -> Array:
        return np.asarray(self._arrays[array])

    def check(self, array: str, ours: Any) -> None:
        """Asserts that ours is as near to the golden array as tolerances.json asks."""
        golden, ours = self[array].astype(np.float64), np.asarray(ours, np.float64)
        assert ours.shape == golden.shape
        worst = float(np.abs(ours - golden).max())
        pattern = max((p for p in self._rules if fnmatchcase(array, p)), key=len)
        match self._rules[pattern]:
            case "exact":
                assert worst == 0.0
            case {"atol": limit}:
                assert worst <= limit
            case {"rel_to_max": limit}:
                assert worst <= limit * np.abs(golden).max()
            case {"mismatches": limit}:
                assert np.sum(ours != golden) <= limit
            case rule:
                raise AssertionError(f"{self.name} {array}: unknown rule {rule}")
