# SPDX-License-Identifier: Apache-2.0
"""The codec of a vector set: sizes from meta.json, or from the shapes of a seeds-only set; weights as published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import jax
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES
from segue_engine.spectrostream import (
    CodecCheckpointError,
    SpectroStream,
    SpectroStreamConfig,
    SpectroStreamEncoder,
    config_of_vectors,
    load_codebooks,
    load_decoder,
    load_encoder,
)
from segue_engine.verify.checks import Tick
from segue_engine.verify.mrt2.language import WEIGHTS
from segue_engine.verify.vector_set import META, Arrays, Shapes, Tensors, VectorError, VectorSet

Array = NDArray[Any]

PREFIX: Final = "params/soundstream/"
ENCODER_PREFIX: Final = "params/encoder/"
ENCODER_WEIGHTS: Final = "tiny_codec_encoder_weights.safetensors"
LOOKAHEAD: Final = 480
"""Samples past a frame that its last STFT frame reads."""


class Decoder:
    """A codec's decoder at one number of levels, compiled once per shape. Waves are raw, twice full scale."""

    def __init__(self, config: SpectroStreamConfig, tensors: Tensors, levels: int) -> None:
        """Raises VectorError naming the file whose tensors do not fit."""
        self.config = config
        try:
            self.codebooks = load_codebooks(config, tensors.flat)
            params = load_decoder(config, tensors.flat)
        except CodecCheckpointError as error:
            raise VectorError(f"{tensors.file}: {error}") from None
        if levels > config.codebooks:
            raise VectorError(f"{tensors.file}: expected at least {levels} codebooks, got {config.codebooks}")
        self.codec = SpectroStream(
            config, params, self.codebooks, levels=levels, precision="float32", fingerprint="vectors"
        )
        self._step = jax.jit(self.codec.decode_raw)
        self._whole = jax.jit(self.codec.decode_whole)

    def whole(self, codes: Array) -> Array:
        """codes [B, T, L] → [B, 1920 (T − 1), 2] in one pass."""
        return np.asarray(self._whole(self.codec.params, codes))

    def stream(self, codes: Iterator[tuple[Array, Array]]) -> Iterator[Array]:
        """(codes [B, L], due [B]) frame by frame → [B, 1920, 2] each, from fresh rows on."""
        state: Any = None
        for frame, due in codes:
            if state is None:
                state = self.codec.init_state(len(frame))
            state, wave = self._step(self.codec.params, state, frame, due)
            yield np.asarray(wave)

    def streamed(self, codes: Array, tick: Tick) -> Array:
        """codes [B, T, L] frame by frame → [B, 1920 T, 2]."""
        frames = ((codes[:, t], np.ones(len(codes), bool)) for t in range(codes.shape[1]))
        return _joined(self.stream(frames), tick)

    def among_strangers(self, codes: Array, tick: Tick) -> Array:
        """As `streamed`, every second row at a time: the others get other codes, and rest every third frame."""
        rng, wave = np.random.default_rng(0), None
        index, count = np.arange(len(codes)), codes.shape[1]
        for mine in (index % 2 == 0, index % 2 == 1):

            def frames(mine: Array = mine) -> Iterator[tuple[Array, Array]]:
                for t in range(count):
                    others = rng.integers(0, self.config.codebook, codes[:, t].shape, np.int32)
                    yield np.where(mine[:, None], codes[:, t], others), mine | ((t + index) % 3 != 0)

            found = _joined(self.stream(frames()), tick)
            wave = found if wave is None else np.where(mine[:, None, None], found, wave)
        assert wave is not None
        return wave


def _joined(waves: Iterator[Array], tick: Tick) -> Array:
    found = []
    for wave in waves:
        found.append(wave)
        tick()
    return np.concatenate(found, axis=1)


