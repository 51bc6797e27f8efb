# SPDX-License-Identifier: Apache-2.0
"""What differs fails, what nobody checks is said, what can't be read is a sentence that names the file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from verify_sets import COMMITTED, copy_of, rewrite, set_rules

from segue_engine.verify import VectorError, verify
from segue_engine.verify.registry import CHECKS

ENCODER = ("i_*", "tiny_weights.safetensors")
SAMPLER = ("iii_*",)
QUANTISER = ("v2_*", "tiny_weights.safetensors")


def failed(folder, **options):
    report = verify(folder, CHECKS, **options)
    assert report.passed == all(file.passed for file in report.files)
    return {(f.name, row.array): row for f in report.files for row in f.rows if not row.passed}


def test_one_changed_entry_fails(tmp_path):
    folder = copy_of(tmp_path / "set", *ENCODER)
    encoded = np.load(COMMITTED / "i_encoder.npz")["encoded"]
    encoded[3, 7] += 1e-4
    rewrite(folder / "i_encoder.npz", encoded=encoded)
    ((name, row),) = failed(folder).items()
    assert name == ("i_encoder.npz", "encoded")
    assert row.figures["max_abs"] == pytest.approx(1e-4, rel=0.02)


def test_one_changed_sample_fails_alone(tmp_path):
    folder = copy_of(tmp_path / "set", *SAMPLER)
    rewrite(folder / "iii_sampler.npz", **{"7_sample": np.int32(3)})
    ((name, row),) = failed(folder).items()
    assert name == ("iii_sampler.npz", "7_sample")
    assert row.figures == {"unequal": 1}


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_what_is_not_finite_never_passes(tmp_path, poison):
    folder = copy_of(tmp_path / "set", *ENCODER)
    encoded = np.load(COMMITTED / "i_encoder.npz")["encoded"]
    encoded[0, 0] = poison
    rewrite(folder / "i_encoder.npz", encoded=encoded)
    set_rules(folder, "i_encoder.npz", encoded={"atol": 1e30})
    assert list(failed(folder)) == [("i_encoder.npz", "encoded")]


def test_a_changed_weight_fails(tmp_path):
    folder = copy_of(tmp_path / "set", *QUANTISER)
    flat = load_file(folder / "tiny_weights.safetensors")
    flat["params/soundstream/quantizer/embedding"] = flat["params/soundstream/quantizer/embedding"][::-1].copy()
    save_file(flat, folder / "tiny_weights.safetensors")
    assert list(failed(folder)) == [("v2_rvq.npz", "codes")]


def test_a_rule_for_an_array_that_is_not_there_fails(tmp_path):
    folder = copy_of(tmp_path / "set", *QUANTISER)
    set_rules(folder, "v2_rvq.npz", residual={"atol": 1e-5}, **{"left_over_*": "exact"})
    report = verify(folder, CHECKS)
    (file,) = report.files
    assert [(row.array, row.note) for row in file.rows if not row.passed] == [("residual", "no such array in the file")]
    assert "left_over_*" in file.note


def test_an_array_that_has_a_rule_and_that_no_check_computes_fails(tmp_path):
    folder = copy_of(tmp_path / "set", *QUANTISER)
    rewrite(folder / "v2_rvq.npz", residual=np.zeros(3, np.float32))
    set_rules(folder, "v2_rvq.npz", residual={"atol": 1e-5})
    assert {name: row.note for name, row in failed(folder).items()} == {
        ("v2_rvq.npz", "residual"): "no check computes it"
    }


def test_a_file_that_no_check_knows_is_said_and_fails_if_it_has_rules(tmp_path):
    folder = copy_of(tmp_path / "set", *QUANTISER)
    np.savez(folder / "xii_unheard_of.npz", a=np.zeros(2))
    report = verify(folder, CHECKS)
    assert report.passed
    assert [(f.name, f.status) for f in report.files] == [
        ("v2_rvq.npz", "checked"),
        ("xii_unheard_of.npz", "not checked"),
    ]
    set_rules(folder, "xii_*.npz", a="exact")
    assert list(failed(folder)) == [("xii_unheard_of.npz", "a")]


def test_only_and_skip_large_choose_files(tmp_path):
    folder = copy_of(tmp_path / "set", *QUANTISER, *SAMPLER, "ix_*")
    report = verify(folder, CHECKS, only=["v2_*"])
    assert {f.name.split("_")[0]: f.status for f in report.files} == {
        "iii": "skipped",
        "v2": "checked",
        "ix": "skipped",
    }
    with pytest.raises(VectorError, match=r"nothing to check: .*ix_lm_small_full_seeds_only.npz: large"):
        verify(folder, CHECKS, only=["ix_*"], skip_large=True)
    with pytest.raises(VectorError, match=r"no file matches nine\*; there are iii_sampler.npz, v2_rvq.npz, ix_"):
        verify(folder, CHECKS, only=["nine*"])


def test_a_folder_with_nothing_to_check_is_an_error(tmp_path):
    with pytest.raises(VectorError, match="nothing to check: it holds no vectors"):
        verify(copy_of(tmp_path / "set"), CHECKS)
    with pytest.raises(VectorError, match="no such folder"):
        verify(tmp_path / "nowhere", CHECKS)


def remove(name):
    return lambda folder: (folder / name).unlink()


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def cut(name):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-200])


def arrays(name, **changed):
    return lambda folder: rewrite(folder / name, **changed)


def described(**changed):
    def change(folder):
        meta = json.loads((folder / "meta.json").read_text())
        meta["config"] |= changed
        (folder / "meta.json").write_text(json.dumps(meta))

    return change


def ruled(rule):
    return lambda folder: set_rules(folder, "i_encoder.npz", encoded=rule)


def pickled(folder):
    with np.load(folder / "i_encoder.npz") as archive:
        kept = {name: archive[name] for name in archive.files}
    np.savez(folder / "i_encoder.npz", **kept, extra=np.array([{"a": 1}], dtype=object))


COND = np.load(COMMITTED / "i_encoder.npz")["cond_ids"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove("meta.json"), "meta.json: missing"),
        (remove("tolerances.json"), "tolerances.json: missing"),
        (remove("tiny_weights.safetensors"), "tiny_weights.safetensors: expected this file, or one .safetensors file"),
        (remove("iii_sampler_cases.json"), "iii_sampler_cases.json: missing"),
        (cut("i_encoder.npz"), "i_encoder.npz: not a readable .npz archive"),
        (write("i_encoder.npz", b"PK\x03\x04 not really"), "i_encoder.npz: not a readable .npz archive"),
        (write("i_encoder.npz", b""), "i_encoder.npz: not a readable .npz archive"),
        (pickled, "i_encoder.npz: not a readable .npz archive: Object arrays"),
        (cut("tiny_weights.safetensors"), "tiny_weights.safetensors: not a readable .safetensors file"),
        (write("meta.json", b"{"), "meta.json: not a readable JSON file"),
        (write("meta.json", b"[]"), "meta.json: expected an object"),
        (write("meta.json", b"{}"), 'meta.json: expected an object "config"'),
        (described(enc_dim="wide"), "meta.json: config.enc_dim: expected an integer"),
        (described(gated=True), "meta.json: config: missing keys [], unknown keys ['gated']"),
        (described(enc_dim=50), "tiny_weights.safetensors: checkpoint does not fit"),
        (arrays("i_encoder.npz", cond_ids=COND[:, :140]), "i_encoder.npz: cond_ids: expected shape [N, 144]"),
        (arrays("i_encoder.npz", cond_ids=COND.astype(float)), "i_encoder.npz: cond_ids: expected integers"),
        (arrays("i_encoder.npz", cond_ids=COND + 40_000), "i_encoder.npz: cond_ids[0, 0]: expected an id in 0..275"),
        (arrays("i_encoder.npz", cond_ids=None), "i_encoder.npz: no array cond_ids; it holds"),
        (
            arrays("i_encoder.npz", encoded=np.zeros((6, 9))),
            "i_encoder.npz: encoded: expected shape [6, 48], got [6, 9]",
        ),
        (write("iii_sampler_cases.json", b'[{"i": 0}]'), "iii_sampler_cases.json: entry 0: expected i, lo, hi"),
        (ruled({"atol": "small"}), "tolerances.json: i_encoder.npz: encoded: expected exact, atol,"),
        (ruled({"ulp": 2}), "tolerances.json: i_encoder.npz: encoded: expected exact, atol,"),
        (ruled({"bf16": {"rel_rms": 0.1}}), "tolerances.json: i_encoder.npz: encoded: expected exact, atol,"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(tmp_path, damage, said):
    folder = copy_of(tmp_path / "set", *ENCODER, *SAMPLER)
    damage(folder)
    with pytest.raises(VectorError) as caught:
        verify(folder, CHECKS)
    assert said in str(caught.value)


def test_codes_out_of_range_are_found_before_anything_is_computed(tmp_path):
    folder = copy_of(tmp_path / "set", "ii_*", "tiny_weights.safetensors")
    ids = np.load(COMMITTED / "ii_teacher_forced_f32.npz")["token_ids"]
    ids[1, 2, 3] = 6
    rewrite(folder / "ii_teacher_forced_f32.npz", token_ids=ids)
    with pytest.raises(VectorError, match=r"token_ids\[1, 2, 3\]: expected an id in 126..165, got 6"):
        verify(folder, CHECKS)
