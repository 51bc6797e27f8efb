# SPDX-License-Identifier: Apache-2.0
"""Sizes, positions and the map of ids."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from mrt1_tiny import TINY, random_context

from segue_engine.models.magenta_rt_1 import BASE, LARGE, config_of_vectors, preset, published_shapes
from segue_engine.models.magenta_rt_1.positions import buckets, sinusoids
from segue_engine.models.magenta_rt_1.vocabulary import code_ids, folded_codes, negative_ids, source_ids

VECTORS = Path(__file__).parents[2] / "vectors" / "mrt1"


@pytest.mark.parametrize(
    ("config", "parameters", "tensors"), [(BASE, 347_873_472, 430), (LARGE, 761_651_456, 538)], ids=["base", "large"]
)
def test_the_published_sizes_have_the_published_parameters(config, parameters, tensors):
    shapes = published_shapes(config)
    assert sum(math.prod(shape) for shape in shapes.values()) == parameters
    assert len(shapes) == tensors
    assert preset(config.name) is config
    assert config.source_length == 1006
    assert config.first_style_id == 17_410


def test_the_vectors_say_their_sizes():
    config = config_of_vectors(json.loads((VECTORS / "config_e2e_S.json").read_text()))
    assert (config.width, config.levels, config.frames, config.source_length) == (16, 16, 50, 1006)
    assert config.vocabulary == 29_824


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"embed": None}, r"missing keys \['embed'\]"),
        ({"heads": "4"}, "heads: expected an integer, got '4'"),
        ({"enc_len": 24}, "enc_len: expected enc_frames · enc_levels [+] style = 23, got 24"),
        ({"mlp": 0}, "hidden: expected at least 1, got 0"),
        ({"padded_vocab": 100}, "vocabulary: expected at least 130 rows, got 100"),
        ({"temp_maxdist": 60}, "bias_distance: expected more than half of 128"),
        ({"embed": 33}, "width: expected an even number"),
    ],
)
def test_a_config_that_makes_no_sense_is_a_sentence(change, said):
    meta = json.loads((VECTORS / "config_A.json").read_text()) | change
    with pytest.raises(ValueError, match=said):
        config_of_vectors({key: value for key, value in meta.items() if value is not None})
    with pytest.raises(ValueError, match="expected one of mrt1_base, mrt1_large"):
        preset("mrt1_small")


def test_every_distance_that_occurs_has_its_own_bucket():
    np.testing.assert_array_equal(buckets(np.arange(50), 128, 128), np.arange(50))
    np.testing.assert_array_equal(buckets(np.arange(16), 16, 16), np.arange(16))
    assert buckets(np.array([10**6]), 128, 128) == 127
    np.testing.assert_array_equal(buckets(np.arange(3), 1, 1), [0, 0, 0])


def test_the_last_sine_is_slow_and_the_first_is_not():
    table = sinusoids(3, 8)
    np.testing.assert_allclose(table[1, [0, 3]], np.sin([1.0, 1e-4]), rtol=1e-6)
    np.testing.assert_allclose(table[2, [4, 7]], np.cos([2.0, 2e-4]), rtol=1e-6)


def test_context_and_style_have_their_places():
    context, style = random_context(TINY, 0, 2, missing=2)
    ids = np.asarray(source_ids(TINY, jnp.asarray(context), jnp.asarray(style)))
    assert ids.shape == (2, TINY.source_length)
    assert (ids[:, :4] == 1).all()
    assert (ids[:, 4:12].reshape(2, 4, 2) == context[:, 2:, :2] + [2, 12]).all()
    assert (ids[:, 12:] == style[:, :3] + 42 + 10 * np.arange(3)).all()
    negative = np.asarray(negative_ids(TINY, jnp.asarray(ids)))
    assert (negative[:, :12] == ids[:, :12]).all()
    assert (negative[:, 12:] == 1).all()


def test_nothing_leaves_its_table():
    wild = jnp.asarray([[-5, 10**9, 3], [-1, 10, 2**31 - 1]], jnp.int32)
    np.testing.assert_array_equal(code_ids(TINY, wild), [[1, 21, 25], [1, 21, 31]])
    published = dataclasses.replace(TINY, codebook=1024, levels=16, vocabulary=29_824, style_levels=6)
    np.testing.assert_array_equal(
        folded_codes(published, jnp.asarray([0, 1, 2, 1025, 1026, 16_386])), [0, 0, 0, 1023, 0, 0]
    )
