# SPDX-License-Identifier: Apache-2.0
"""The published checkpoint layout of the language model, and the way from there to `ModelParams`.

A checkpoint is flat: `/`-joined names to arrays, kernels inputs first. Nothing is converted beforehand; whatever float
type it holds is cast once, here, to the type that the model computes in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from segue_engine.contract import STYLE_LEVELS
from segue_engine.layers.flat_checkpoint import CheckpointError, Shapes, check_flat
from segue_engine.models.magenta_rt_2.conditioning import REGULAR_ROWS, style_rows
from segue_engine.models.magenta_rt_2.config import RESERVED_IDS, MagentaRT2Config, StackConfig
from segue_engine.models.magenta_rt_2.parameters import (
    AffineParams,
    CrossAttentionParams,
    DepthBlockParams,
    DepthParams,
    EncoderParams,
    FeedForwardParams,
    ModelParams,
    SelfAttentionParams,
    SinkParams,
    TemporalBlockParams,
    TemporalParams,
)

__all__ = ["CheckpointError", "load_params", "published_shapes"]

PREFIX: Final = "params/depthformer/"
CODEC_PREFIX: Final = "params/soundstream/"

_ENCODER: Final = PREFIX + "encoder/body/"
_STYLE: Final = _ENCODER + "layers_1/branched_mulan_embedder/mulan_embedder/"
_REGULAR: Final = _ENCODER + "layers_1/branched_regular_embedder/regular_embedder/"
_TOKENS: Final = PREFIX + "decoder/decoder_embedding/embedding/embedding"
_TEMPORAL: Final = PREFIX + "decoder/temporal_body/transformer/"
_DEPTH: Final = PREFIX + "decoder/depth_body/"


def published_shapes(config: MagentaRT2Config) -> Shapes:
    """Key → shape of every language-model tensor in a checkpoint of this size."""
    temporal, depth, encoder = config.temporal, config.depth, config.encoder_width
    shapes: Shapes = {
        _STYLE + "mulan_dequantizer/embedding": (STYLE_LEVELS * style_rows(config), config.style_width),
        _STYLE + "depth_input_adapter/kernel": (config.style_width, encoder),
        _REGULAR + "embedding": (REGULAR_ROWS, encoder),
        _ENCODER + "encoder_ln/scale": (encoder,),
        _ENCODER + "encoder_ln/bias": (encoder,),
        _TOKENS: (config.vocabulary, temporal.width),
        _DEPTH + "final_ln/scale": (depth.width,),
        _DEPTH + "final_ln/bias": (depth.width,),
        _DEPTH + "to_logits/kernel": (depth.width, config.vocabulary),
        _DEPTH + "to_logits/bias": (config.vocabulary,),
    }
    if temporal.width != depth.width:
        shapes[_DEPTH + "depth_input_adapter/kernel"] = (temporal.width, depth.width)
    for layer in range(temporal.layers):
        block = f"{_TEMPORAL}x_layers_{layer}/"
        shapes |= _attention_shapes(block + "self_attention/", temporal, temporal.width, sink=True)
        shapes |= _attention_shapes(block + "cross_attention/", temporal, encoder, sink=True)
        shapes |= _feed_forward_shapes(block + "ffn/", temporal)
    for layer in range(depth.layers):
        block = f"{_DEPTH}transformer/x_layers_{layer}/"
        shapes |= _attention_shapes(block + "self_attention/", depth, depth.width, sink=False)
        shapes |= _feed_forward_shapes(block + "ffn/", depth)
    return shapes


def _attention_shapes(prefix: str, stack: StackConfig, source_width: int, *, sink: bool) -> Shapes:
    heads = (stack.heads, stack.units)
    shapes: Shapes = {
        prefix + "pre_norm/scale": (stack.width,),
        prefix + "post_norm/scale": (stack.width,),
        prefix + "attention/query_projection/kernel": (stack.width, *heads),
        prefix + "attention/key_projection/kernel": (source_width, *heads),
        prefix + "attention/value_projection/kernel": (source_width, *heads),
        prefix + "attention/per_dim_scale": (stack.units,),
        prefix + "output_projection/kernel": (stack.width, *heads),
    }
    if sink:
        shapes[prefix + "attention/sink_key_embeddings"] = (1, *heads)
        shapes[prefix + "attention/sink_value_embeddings"] = (1, *heads)
    return shapes


def _feed_forward_shapes(prefix: str, stack: StackConfig) -> Shapes:
    return {
        prefix + "pre_norm/scale": (stack.width,),
        prefix + "post_norm/scale": (stack.width,),
        prefix + "ffn_layer1/kernel": (stack.width, stack.hidden),
        prefix + "ffn_layer1/bias": (stack.hidden,),
        prefix + "ffn_layer2/kernel": (stack.hidden, stack.width),
        prefix + "ffn_layer2/bias": (stack.width,),
    }


def load_params(config: MagentaRT2Config, flat: Mapping[str, Any]) -> ModelParams:
    """Flat arrays in the published layout → parameters in `config.compute_dtype`. Raises CheckpointError.

    The codec's keys are not looked at.
    """
    own = {key: array for key, array in flat.items() if not key.startswith(CODEC_PREFIX)}
    check_flat(config.name, published_shapes(config), own)
    return _Builder(config, flat).model()


class _Builder:
    """Reads tensors one by one, so that a checkpoint that is mapped from disk is never whole in memory twice."""

    def __init__(self, config: MagentaRT2Config, flat: Mapping[str, Any]) -> None:
        self._config = config
        self._flat = flat
        self._dtype = np.dtype(config.dtype)

    def model(self) -> ModelParams:
        return ModelParams(
            encoder=EncoderParams(
                style_table=self._cast(_STYLE + "mulan_dequantizer/embedding"),
                style_adapter=self._cast(_STYLE + "depth_input_adapter/kernel"),
                regular_table=self._cast(_REGULAR + "embedding"),
                norm=self._affine(_ENCODER + "encoder_ln/"),
            ),
            tokens=self._cast(_TOKENS),
            temporal=self._temporal(),
            depth=self._depth(),
        )

    def _temporal(self) -> TemporalParams:
        blocks, cross = [], []
        for layer in range(self._config.temporal.layers):
            prefix = f"{_TEMPORAL}x_layers_{layer}/"
            own, other = prefix + "self_attention/", prefix + "cross_attention/"
            cross += [self._projection(other, "key"), self._projection(other, "value")]
            blocks.append(
                TemporalBlockParams(
                    self_attention=self._self_attention(own, sink=self._sink(own)),
                    cross_attention=CrossAttentionParams(
                        pre_norm=self._cast(other + "pre_norm/scale"),
                        query=jnp.asarray(self._projection(other, "query")),
                        query_scale=self._query_scale(other, self._config.temporal.units),
                        output=self._output(other),
                        post_norm=self._cast(other + "post_norm/scale"),
                        sink=self._sink(other),
                    ),
                    feed_forward=self._feed_forward(prefix + "ffn/"),
                )
            )
        return TemporalParams(blocks=tuple(blocks), cross_kv=jnp.asarray(np.concatenate(cross, axis=1)))

    def _depth(self) -> DepthParams:
        config, adapter = self._config, _DEPTH + "depth_input_adapter/kernel"
        kernel, bias = self._host(_DEPTH + "to_logits/kernel"), self._host(_DEPTH + "to_logits/bias")
        starts = [RESERVED_IDS + level * config.codebook for level in range(config.levels)]
        columns = [slice(start, start + config.codebook) for start in starts]
        blocks = []
        for layer in range(config.depth.layers):
            prefix = f"{_DEPTH}transformer/x_layers_{layer}/"
            blocks.append(
                DepthBlockParams(
                    self_attention=self._self_attention(prefix + "self_attention/", sink=None),
                    feed_forward=self._feed_forward(prefix + "ffn/"),
                )
            )
        return DepthParams(
            adapter=self._cast(adapter) if adapter in published_shapes(config) else None,
            blocks=tuple(blocks),
            final_norm=self._affine(_DEPTH + "final_ln/"),
            logit_kernels=tuple(jnp.asarray(np.ascontiguousarray(kernel[:, own])) for own in columns),
            logit_biases=tuple(jnp.asarray(bias[own]) for own in columns),
        )

    def _self_attention(self, prefix: str, sink: SinkParams | None) -> SelfAttentionParams:
        stack = self._config.depth if sink is None else self._config.temporal
        qkv = np.concatenate([self._projection(prefix, part) for part in ("query", "key", "value")], axis=1)
        return SelfAttentionParams(
            pre_norm=self._cast(prefix + "pre_norm/scale"),
            qkv=jnp.asarray(qkv),
            query_scale=self._query_scale(prefix, stack.units),
            output=self._output(prefix),
            post_norm=self._cast(prefix + "post_norm/scale"),
            sink=sink,
        )

    def _feed_forward(self, prefix: str) -> FeedForwardParams:
        return FeedForwardParams(
            pre_norm=self._cast(prefix + "pre_norm/scale"),
            up=self._cast(prefix + "ffn_layer1/kernel"),
            up_bias=self._cast(prefix + "ffn_layer1/bias"),
            down=self._cast(prefix + "ffn_layer2/kernel"),
            down_bias=self._cast(prefix + "ffn_layer2/bias"),
            post_norm=self._cast(prefix + "post_norm/scale"),
        )

    def _sink(self, prefix: str) -> SinkParams:
        key = np.asarray(self._flat[prefix + "attention/sink_key_embeddings"], np.float32)[0]
        return SinkParams(
            key=jnp.asarray(key),
            value=jnp.asarray(self._host(prefix + "attention/sink_value_embeddings")[0]),
        )

    def _affine(self, prefix: str) -> AffineParams:
        return AffineParams(scale=self._cast(prefix + "scale"), bias=self._cast(prefix + "bias"))

    def _query_scale(self, prefix: str, units: int) -> jax.Array:
        """log2(e) / sqrt(H) · softplus(per_dim_scale), each in the queries' type, so that 0 scales by 1 / sqrt(H)."""
        constant = jnp.asarray(1.442695041 / np.sqrt(units), self._dtype)
        return constant * jax.nn.softplus(self._cast(prefix + "attention/per_dim_scale"))

    def _projection(self, prefix: str, part: str) -> np.ndarray[Any, np.dtype[Any]]:
        kernel = self._host(f"{prefix}attention/{part}_projection/kernel")
        return kernel.reshape(kernel.shape[0], -1)

    def _output(self, prefix: str) -> jax.Array:
        kernel = self._host(prefix + "output_projection/kernel")  # stored [D, N, H], outputs first
        return jnp.asarray(np.ascontiguousarray(kernel.reshape(kernel.shape[0], -1).T))

    def _cast(self, key: str) -> jax.Array:
        return jnp.asarray(self._host(key))

    def _host(self, key: str) -> np.ndarray[Any, np.dtype[Any]]:
        return np.asarray(self._flat[key]).astype(self._dtype, copy=False)
