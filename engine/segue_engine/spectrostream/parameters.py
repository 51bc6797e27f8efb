# SPDX-License-Identifier: Apache-2.0
"""The codec's parameters as it computes with them, apart from how a checkpoint names them."""

from __future__ import annotations

from typing import NamedTuple

import jax


class Conv(NamedTuple):
    """kernel [time, frequency, inputs, outputs], or [inputs, outputs] where it spans one point; bias [outputs].

    A transposed convolution's kernel is in the form that `phases.phase_kernel` gives it.
    """

    kernel: jax.Array
    bias: jax.Array


class PerceptronParams(NamedTuple):
    """y = direct(x) + second(elu(first(..))): what meets the embeddings at either end."""

    direct: Conv
    first: Conv
    second: Conv


class PlainUnitParams(NamedTuple):
    """x + second(elu(first(elu(x)))), nothing resampled."""

    first: Conv
    second: Conv


class ResamplingUnitParams(NamedTuple):
    """first, then second; the shortcut is a projection where channels change, None where they don't."""

    first: Conv
    second: Conv
    shortcut: Conv | None


class DecoderParams(NamedTuple):
    """Everything between an embedding and a spectrogram."""

    entry: PerceptronParams
    plain: PlainUnitParams
    units: tuple[ResamplingUnitParams, ...]
    output: Conv
    """kernel [1, 7, C, 7 · 2]: the seven taps in time are channels, see `decoder.py`."""


class EncoderParams(NamedTuple):
    """Everything between a spectrogram and an embedding."""

    base: Conv
    units: tuple[ResamplingUnitParams, ...]
    plain: PlainUnitParams
    exit: PerceptronParams


class CodecParams(NamedTuple):
    """What a compiled decoding program is handed: codebooks float32[levels, K, D] and the network."""

    codebooks: jax.Array
    network: DecoderParams


class EncodingParams(NamedTuple):
    """What a compiled encoding program is handed: codebooks float32[all levels, K, D] and the network."""

    codebooks: jax.Array
    network: EncoderParams
