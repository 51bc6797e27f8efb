# SPDX-License-Identifier: Apache-2.0
"""The published names and shapes of the codec's tensors, and the check of a file against them.

A language-model checkpoint holds the decoder and the quantiser under `params/soundstream/`; files of their own hold
each part, the encoder too, under `params/`. Kernels are [time, frequency, inputs, outputs].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from segue_engine.spectrostream.config import BANDS, PARTS, Pair, SpectroStreamConfig

Part = Literal["decoder", "quantizer", "encoder"]
Shapes = dict[str, tuple[int, ...]]

MODEL_PREFIX: Final = "params/soundstream/"
FILE_PREFIX: Final = "params/"

_FLOATS: Final = ("float32", "float16", "bfloat16")


class CodecCheckpointError(ValueError):
    """Tensors that are not this codec's; the message names every key at fault."""


def published_shapes(
    config: SpectroStreamConfig, parts: Iterable[Part] = ("decoder", "quantizer"), prefix: str = MODEL_PREFIX
) -> Shapes:
    """Key → shape of every tensor of the given parts; by default what a language-model checkpoint holds."""
    shapes: Shapes = {}
    for part in parts:
        shapes |= {f"{prefix}{part}/{key}": shape for key, shape in _part_shapes(config, part).items()}
    return shapes


def _part_shapes(config: SpectroStreamConfig, part: Part) -> Shapes:
    match part:
        case "decoder":
            return _decoder_shapes(config)
        case "encoder":
            return _encoder_shapes(config)
        case "quantizer":
            return {"embedding": (config.codebooks, config.codebook, config.features)}


def _decoder_shapes(config: SpectroStreamConfig) -> Shapes:
    inner = config.up[0].inputs
    wide = BANDS * inner
    shapes = _conv("input_layer/conv1x1_first", (1, 1), config.features, wide)
    shapes |= _conv("input_layer/shortcut_layer/conv1x1_b1", (1, 1), config.features, wide)
    shapes |= _conv("input_layer/shortcut_layer/conv1x1_b2", (1, 1), wide, wide)
    shapes |= _conv("input_layers_residual_unit/conv2d_3x3_a", (3, 3), inner, inner)
    shapes |= _conv("input_layers_residual_unit/conv2d_3x3", (3, 3), inner, inner)
    for index, level in enumerate(config.up):
        unit = f"decoder_{index}/"
        shapes |= _conv(f"{unit}conv2dtranspose_{level.kernel_name}", level.kernel, level.inputs, level.outputs)
        shapes |= _conv(unit + "conv2d_3x3", (3, 3), level.outputs, level.outputs)
        if level.inputs != level.outputs:
            shapes |= _conv(unit + "shortcut_layer/conv1x1", (1, 1), level.inputs, level.outputs)
    return shapes | _conv("output_layer/base_conv_last", (7, 7), config.decoder_channels, PARTS)


def _encoder_shapes(config: SpectroStreamConfig) -> Shapes:
    inner = config.down[-1].outputs
    wide = BANDS * inner
    shapes = _conv("base_conv_first", (7, 7), PARTS, config.encoder_channels)
    for index, level in enumerate(config.down):
        unit = f"encoder_{index}/"
        shapes |= _conv(unit + "conv2d_3x3", (3, 3), level.inputs, level.inputs)
        shapes |= _conv(f"{unit}conv2d_{level.kernel_name}_a", level.kernel, level.inputs, level.outputs)
        if level.inputs != level.outputs:
            shapes |= _conv(unit + "shortcut_layer/conv1x1", (1, 1), level.inputs, level.outputs)
    shapes |= _conv("bottleneck/conv2d_3x3", (3, 3), inner, inner)
    shapes |= _conv("bottleneck/conv2d_3x3_a", (3, 3), inner, inner)
    shapes |= _conv("output_convs/conv1x1_last", (1, 1), wide, config.features)
    shapes |= _conv("output_convs/shortcut_layer/conv1x1_b1", (1, 1), wide, wide)
    return shapes | _conv("output_convs/shortcut_layer/conv1x1_b2", (1, 1), wide, config.features)


def _conv(name: str, kernel: Pair, inputs: int, outputs: int) -> Shapes:
    return {f"{name}/conv/kernel": (*kernel, inputs, outputs), f"{name}/conv/bias": (outputs,)}


def checked_prefix(config: SpectroStreamConfig, flat: Mapping[str, Any], part: Part) -> str:
    """Where the part lies in `flat`, such as "params/decoder/", once all its tensors are known to fit.

    Raises one CodecCheckpointError naming all missing, unknown, misshaped and mistyped keys. Keys of other parts and of
    the language model are not looked at.
    """
    roots = [root for root in (MODEL_PREFIX, FILE_PREFIX) if any(key.startswith(f"{root}{part}/") for key in flat)]
    if len(roots) == 2:
        raise CodecCheckpointError(f"{part}: present twice, under {roots[0]}{part}/ and under {roots[1]}{part}/")
    root = roots[0] if roots else FILE_PREFIX if part == "encoder" else MODEL_PREFIX
    prefix, expected = f"{root}{part}/", published_shapes(config, (part,), root)
    present = {key for key in flat if key.startswith(prefix)}
    problems = [f"missing: {key} {list(expected[key])}" for key in sorted(expected.keys() - present)]
    problems += [f"unknown: {key}" for key in sorted(present - expected.keys())]
    for key in sorted(expected.keys() & present):
        array = flat[key]
        if tuple(array.shape) != expected[key]:
            problems.append(f"wrong shape: {key} expected {list(expected[key])}, got {list(array.shape)}")
        elif str(array.dtype) not in _FLOATS:
            problems.append(f"wrong type: {key} expected {', '.join(_FLOATS)}, got {array.dtype}")
    if problems:
        raise CodecCheckpointError(f"checkpoint does not fit SpectroStream's {part}:\n  " + "\n  ".join(problems))
    return prefix
