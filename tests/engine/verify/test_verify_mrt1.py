# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 1 vectors: the committed set passes, a set of other sizes passes, what differs or breaks is said."""

from __future__ import annotations

import json
from contextlib import contextmanager

import jax
import numpy as np
import pytest
from mrt1_sets import COMMITTED_MRT1, TAG, copy_of_mrt1, make_other_mrt1_set
from safetensors.numpy import load_file, save_file
from verify_sets import rewrite, set_rules

from segue_engine.verify import VectorError, verify
from segue_engine.verify.mrt1.archive import open_archive, read
from segue_engine.verify.registry import CHECKS
from segue_engine.verify.vector_set import VectorSet

CORE = ("core_A.npz", "config_A.json", "weights_A.safetensors")
SCRIPTED = ("system_scripted_S.npz",)
MISC = ("misc_M.npz",)
BOTH = {"whole", "layer by layer"}


def failures(report):
    rows = [(file.name, row) for file in report.files for row in file.rows]
    return {(name, row.array, row.way): row.note or dict(row.figures) for name, row in rows if not row.passed}


def ways(report, file, array):
    return {row.way for f in report.files if f.name == file for row in f.rows if row.array == array}


@contextmanager
def optimised():
    """For programs that run longer than they compile."""
    jax.config.update("jax_disable_most_optimizations", False)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", True)


def test_the_committed_model_passes_in_every_way(tmp_path):
    settings = jax.config.jax_default_matmul_precision, jax.config.jax_threefry_partitionable
    report = verify(copy_of_mrt1(tmp_path / "set", *CORE, "core_A_bf16.npz", *SCRIPTED, *MISC), CHECKS)
    assert failures(report) == {}
    assert {file.status for file in report.files} == {"checked"}
    assert len(report.rows) == 78
    for file in ("core_A.npz", "core_A_bf16.npz"):
        assert ways(report, file, "enc_out") == BOTH
        assert ways(report, file, "inc_logits") == {"cached", "served, among strangers"}
    assert (jax.config.jax_default_matmul_precision, jax.config.jax_threefry_partitionable) == settings


def test_a_committed_chunk_passes_from_context_to_sound(tmp_path):
    folder = copy_of_mrt1(tmp_path / "set", "system_e2e_S.npz", "config_e2e_S.json", "weights_e2e_S_f16.safetensors")
    names = ("encoder_inputs", "llm_tokens", "scores", "chunk", "context")
    rewrite(folder / "system_e2e_S.npz", **{f"e2e_{name}_{chunk}": None for name in names for chunk in (1, 2)})
    with optimised():
        report = verify(folder, CHECKS)
    assert failures(report) == {}
    assert ways(report, "system_e2e_S.npz", "e2e_llm_tokens_0") == {"published sampler"}
    assert ways(report, "system_e2e_S.npz", "e2e_encoder_inputs_0") == {"style codes as given"}


def test_a_set_of_other_sizes_passes(tmp_path):
    report = verify(make_other_mrt1_set(tmp_path / "set"), CHECKS)
    assert failures(report) == {}
    assert [file.name for file in report.files] == [f"core_{TAG}.npz"]
    assert ways(report, f"core_{TAG}.npz", "sample_seed8_w3_t0.9_k5_3frames") == {"published sampler"}
    assert ways(report, f"core_{TAG}.npz", "cfg_logits_w2.5") == {""}


def test_the_archive_holds_the_weights_bit_for_bit():
    vectors = VectorSet(COMMITTED_MRT1)
    archive = open_archive(vectors, "t5x_checkpoint_A.tar.gz")
    assert set(archive.checkpoint) == set(archive.golden)
    for key, tensor in archive.golden.items():
        np.testing.assert_array_equal(read(archive, key), tensor)
    with pytest.raises(VectorError, match="no_such"):
        read(archive, "no_such")
    with pytest.raises(VectorError, match=r"expected t5x_checkpoint_<tag>.tar.gz"):
        open_archive(vectors, "t5x.tar.gz")


