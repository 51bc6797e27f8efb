# SPDX-License-Identifier: Apache-2.0
"""The published checkpoint layout of the language model, and the way from there to `ModelParams`.

A checkpoint is flat: `/`-joined names to arrays, kernels inputs first, heads side by side in their columns. Arrays may
be lazy (a T5X folder's are): shape and type are looked at first, numbers are read once, tensor by tensor, and cast here
to the type that the model computes in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.layers.flat_checkpoint import CheckpointError, Shapes, check_flat
from segue_engine.models.magenta_rt_1.config import MagentaRT1Config
from segue_engine.models.magenta_rt_1.parameters import (
    AttentionParams,
    BlockParams,
    CrossAttentionParams,
    DepthParams,
    EncoderParams,
    FeedForwardParams,
    ModelParams,
    TemporalBlockParams,
    TemporalParams,
)
from segue_engine.models.magenta_rt_1.positions import bias_by_distance, sinusoids
from segue_engine.models.magenta_rt_1.vocabulary import first_ids

__all__ = ["CheckpointError", "load_params", "published_shapes"]

Array = NDArray[Any]

TOKENS: Final = "token_embedder/embedding"
LOGITS: Final = "decoder/logits_dense/kernel"
_ENCODER: Final = "encoder/"
_TEMPORAL: Final = "decoder/decoder/temporal_decoder/"
_DEPTH: Final = "decoder/decoder/depth_decoder/"
_TEMPORAL_BIAS: Final = _TEMPORAL + "relpos_bias/rel_embedding"
_DEPTH_BIAS: Final = _DEPTH + "relpos_bias_depth/rel_embedding"


def published_shapes(config: MagentaRT1Config) -> Shapes:
    """Key → shape of every language-model tensor in a checkpoint of this size."""
    shapes: Shapes = {
        TOKENS: (config.vocabulary, config.width),
        LOGITS: (config.width, config.vocabulary),
        _ENCODER + "encoder_norm/scale": (config.width,),
        "decoder/decoder_norm/scale": (config.width,),
        _TEMPORAL_BIAS: (config.heads, config.bias_buckets),
        _DEPTH_BIAS: (config.heads, config.levels),
    }
    for layer in range(config.encoder_layers):
        block = f"{_ENCODER}layers_{layer}/"
        shapes |= _attention_shapes(config, block, "attention") | _feed_forward_shapes(config, block)
    for layer in range(config.temporal_layers):
        block = f"{_TEMPORAL}layers_{layer}/"
        shapes |= _attention_shapes(config, block, "self_attention")
        shapes |= _attention_shapes(config, block, "encoder_decoder_attention", "cross_attention")
        shapes |= _feed_forward_shapes(config, block)
    for layer in range(config.depth_layers):
        block = f"{_DEPTH}depth_layers_{layer}/"
        shapes |= _attention_shapes(config, block, "self_attention") | _feed_forward_shapes(config, block)
    return shapes


def _attention_shapes(config: MagentaRT1Config, block: str, name: str, called: str = "") -> Shapes:
    inner = config.heads * config.units
    shapes: Shapes = {f"{block}{name}/{part}/kernel": (config.width, inner) for part in ("query", "key", "value")}
    return shapes | {
        f"{block}{name}/out/kernel": (inner, config.width),
        f"{block}pre_{called or name}_layer_norm/scale": (config.width,),
    }


def _feed_forward_shapes(config: MagentaRT1Config, block: str) -> Shapes:
    return {
        block + "pre_mlp_layer_norm/scale": (config.width,),
        block + "mlp/wi_0/kernel": (config.width, config.hidden),
        block + "mlp/wi_1/kernel": (config.width, config.hidden),
        block + "mlp/wo/kernel": (config.hidden, config.width),
    }


def load_params(config: MagentaRT1Config, flat: Mapping[str, Any]) -> ModelParams:
    """Flat arrays in the published layout → parameters in `config.compute_dtype`. Raises CheckpointError."""
    check_flat(config.name, published_shapes(config), flat)
    return _Builder(config, flat).model()


class _Builder:
    def __init__(self, config: MagentaRT1Config, flat: Mapping[str, Any]) -> None:
        self._config = config
        self._flat = flat
        self._dtype = np.dtype(config.dtype)

    def model(self) -> ModelParams:
        return ModelParams(
            tokens=jnp.asarray(self._read(TOKENS)),
            encoder=self._encoder(),
            temporal=self._temporal(),
            depth=self._depth(),
        )

    def _encoder(self) -> EncoderParams:
        config = self._config
        blocks = [f"{_ENCODER}layers_{layer}/" for layer in range(config.encoder_layers)]
        return EncoderParams(
            blocks=BlockParams(
                attention=AttentionParams(
                    norm=self._stacked(blocks, lambda b: self._read(b + "pre_attention_layer_norm/scale")),
                    qkv=self._stacked(blocks, lambda b: self._joined(b + "attention/", "query", "key", "value")),
                    output=self._stacked(blocks, lambda b: self._read(b + "attention/out/kernel")),
                ),
                feed_forward=FeedForwardParams(
                    norm=self._stacked(blocks, lambda b: self._read(b + "pre_mlp_layer_norm/scale")),
                    up=self._stacked(blocks, lambda b: self._joined(b + "mlp/", "wi_0", "wi_1")),
                    down=self._stacked(blocks, lambda b: self._read(b + "mlp/wo/kernel")),
                ),
            ),
            positions=jnp.asarray(sinusoids(config.source_length, config.width)),
            norm=jnp.asarray(self._read(_ENCODER + "encoder_norm/scale")),
        )

    def _temporal(self) -> TemporalParams:
        blocks = []
        for layer in range(self._config.temporal_layers):
            block = f"{_TEMPORAL}layers_{layer}/"
            cross = block + "encoder_decoder_attention/"
            blocks.append(
                TemporalBlockParams(
                    attention=self._attention(block),
                    cross_attention=CrossAttentionParams(
                        norm=jnp.asarray(self._read(block + "pre_cross_attention_layer_norm/scale")),
                        query=jnp.asarray(self._read(cross + "query/kernel")),
                        kv=jnp.asarray(self._joined(cross, "key", "value")),
                        output=jnp.asarray(self._read(cross + "out/kernel")),
                    ),
                    feed_forward=self._feed_forward(block),
                )
            )
        config = self._config
        bias = bias_by_distance(self._read(_TEMPORAL_BIAS), config.frames, config.bias_distance)
        return TemporalParams(blocks=tuple(blocks), bias=jnp.asarray(bias))

    def _depth(self) -> DepthParams:
        config = self._config
        blocks = []
        for layer in range(config.depth_layers):
            block = f"{_DEPTH}depth_layers_{layer}/"
            blocks.append(BlockParams(attention=self._attention(block), feed_forward=self._feed_forward(block)))
        kernel = np.asarray(self._flat[LOGITS])  # stays float32: the published logits are a float32 product
        columns = [slice(start, start + config.codebook) for start in first_ids(config).tolist()]
        bias = bias_by_distance(self._read(_DEPTH_BIAS), config.levels, config.levels)
        return DepthParams(
            blocks=tuple(blocks),
            bias=jnp.asarray(bias),
            norm=jnp.asarray(self._read("decoder/decoder_norm/scale")),
            logits=tuple(jnp.asarray(kernel[:, own].astype(np.float32)) for own in columns),
        )

    def _attention(self, block: str) -> AttentionParams:
        return AttentionParams(
            norm=jnp.asarray(self._read(block + "pre_self_attention_layer_norm/scale")),
            qkv=jnp.asarray(self._joined(block + "self_attention/", "query", "key", "value")),
            output=jnp.asarray(self._read(block + "self_attention/out/kernel")),
        )

    def _feed_forward(self, block: str) -> FeedForwardParams:
        return FeedForwardParams(
            norm=jnp.asarray(self._read(block + "pre_mlp_layer_norm/scale")),
            up=jnp.asarray(self._joined(block + "mlp/", "wi_0", "wi_1")),
            down=jnp.asarray(self._read(block + "mlp/wo/kernel")),
        )

    def _stacked(self, blocks: list[str], read: Callable[[str], Array]) -> jax.Array:
        """[layers, …], filled layer by layer so that no kernel is in memory twice."""
        first = read(blocks[0])
        out = np.empty((len(blocks), *first.shape), first.dtype)
        out[0] = first
        for layer, block in enumerate(blocks[1:], start=1):
            out[layer] = read(block)
        return jnp.asarray(out)

    def _joined(self, prefix: str, *parts: str) -> Array:
        return np.concatenate([self._read(f"{prefix}{part}/kernel") for part in parts], axis=1)

    def _read(self, key: str) -> Array:
        return np.asarray(self._flat[key]).astype(self._dtype, copy=False)
