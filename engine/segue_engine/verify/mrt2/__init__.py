# SPDX-License-Identifier: Apache-2.0
"""Checks of Magenta RT 2 vectors: files i to ix, by the first part of their names."""

from __future__ import annotations

from typing import Final

from segue_engine.verify.checks import Check
from segue_engine.verify.mrt2 import (
    codec_encoder,
    decoder,
    encoder,
    end_to_end,
    full_codec,
    full_language,
    sampler,
    teacher_forced,
)
from segue_engine.verify.mrt2.settings import parity

CHECKS: Final = (
    Check("i_encoder*.npz", encoder.plan, parity),
    Check("ii_teacher_forced_f32*.npz", teacher_forced.plan_float32, parity),
    Check("iii_sampler*.npz", sampler.plan, parity),
    Check("iv_codec_decoder*.npz", decoder.plan, parity),
    Check("v_codec_encoder*.npz", codec_encoder.plan, parity),
    Check("v2_rvq*.npz", codec_encoder.plan_quantiser, parity),
    Check("vi_teacher_forced_bf16*.npz", teacher_forced.plan_bfloat16, parity),
    Check("vii_e2e_*.npz", end_to_end.plan, parity),
    Check("viii_codec_*seeds_only*.npz", full_codec.plan, parity, large=True),
    Check("ix_lm_*seeds_only*.npz", full_language.plan, parity, large=True),
)