def test_one_changed_entry_fails_alone(tmp_path):
    folder = copy_of_mrt1(tmp_path / "set", *SCRIPTED, *MISC)
    with np.load(folder / "misc_M.npz") as arrays:
        masked, token = arrays["topk_out_k4"], arrays["step_token"]
    masked[1, 3] *= 2
    rewrite(folder / "misc_M.npz", topk_out_k4=masked, step_token=token + 1)
    with np.load(folder / "system_scripted_S.npz") as arrays:
        sound = arrays["scripted_chunk_1"]
    sound[5, 1] += 1e-4
    rewrite(folder / "system_scripted_S.npz", scripted_chunk_1=sound)
    assert {key[:2] for key in failures(verify(folder, CHECKS))} == {
        ("misc_M.npz", "topk_out_k4"),
        ("misc_M.npz", "step_token"),
        ("system_scripted_S.npz", "scripted_chunk_1"),
    }


def test_an_array_that_no_check_knows_fails(tmp_path):
    folder = copy_of_mrt1(tmp_path / "set", *MISC)
    rewrite(folder / "misc_M.npz", ramp_cubic_9=np.zeros(9, np.float32))
    assert failures(verify(folder, CHECKS)) == {("misc_M.npz", "ramp_cubic_9", ""): "no check computes it"}


def remove(name):
    return lambda folder: (folder / name).unlink()


def arrays(name, **changed):
    return lambda folder: rewrite(folder / name, **changed)


def described(**changed):
    def change(folder):
        path = folder / "config_A.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return change


def weighed(folder):
    path = folder / "weights_A.safetensors"
    flat = load_file(path)
    del flat["encoder/encoder_norm/scale"]
    save_file(flat, path)


def twice(folder):
    data = (folder / "weights_A.safetensors").read_bytes()
    (folder / "weights_A.safetensors").unlink()
    for end in ("f16", "f32"):
        (folder / f"weights_A_{end}.safetensors").write_bytes(data)


TOKENS = np.load(COMMITTED_MRT1 / "core_A.npz")["enc_tokens"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove("config_A.json"), "config_A.json: "),
        (remove("weights_A.safetensors"), "weights_A.safetensors: expected this file or one weights_A_*.safet"),
        (twice, "weights_A.safetensors: expected this file or one weights_A_*.safetensors, found 2"),
        (weighed, "checkpoint does not fit mrt1_vectors:\n  missing: encoder/encoder_norm/scale"),
        (described(heads=0), "config_A.json: heads: expected at least 1, got 0"),
        (described(mlp=47), "weights_A.safetensors: checkpoint does not fit"),
        (arrays("core_A.npz", enc_tokens=TOKENS[:, :22]), "enc_tokens: expected shape [B, 23], got [2, 22]"),
        (arrays("core_A.npz", enc_tokens=TOKENS + 300), "enc_tokens[0, 0]: expected an id in 0..255, got 301"),
        (arrays("core_A.npz", enc_tokens=TOKENS[:1]), "dec_target_tokens: expected shape [1, 24], got [2, 24]"),
        (arrays("core_A.npz", tf_logits=np.zeros((2, 24, 9), np.float32)), "tf_logits: expected shape [2, 24, 256]"),
        (arrays("core_A.npz", sample_seed1_w5=TOKENS), "sample_seed1_w5: expected a temperature in its name"),
        (arrays("core_A.npz", sample_eos_seed=None), "core_A.npz: no array sample_eos_seed"),
        (arrays("misc_M.npz", ramp_linear_8=np.zeros(9)), "ramp_linear_8: expected 8 entries, got shape [9]"),
        (arrays("misc_M.npz", step_key=np.zeros(4, np.uint32)), "misc_M.npz: step_key: expected shape [2]"),
        (arrays("system_scripted_S.npz", style_embeddings=np.zeros((1, 8), np.float32)), "expected one for chunk 1"),
        (arrays("system_scripted_S.npz", scripted_codec_out_0=np.zeros((2041, 2))), "expected whole frames for 51"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_sentence(tmp_path, damage, said):
    folder = copy_of_mrt1(tmp_path / "set", *CORE, *SCRIPTED, *MISC)
    damage(folder)
    with pytest.raises(VectorError) as caught:
        verify(folder, CHECKS)
    assert said in str(caught.value)


def test_a_rule_of_ones_own_is_followed(tmp_path):
    folder = copy_of_mrt1(tmp_path / "set", *MISC)
    set_rules(folder, "misc_*.npz", rvq_residual={"atol": 1e-12})
    assert [key[1] for key in failures(verify(folder, CHECKS))] == ["rvq_residual"]
