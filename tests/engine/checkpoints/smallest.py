# SPDX-License-Identifier: Apache-2.0
"""Sizes of models that are written, checked and read in no time."""

from __future__ import annotations

SMALLEST = {
    "enc_dim": 8,
    "temporal": [1, 16, 24, 2, 8],
    "depth": [1, 12, 16, 2, 4],
    "self_win": 4,
    "cross_win": 4,
    "Q": 3,
    "rvq_total": 4,
    "codebook": 16,
    "mc_codebook": 16,
    "mc_dim": 12,
    "ss_feat": 8,
    "ss_enc_depth": 2,
    "ss_dec_depth": 2,
}

SMALLEST_1 = {
    "embed": 12,
    "mlp": 20,
    "heads": 2,
    "head_dim": 8,
    "enc_layers": 1,
    "temporal_layers": 1,
    "depth_layers": 1,
    "levels": 3,
    "codebook": 16,
    "frames": 5,
    "enc_frames": 6,
    "enc_levels": 2,
    "style": 3,
    "padded_vocab": 128,
    "temp_buckets": 6,
    "temp_maxdist": 8,
    "rvq_total": 4,
    "ss_feat": 8,
    "ss_enc_depth": 2,
    "ss_dec_depth": 2,
}
