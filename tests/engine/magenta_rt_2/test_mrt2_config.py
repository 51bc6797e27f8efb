# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import math

import pytest

from segue_engine.models.magenta_rt_2 import BASE, SMALL, config_of_vectors, preset, published_shapes

META = {
    "enc_dim": 48,
    "temporal": [2, 64, 128, 2, 24],
    "depth": [2, 40, 96, 2, 16],
    "self_win": 8,
    "cross_win": 7,
    "Q": 6,
    "rvq_total": 8,
    "codebook": 40,
    "mc_codebook": 16,
    "mc_dim": 20,
    "ss_feat": 24,
    "ss_enc_depth": 4,
    "ss_dec_depth": 4,
}


@pytest.mark.parametrize(
    ("config", "tensors", "parameters"), [(SMALL, 325, 229_732_614), (BASE, 569, 2_406_701_830)], ids=["small", "base"]
)
def test_a_preset_has_the_published_number_of_parameters(config, tensors, parameters):
    shapes = published_shapes(config)
    assert len(shapes) == tensors
    assert sum(math.prod(shape) for shape in shapes.values()) == parameters
    assert config.vocabulary == 12_294


def test_presets_go_by_the_published_names():
    assert preset("mrt2_base") is BASE
    with pytest.raises(ValueError, match="expected one of mrt2_small, mrt2_base, got 'mrt2_huge'"):
        preset("mrt2_huge")


def test_meta_of_a_vector_set_is_read():
    config = config_of_vectors(META)
    assert (config.encoder_width, config.levels, config.codebook, config.vocabulary) == (48, 6, 40, 246)
    assert (config.self_window, config.cross_window) == (8, 7)
    assert (config.temporal.layers, config.temporal.width, config.temporal.hidden) == (2, 64, 128)
    assert (config.depth.heads, config.depth.units) == (2, 16)
    assert (config.style_codebook, config.style_width) == (16, 20)


def test_bad_meta_names_the_keys():
    with pytest.raises(ValueError, match=r"missing keys \['Q'\], unknown keys \['levels'\]"):
        config_of_vectors({**{k: v for k, v in META.items() if k != "Q"}, "levels": 6})
    with pytest.raises(ValueError, match=r"config\.temporal: expected \[layers"):
        config_of_vectors({**META, "temporal": [2, 64]})
    with pytest.raises(ValueError, match=r"config\.self_win: expected an integer"):
        config_of_vectors({**META, "self_win": "8"})


@pytest.mark.parametrize(
    ("field", "value"), [("compute_dtype", "float16"), ("style_levels_used", 13), ("self_window", 0), ("levels", 0)]
)
def test_a_bad_field_is_named(field, value):
    with pytest.raises(ValueError, match=f"{field}: expected"):
        dataclasses.replace(SMALL, **{field: value})
