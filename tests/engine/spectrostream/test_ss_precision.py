# SPDX-License-Identifier: Apache-2.0
"""What a precision setting costs, in decibels, and what of the laws it keeps."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.lax import Precision
from ss_tiny import LEVELS, TINY, Streamer, random_codes, tiny_codec, tiny_weights

from segue_engine.spectrostream import CodecPrecision, compare, damage, load_codebooks, load_decoder


def products(precision: CodecPrecision) -> list[tuple[str, Any]]:
    """(operand type, precision) of each convolution and matrix product of a decoded frame, in order."""
    codec = tiny_codec(precision=precision)
    args = codec.params, codec.init_state(2), random_codes(0, 2, LEVELS), np.ones(2, np.bool_)
    equations = jax.make_jaxpr(codec.decode)(*args).jaxpr.eqns
    kinds = "conv_general_dilated", "dot_general"
    return [
        (str(eqn.invars[0].aval.dtype), eqn.params["precision"][0]) for eqn in equations if eqn.primitive.name in kinds
    ]


def test_a_setting_is_the_arithmetic_of_every_product():
    exact, reduced, narrow = products("float32"), products("tf32"), products("bfloat16")
    assert len(exact) == len(reduced) == len(narrow) == 3 + 2 + 2 * 7 + 4 + 1
    assert set(exact) == {("float32", Precision.HIGHEST)}
    assert set(reduced) == {("float32", Precision.HIGH)}
    assert set(narrow[:-1]) == {("bfloat16", Precision.DEFAULT)}
    assert narrow[-1] == ("float32", Precision.HIGH)


def test_tf32_has_the_weights_of_float32(tiny: Streamer):
    for ours, exact in zip(
        jax.tree.leaves(tiny_codec(precision="tf32").params), jax.tree.leaves(tiny.codec.params), strict=True
    ):
        np.testing.assert_array_equal(ours, exact)


def test_bfloat16_is_heard_as_the_same_sound():
    decoder, codebooks = load_decoder(TINY, tiny_weights()), load_codebooks(TINY, tiny_weights())
    found = damage(TINY, decoder, codebooks, random_codes(0, 2, 6, LEVELS), "bfloat16")
    assert 30.0 < found.snr_db < 60.0
    assert 0.0 < found.log_spectral_distance_db < 1.0


def test_bfloat16_keeps_less_and_keeps_its_types(tiny: Streamer):
    codec = tiny_codec(precision="bfloat16")
    state = codec.init_state(2)
    size, exact_size = (
        sum(leaf.nbytes for leaf in jax.tree.leaves(tree)) for tree in (state, tiny.codec.init_state(2))
    )
    assert size < 0.7 * exact_size
    assert codec.params.network.units[3].first.kernel.dtype == jnp.bfloat16
    after, audio = jax.eval_shape(codec.decode, codec.params, state, random_codes(0, 2, LEVELS), np.ones(2, np.bool_))
    assert (audio.shape, audio.dtype) == ((2, 1920, 2), np.float32)
    assert [(a.shape, a.dtype) for a in jax.tree.leaves(after)] == [(b.shape, b.dtype) for b in jax.tree.leaves(state)]


def test_damage_is_in_decibels():
    wave = np.random.default_rng(0).standard_normal((1, 9600, 2)).astype(np.float32)
    halved = compare(wave, 0.5 * wave)
    assert halved.snr_db == pytest.approx(6.02, abs=0.01)
    assert halved.log_spectral_distance_db == pytest.approx(6.02, abs=0.01)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="expected a sound, got silence"):
        compare(np.zeros((1, 1920, 2)), np.ones((1, 1920, 2)))
    with pytest.raises(ValueError, match="codes: expected"):
        damage(TINY, None, None, np.zeros((1, 1, 4), np.int32), "tf32")  # type: ignore[arg-type]
