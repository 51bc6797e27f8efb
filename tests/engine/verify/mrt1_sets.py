# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 1 vector sets for tests: the committed one, copies of it, and one of other sizes from the plain model."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import jax
import numpy as np
from safetensors.numpy import save_file

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "magenta_rt_1"))

from mrt1_reference import encode, teacher_forced  # noqa: E402
from mrt1_tiny import draw_weights  # noqa: E402

from segue_engine.models.magenta_rt_1 import config_of_vectors  # noqa: E402
from segue_engine.models.magenta_rt_1.vocabulary import first_ids  # noqa: E402

COMMITTED_MRT1 = Path(__file__).parents[2] / "vectors" / "mrt1"
TAG = "other_size"
SIZES = {
    "embed": 10,
    "head_dim": 6,
    "heads": 3,
    "mlp": 14,
    "enc_layers": 3,
    "temporal_layers": 1,
    "depth_layers": 1,
    "levels": 3,
    "frames": 4,
    "enc_frames": 5,
    "enc_levels": 3,
    "style": 2,
    "codebook": 9,
    "vocab": 56,
    "temp_buckets": 4,
    "temp_maxdist": 6,
    "enc_len": 17,
    "padded_vocab": 128,
    "note_of_the_maker": "whatever",
}
CONFIG = config_of_vectors(SIZES)


def copy_of_mrt1(folder: Path, *patterns: str) -> Path:
    """A copy of the committed set's tolerances and of some of its files."""
    folder.mkdir()
    for pattern in ("tolerances.json", *patterns):
        for path in COMMITTED_MRT1.glob(pattern):
            shutil.copy(path, folder)
    return folder


def make_other_mrt1_set(folder: Path) -> Path:
    """core files of a tag and of sizes that no code was written for, computed by the plain model in float64; greedy and
    sampled chunks by a plain loop over teacher-forced logits."""
    folder.mkdir()
    flat = draw_weights(CONFIG, 3)
    save_file(flat, folder / f"weights_{TAG}_f32.safetensors")
    (folder / f"config_{TAG}.json").write_text(json.dumps(SIZES))
    shutil.copy(COMMITTED_MRT1 / "tolerances.json", folder)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, CONFIG.codebook, (1, CONFIG.frames, CONFIG.levels))
    target = np.repeat(codes + first_ids(CONFIG), 2, axis=0).astype(np.int32)
    source = rng.integers(1, CONFIG.named_ids, (2, CONFIG.source_length)).astype(np.int32)
    logits = np.stack([_logits(flat, *row) for row in zip(source, target, strict=True)])
    flat_target = target.reshape(2, -1)
    arrays = {
        "enc_tokens": source,
        "enc_out": np.stack([encode(CONFIG, flat, row) for row in source]).astype(np.float32),
        "dec_target_tokens": flat_target,
        "tf_logits": logits,
        "inc_logits": logits,
        "cfg_logits_w2.5": 3.5 * logits[0] - 2.5 * logits[1],
    }
    for name, run in {
        "sample_greedy_w1.5": (0, 1.5, 0.0, 0, 12),
        "sample_seed8_w3_t0.9_k5_3frames": (8, 3.0, 0.9, 5, 9),
        "sample_seed9_w0_t1.5": (9, 0.0, 1.5, 0, 12),
    }.items():
        arrays[name], arrays[f"{name}_scores"] = _sample(flat, source, *run)
    np.savez(folder / f"core_{TAG}.npz", **arrays)
    return folder


def _logits(flat, source, ids):
    return teacher_forced(CONFIG, flat, source, ids)[1].reshape(-1, CONFIG.vocabulary).astype(np.float32)


def _sample(flat, source, seed, weight, temperature, top_k, steps):
    """The published loop, token by token, both rows."""
    ids = np.zeros((2, CONFIG.frames * CONFIG.levels), np.int32)
    key, ended, scores = jax.random.key(seed, impl="threefry2x32"), np.zeros(2, bool), np.zeros(2)
    for place in range(steps):
        shaped = ids.reshape(2, CONFIG.frames, CONFIG.levels)
        logits = np.stack([_logits(flat, *row)[place] for row in zip(source, shaped, strict=True)])
        if weight:
            logits = np.repeat([(1 + weight) * logits[0] - weight * logits[1]], 2, axis=0)
        with jax.threefry_partitionable(False):
            own, key = jax.random.split(key)
            noise = np.asarray(jax.random.gumbel(own, logits.shape))
        drawn = logits.argmax(axis=1)
        if temperature:
            scaled = logits / temperature
            kth = np.sort(scaled, axis=1)[:, [-top_k]] if top_k else -np.inf
            scaled = np.where(scaled >= kth, scaled, -1e7)
            drawn = (scaled + noise).argmax(axis=1)
            log_sum = np.log(np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1)) + scaled.max(axis=1)
            scores += np.where(ended, 0, scaled[[0, 1], drawn] - log_sum)
        ids[:, place] = np.where(ended, 0, drawn)
        ended |= ids[:, place] == 1
        if weight:
            ids[1], ended[1] = ids[0], ended[0]
    return ids, scores.astype(np.float32)