class Encoder:
    """A codec's encoder, compiled once per shape."""

    def __init__(self, config: SpectroStreamConfig, tensors: Tensors, codebooks: jax.Array) -> None:
        """Raises VectorError naming the file whose tensors do not fit."""
        self.config = config
        self.codebooks = codebooks
        try:
            params = load_encoder(config, tensors.flat)
        except CodecCheckpointError as error:
            raise VectorError(f"{tensors.file}: {error}") from None
        self.encoder = SpectroStreamEncoder(config, params, codebooks)
        self._whole = jax.jit(self.encoder.encode)
        self._piece = jax.jit(self.encoder.encode_piece)

    def whole(self, wave: Array) -> Array:
        """wave [B, n, 2] → embeddings [B, ceil(n / 1920), D] in one pass."""
        return np.asarray(self._whole(self.encoder.params, wave))

    def pieces(self, wave: Array, frames: int) -> Array:
        """As `whole`, `frames` at a time: n is a multiple of 1920 · frames."""
        padded = np.pad(wave, ((0, 0), (0, LOOKAHEAD), (0, 0)))
        state, found = self.encoder.init_state(len(wave)), []
        for begin in range(0, wave.shape[1], FRAME_SAMPLES * frames):
            piece = padded[:, begin : begin + FRAME_SAMPLES * frames + LOOKAHEAD]
            state, embeddings = self._piece(self.encoder.params, state, piece)
            found.append(np.asarray(embeddings))
        return np.concatenate(found, axis=1)


def config_of(vectors: VectorSet) -> SpectroStreamConfig:
    """The codec that meta.json describes."""
    described = vectors.meta.get("config")
    if not isinstance(described, Mapping):
        raise VectorError(f'{META}: expected an object "config" with the sizes of the codec')
    try:
        return config_of_vectors(described)
    except ValueError as error:
        raise VectorError(f"{META}: {error}") from None


def config_of_shapes(shapes: Shapes, file: str) -> SpectroStreamConfig:
    """The codec whose published tensors have these shapes."""
    try:
        codebooks, codebook, features = shapes["params/quantizer/embedding"]
        encoder = shapes["params/encoder/base_conv_first/conv/kernel"][-1]
        decoder = shapes["params/decoder/output_layer/base_conv_last/conv/kernel"][2]
    except (KeyError, ValueError, IndexError) as error:
        raise VectorError(f"{file}: expected the tensors of a codec under params/: {error}") from None
    return SpectroStreamConfig(features, encoder, decoder, codebooks, codebook)


def tensors_of(vectors: VectorSet) -> Tensors:
    """The set's decoder and quantiser."""
    return vectors.cached("codec tensors", lambda: vectors.tensors(PREFIX, WEIGHTS))


def decoder_of(vectors: VectorSet, levels: int) -> Decoder:
    """The set's decoder for so many levels."""
    return vectors.cached(("decoder", levels), lambda: Decoder(config_of(vectors), tensors_of(vectors), levels))


def encoder_of(vectors: VectorSet) -> Encoder:
    """The set's encoder."""
    tensors = vectors.tensors(ENCODER_PREFIX, ENCODER_WEIGHTS)
    return Encoder(config_of(vectors), tensors, codebooks_of(vectors))


def codebooks_of(vectors: VectorSet) -> jax.Array:
    """The set's quantiser."""
    tensors = tensors_of(vectors)
    try:
        return load_codebooks(config_of(vectors), tensors.flat)
    except CodecCheckpointError as error:
        raise VectorError(f"{tensors.file}: {error}") from None


def codes_of(arrays: Arrays, name: str, config: SpectroStreamConfig, *shape: int | str) -> Array:
    """Codes int32[*shape] of an array, each found in range."""
    codes: Array = arrays.take(name, *shape, kind="i")
    if codes.min() < 0 or codes.max() >= config.codebook:
        raise VectorError(
            f"{arrays.file}: {name}: expected codes in 0..{config.codebook - 1}, got {codes.min()}..{codes.max()}"
        )
    if codes.shape[-1] > config.codebooks:
        raise VectorError(f"{arrays.file}: {name}: expected at most {config.codebooks} levels, got {codes.shape[-1]}")
    narrow: Array = codes.astype(np.int32)
    return narrow
