# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mrt1_tiny import TINY, draw_weights

from segue_engine.models.magenta_rt_1 import CheckpointError, load_params
from segue_engine.models.magenta_rt_1.weights import LOGITS, TOKENS


def test_one_error_names_every_key_at_fault():
    flat = draw_weights(TINY, 0)
    del flat["decoder/decoder_norm/scale"]
    flat["decoder/extra"] = np.zeros(3, np.float32)
    flat[LOGITS] = np.zeros((12, 64), np.float32)
    flat["encoder/encoder_norm/scale"] = np.zeros(12, np.int32)
    with pytest.raises(CheckpointError) as caught:
        load_params(TINY, flat)
    message = str(caught.value)
    assert "missing: decoder/decoder_norm/scale [12]" in message
    assert "unknown: decoder/extra" in message
    assert f"wrong shape: {LOGITS} expected [12, 128], got [12, 64]" in message
    assert "wrong type: encoder/encoder_norm/scale expected floating point, got int32" in message
    assert len(message.splitlines()) == 5


def test_projections_of_one_input_lie_side_by_side():
    flat = draw_weights(TINY, 1)
    params = load_params(TINY, flat)
    own = "decoder/decoder/temporal_decoder/layers_1/"
    parts = np.split(np.asarray(params.temporal.blocks[1].attention.qkv), 3, axis=1)
    for part, kernel in zip(("query", "key", "value"), parts, strict=True):
        np.testing.assert_array_equal(kernel, flat[f"{own}self_attention/{part}/kernel"])
    cross = params.temporal.blocks[1].cross_attention
    np.testing.assert_array_equal(cross.kv[:, 16:], flat[own + "encoder_decoder_attention/value/kernel"])
    up = params.encoder.blocks.feed_forward.up
    np.testing.assert_array_equal(up[2, :, :20], flat["encoder/layers_2/mlp/wi_0/kernel"])
    np.testing.assert_array_equal(up[2, :, 20:], flat["encoder/layers_2/mlp/wi_1/kernel"])


def test_each_level_has_the_logit_columns_of_its_own_ids():
    flat = draw_weights(TINY, 1)
    params = load_params(TINY, flat).depth
    np.testing.assert_array_equal(params.logits[2], flat[LOGITS][:, 22:32])
    assert [kernel.shape[1] for kernel in params.logits] == [10, 10, 10]


@pytest.mark.parametrize("stored", ["float32", "bfloat16", "float16"])
def test_any_float_type_is_cast_to_the_compute_type_but_for_logits_and_positions(stored):
    config = dataclasses.replace(TINY, compute_dtype="bfloat16")
    flat = {key: value.astype(jnp.dtype(stored)) for key, value in draw_weights(TINY, 1).items()}
    params = load_params(config, flat)
    wide = [*params.depth.logits, params.encoder.positions]
    assert {leaf.dtype for leaf in wide} == {jnp.dtype("float32")}
    others = [leaf for leaf in jax.tree.leaves(params) if all(leaf is not w for w in wide)]
    assert {leaf.dtype for leaf in others} == {jnp.dtype("bfloat16")}


class Lazy:
    """An array on disk that counts how often it is read."""

    reads = 0

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __array__(self, dtype=None, copy=None):
        Lazy.reads += 1
        return self._array


def test_lazy_arrays_are_read_once_each_and_not_at_all_if_they_dont_fit():
    flat = {key: Lazy(value) for key, value in draw_weights(TINY, 1).items()}
    with pytest.raises(CheckpointError):
        load_params(dataclasses.replace(TINY, hidden=24), flat)
    assert Lazy.reads == 0
    params = load_params(TINY, flat)
    assert Lazy.reads == len(flat)
    np.testing.assert_array_equal(params.tokens, flat[TOKENS]._array)
