# SPDX-License-Identifier: Apache-2.0
"""From published tensors to parameters: cast to float32 once, transposed convolutions rearranged once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.spectrostream.config import PARTS, SpectroStreamConfig
from segue_engine.spectrostream.layout import checked_prefix
from segue_engine.spectrostream.parameters import (
    Conv,
    DecoderParams,
    EncoderParams,
    PerceptronParams,
    PlainUnitParams,
    ResamplingUnitParams,
)
from segue_engine.spectrostream.phases import phase_kernel

Array = NDArray[np.float32]


def load_codebooks(config: SpectroStreamConfig, flat: Mapping[str, Any]) -> jax.Array:
    """The quantiser's tables, float32[codebooks, codes, features]. Raises CodecCheckpointError."""
    return jnp.asarray(_Reader(flat, checked_prefix(config, flat, "quantizer")).read("embedding"))


def load_decoder(config: SpectroStreamConfig, flat: Mapping[str, Any]) -> DecoderParams:
    """The decoder's network in float32, whatever float type it is stored in. Raises CodecCheckpointError."""
    reader = _Reader(flat, checked_prefix(config, flat, "decoder"))
    units = []
    for index, level in enumerate(config.up):
        unit = f"decoder_{index}/"
        upward, bias = reader.pair(f"{unit}conv2dtranspose_{level.kernel_name}")
        units.append(
            ResamplingUnitParams(
                first=_conv(phase_kernel(upward, level.stride), bias),
                second=reader.conv(unit + "conv2d_3x3"),
                shortcut=reader.point(unit + "shortcut_layer/conv1x1") if level.inputs != level.outputs else None,
            )
        )
    kernel, bias = reader.pair("output_layer/base_conv_last")
    return DecoderParams(
        entry=PerceptronParams(
            direct=reader.point("input_layer/conv1x1_first"),
            first=reader.point("input_layer/shortcut_layer/conv1x1_b1"),
            second=reader.point("input_layer/shortcut_layer/conv1x1_b2"),
        ),
        plain=PlainUnitParams(
            first=reader.conv("input_layers_residual_unit/conv2d_3x3_a"),
            second=reader.conv("input_layers_residual_unit/conv2d_3x3"),
        ),
        units=tuple(units),
        output=_conv(_taps_as_channels(kernel), bias),
    )


def load_encoder(config: SpectroStreamConfig, flat: Mapping[str, Any]) -> EncoderParams:
    """The encoder's network in float32, whatever float type it is stored in. Raises CodecCheckpointError."""
    reader = _Reader(flat, checked_prefix(config, flat, "encoder"))
    units = []
    for index, level in enumerate(config.down):
        unit = f"encoder_{index}/"
        units.append(
            ResamplingUnitParams(
                first=reader.conv(unit + "conv2d_3x3"),
                second=reader.conv(f"{unit}conv2d_{level.kernel_name}_a"),
                shortcut=reader.point(unit + "shortcut_layer/conv1x1") if level.inputs != level.outputs else None,
            )
        )
    return EncoderParams(
        base=reader.conv("base_conv_first"),
        units=tuple(units),
        plain=PlainUnitParams(
            first=reader.conv("bottleneck/conv2d_3x3"), second=reader.conv("bottleneck/conv2d_3x3_a")
        ),
        exit=PerceptronParams(
            direct=reader.point("output_convs/conv1x1_last"),
            first=reader.point("output_convs/shortcut_layer/conv1x1_b1"),
            second=reader.point("output_convs/shortcut_layer/conv1x1_b2"),
        ),
    )


class _Reader:
    """Reads tensors of one part one by one, so that a mapped file is never whole in memory twice."""

    def __init__(self, flat: Mapping[str, Any], prefix: str) -> None:
        self._flat = flat
        self._prefix = prefix

    def read(self, key: str) -> Array:
        return np.asarray(self._flat[self._prefix + key]).astype(np.float32, copy=False)

    def pair(self, name: str) -> tuple[Array, Array]:
        return self.read(name + "/conv/kernel"), self.read(name + "/conv/bias")

    def conv(self, name: str) -> Conv:
        return _conv(*self.pair(name))

    def point(self, name: str) -> Conv:
        kernel, bias = self.pair(name)
        return _conv(kernel[0, 0], bias)


def _conv(kernel: Array, bias: Array) -> Conv:
    return Conv(jnp.asarray(kernel), jnp.asarray(bias))


def _taps_as_channels(kernel: Array) -> Array:
    """[k_t, k_f, C, 2] → [1, k_f, C, k_t · 2]."""
    k_t, k_f, channels, _ = kernel.shape
    return np.ascontiguousarray(kernel.transpose(1, 2, 0, 3)).reshape(1, k_f, channels, k_t * PARTS)
