# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import numpy as np
import pytest
from verify_sets import COMMITTED

from segue_engine.verify.rules import Tolerances
from segue_engine.verify.seeds import SumCheck, draw
from segue_engine.verify.vector_set import VectorError, VectorSet

GOLDEN = np.array([1.0, -4.0, 2.0, 0.5])


def rule(description):
    (found,) = Tolerances({"f": {"a": description}}).of_file("f").patterns.values()
    return found


@pytest.mark.parametrize(
    ("description", "error", "passed", "figures"),
    [
        ("exact", 0.0, True, {"unequal": 0}),
        ("exact", 1e-9, False, {"unequal": 1}),
        ({"mismatches": 1}, 3.0, True, {"unequal": 1}),
        ({"mismatches": 0}, 3.0, False, {"unequal": 1}),
        ({"atol": 0.25}, 0.25, True, {"max_abs": 0.25}),
        ({"atol": 0.25}, 0.5, False, {"max_abs": 0.5}),
        ({"rel_to_max": 0.1}, 0.25, True, {"rel_to_max": 0.0625}),
        ({"rel_to_max": 0.05}, 0.25, False, {"rel_to_max": 0.0625}),
    ],
)
def test_a_rule_judges_by_its_own_figure(description, error, passed, figures):
    judged = rule(description).judge(GOLDEN + np.array([0, 0, error, 0]), GOLDEN)
    assert judged.passed is passed
    assert judged.figures == pytest.approx(figures)


def test_bfloat16_asks_for_three_things_at_once():
    wanted = np.random.default_rng(0).normal(size=1000)
    near, far, scaled = wanted + 1e-3, wanted.copy(), 1.02 * wanted
    far[3] += 0.5
    rules = rule({"bf16": {"rel_rms": 0.03, "corr": 0.9995, "max": 0.4}})
    assert rules.judge(near, wanted).passed
    assert rules.judge(scaled, wanted).passed
    assert not rules.judge(far, wanted).passed
    assert not rules.judge(1.05 * wanted, wanted).passed
    assert not rule({"bf16": {"rel_rms": 2.0, "corr": 0.9995, "max": 9.0}}).judge(-0.1 * wanted, wanted).passed
    assert not rules.judge(np.full(1000, np.nan), wanted).passed


def test_integers_do_not_overflow():
    top = np.array([32767], np.int16)
    assert rule({"atol": 1}).judge(np.array([-32768], np.int16), top).figures == {"max_abs": 65535}


def test_the_longest_pattern_wins_first_among_files_then_among_arrays():
    tolerances = Tolerances(
        {
            "_doc": "words",
            "core_*.npz": {"*": "exact", "out*": {"atol": 1}, "out_last": {"atol": 2}},
            "core_*_bf16.npz": {"*": {"atol": 3}},
        }
    )
    rules = tolerances.of_file("core_A.npz")
    assert [rules.pattern_of(name) for name in ("in", "outer", "out_last")] == ["*", "out*", "out_last"]
    assert tolerances.of_file("core_A_bf16.npz").patterns["*"].text == "atol 3"
    assert tolerances.of_file("misc.npz").pattern_of("a") is None


def test_the_recipe_gives_the_committed_weights_bit_for_bit():
    vectors = VectorSet(COMMITTED)
    stored = vectors.tensors("params/", "tiny_weights.safetensors").flat
    drawn = dict(draw(vectors.shapes("tiny_keys.json"), vectors.meta["seed"]))
    assert drawn.keys() == stored.keys()
    for key, tensor in drawn.items():
        np.testing.assert_array_equal(tensor, stored[key], err_msg=key)


def test_sums_tell_other_weights_from_the_right_ones():
    shapes = {"params/a/kernel": (64, 32), "params/b/bias": (40,)}
    right, wrong = dict(draw(shapes, 1)), dict(draw(shapes, 2))
    sums = {key: float(tensor.sum()) for key, tensor in right.items()}
    tops = {key: float(np.abs(tensor).max()) for key, tensor in right.items()}
    check = SumCheck("meta.json: sums", sums, tops)
    for key, tensor in right.items():
        check.see(key, tensor)
    check.finish()
    for key, tensor in wrong.items():
        with pytest.raises(VectorError, match=f"meta.json: sums: the weights regenerated from the seed .* {key}"):
            SumCheck("meta.json: sums", sums, tops).see(key, tensor)
    with pytest.raises(VectorError, match="states the sum of params/a/kernel"):
        SumCheck("meta.json: sums", sums).finish()


def test_the_committed_seeds_only_codec_is_described_by_its_keys():
    from segue_engine.spectrostream import SpectroStreamConfig, published_shapes
    from segue_engine.verify.mrt2.codec import config_of_shapes

    shapes = VectorSet(COMMITTED).shapes("full_codec_keys.json")
    assert config_of_shapes(shapes, "full_codec_keys.json") == SpectroStreamConfig()
    assert shapes == published_shapes(SpectroStreamConfig(), ("decoder", "encoder", "quantizer"), "params/")
    assert json.loads((COMMITTED / "meta.json").read_text())["full_codec_check"].keys() <= shapes.keys()
