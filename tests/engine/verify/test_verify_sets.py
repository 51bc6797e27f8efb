# SPDX-License-Identifier: Apache-2.0
"""Whole sets: the committed vectors, and a set of other sizes that no code here was written for."""

from __future__ import annotations

import json

import jax
import pytest
from verify_sets import COMMITTED, LARGE, copy_of, make_other_set, rewrite

from segue_engine.verify import VectorError, verify
from segue_engine.verify.registry import CHECKS

BOTH_WAYS = {"streamed", "among strangers"}


class Recorder:
    """A watcher that keeps what it was told."""

    def __init__(self):
        self.told = {}
        self.finished = []

    def begin(self, file, steps):
        self.told[file] = [steps, 0]

    def tick(self):
        next(reversed(self.told.values()))[1] += 1

    def finish(self, report):
        self.finished.append(report.name)


def failures(report):
    return [
        (file.name, row.array, row.way, dict(row.figures), row.note)
        for file in report.files
        for row in file.rows
        if not row.passed
    ]


def ways(report, file, array):
    return {row.way for f in report.files if f.name == file for row in f.rows if row.array == array}


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return make_other_set(tmp_path_factory.mktemp("sets") / "other")


def test_all_committed_vectors_pass():
    watcher, settings = Recorder(), (jax.config.jax_default_matmul_precision, jax.config.jax_threefry_partitionable)
    report = verify(COMMITTED, CHECKS, skip_large=True, watcher=watcher)
    assert failures(report) == []
    assert report.passed
    assert {f.name: f.status for f in report.files if f.status != "checked"} == dict.fromkeys(LARGE, "skipped")
    assert len([f for f in report.files if f.status == "checked"]) == 9
    for array in ("encoded", "temporal_in", "temporal_out", "depth_logits_raw", "depth_logits_capped"):
        assert ways(report, "ii_teacher_forced_f32.npz", array) >= BOTH_WAYS
    assert ways(report, "vi_teacher_forced_bf16.npz", "temporal_out") == {*BOTH_WAYS, "prefilled"}
    assert ways(report, "iv_codec_decoder_tiny.npz", "wave_step") == BOTH_WAYS
    assert ways(report, "vii_e2e_greedy.npz", "token_ids") == {"greedy", "served step"}
    assert (jax.config.jax_default_matmul_precision, jax.config.jax_threefry_partitionable) == settings
    assert watcher.finished == [f.name for f in report.files]
    assert all(done == steps for steps, done in watcher.told.values())


def test_a_set_of_other_sizes_passes(other):
    report = verify(other, CHECKS)
    assert failures(report) == []
    assert [f.name.split("_")[0] for f in report.files if f.status == "checked"] == [
        "i", "ii", "iii", "iv", "v", "v2", "vi", "vii", "ix",
    ]  # fmt: skip
    assert ways(report, "ii_teacher_forced_f32.npz", "temporal_out") == {*BOTH_WAYS, "prefilled"}
    assert ways(report, "iv_codec_decoder_tiny.npz", "pcm_int16_step") == BOTH_WAYS
    assert ways(report, "v_codec_encoder_tiny.npz", "embeddings") == {"whole", "in pieces"}


def test_seeds_only_weights_are_checked_by_their_sums(other, tmp_path):
    folder = copy_of(tmp_path / "set")
    for name in ("meta.json", "tolerances.json", "full_keys_own.json", "ix_lm_own_full_seeds_only.npz"):
        (folder / name).write_bytes((other / name).read_bytes())
    rewrite(folder / "ix_lm_own_full_seeds_only.npz", logit_gain=1.0)
    with pytest.raises(
        VectorError, match=r"ix_lm_own.*check_sums: the weights regenerated .* sum of .*to_logits/kernel"
    ):
        verify(folder, CHECKS)


def test_a_full_size_codec_of_another_seed_is_found_out(tmp_path):
    folder = copy_of(tmp_path / "set", "viii_*", "full_codec_keys.json")
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"full_codec_seed": 1}))
    with pytest.raises(
        VectorError, match=r"meta.json: full_codec_check: the weights regenerated .* sum of params/decoder"
    ):
        verify(folder, CHECKS)
    (folder / "meta.json").write_text(json.dumps(meta | {"full_codec_seed": None}))
    with pytest.raises(VectorError, match=r"meta.json: full_codec_seed: expected an integer, 0 or more, got None"):
        verify(folder, CHECKS)


@pytest.mark.parametrize(
    ("file", "keys", "said"),
    [
        (
            "viii_*",
            "full_codec_keys.json",
            r"full_codec_keys.json: 1 tensors are not those of a codec .*: expected \[\d",
        ),
        ("ix_*", "full_keys_small.json", r"full_keys_small.json: 1 tensors are not those of mrt2_small, first params/"),
    ],
)
def test_a_key_too_few_is_found_before_anything_is_drawn(tmp_path, file, keys, said):
    folder = copy_of(tmp_path / "set", file, keys)
    shapes = json.loads((folder / keys).read_text())
    del shapes[next(key for key in shapes if key.endswith("bias"))]
    (folder / keys).write_text(json.dumps(shapes))
    with pytest.raises(VectorError, match=said):
        verify(folder, CHECKS)
