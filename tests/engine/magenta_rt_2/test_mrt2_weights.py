# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mrt2_tiny import TINY, draw_weights

from segue_engine.models.magenta_rt_2 import CheckpointError, load_params

DECODER = "params/depthformer/decoder/"


def test_one_error_names_every_key_at_fault():
    flat = draw_weights(TINY, 0)
    del flat[DECODER + "depth_body/final_ln/bias"]
    flat["params/depthformer/decoder/extra"] = np.zeros(3, np.float32)
    flat[DECODER + "depth_body/to_logits/bias"] = np.zeros(7, np.float32)
    flat[DECODER + "depth_body/final_ln/scale"] = np.zeros(TINY.depth.width, np.int32)
    with pytest.raises(CheckpointError) as caught:
        load_params(TINY, flat)
    message = str(caught.value)
    assert "missing: params/depthformer/decoder/depth_body/final_ln/bias [20]" in message
    assert "unknown: params/depthformer/decoder/extra" in message
    assert "wrong shape: params/depthformer/decoder/depth_body/to_logits/bias expected [166], got [7]" in message
    assert "wrong type: params/depthformer/decoder/depth_body/final_ln/scale expected floating point" in message
    assert len(message.splitlines()) == 5


def test_codec_tensors_in_the_same_file_are_not_the_language_models_affair():
    flat = draw_weights(TINY, 0) | {"params/soundstream/quantizer/embedding": np.zeros((8, 40, 4), np.float32)}
    assert load_params(TINY, flat).tokens.shape == (TINY.vocabulary, TINY.temporal.width)


def test_projections_of_one_input_lie_side_by_side():
    flat = draw_weights(TINY, 1)
    params = load_params(TINY, flat)
    stack, prefix = TINY.temporal, DECODER + "temporal_body/transformer/x_layers_1/"
    joined = np.asarray(params.temporal.blocks[1].self_attention.qkv).reshape(stack.width, 3, stack.heads, stack.units)
    for index, part in enumerate(("query", "key", "value")):
        np.testing.assert_array_equal(
            joined[:, index], flat[f"{prefix}self_attention/attention/{part}_projection/kernel"]
        )
    crossed = np.asarray(params.temporal.cross_kv).reshape(TINY.encoder_width, -1, 2, stack.heads, stack.units)
    np.testing.assert_array_equal(crossed[:, 1, 1], flat[f"{prefix}cross_attention/attention/value_projection/kernel"])
    out = np.asarray(params.temporal.blocks[1].cross_attention.output).reshape(stack.heads, stack.units, stack.width)
    np.testing.assert_array_equal(out, np.moveaxis(flat[prefix + "cross_attention/output_projection/kernel"], 0, -1))


def test_each_level_has_the_logit_columns_of_its_own_ids():
    flat = draw_weights(TINY, 1)
    params = load_params(TINY, flat).depth
    kernel = flat[DECODER + "depth_body/to_logits/kernel"]
    np.testing.assert_array_equal(params.logit_kernels[2], kernel[:, 86:126])
    assert sum(k.shape[1] for k in params.logit_kernels) == TINY.vocabulary - 6


def test_the_query_scale_of_zero_is_the_usual_one():
    flat = draw_weights(TINY, 1)
    key = DECODER + "depth_body/transformer/x_layers_0/self_attention/attention/per_dim_scale"
    flat[key] = np.zeros_like(flat[key])
    scale = load_params(TINY, flat).depth.blocks[0].self_attention.query_scale
    np.testing.assert_allclose(scale, 1 / np.sqrt(TINY.depth.units), rtol=1e-6)


@pytest.mark.parametrize("stored", ["float32", "bfloat16", "float16"])
def test_any_float_type_is_cast_to_the_compute_type_but_for_sink_keys(stored):
    config = dataclasses.replace(TINY, compute_dtype="bfloat16")
    flat = {key: value.astype(jnp.dtype(stored)) for key, value in draw_weights(TINY, 1).items()}
    params = load_params(config, flat)
    sinks = [s for b in params.temporal.blocks for s in (b.self_attention.sink.key, b.cross_attention.sink.key)]
    assert {s.dtype for s in sinks} == {jnp.dtype("float32")}
    others = [leaf for leaf in jax.tree.leaves(params) if all(leaf is not s for s in sinks)]
    assert {leaf.dtype for leaf in others} == {jnp.dtype("bfloat16")}


def test_a_model_whose_widths_agree_has_no_adapter():
    config = dataclasses.replace(TINY, depth=dataclasses.replace(TINY.depth, width=TINY.temporal.width))
    assert load_params(config, draw_weights(config, 0)).depth.adapter is None
