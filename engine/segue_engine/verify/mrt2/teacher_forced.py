# SPDX-License-Identifier: Apache-2.0
"""Files ii and vi: the language model over given codes, in float32 and in bfloat16.

Every array is checked twice. Streamed: the sessions alone, frame by frame, logits over the whole vocabulary. Among
strangers: in a batch with other rows, logits as served, which exist for a level's own codes only. Where conditioning
stays the same for some frames, these are also taken in at once, as a prefill is, and the frame after them is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_2.config import ComputeDtype
from segue_engine.models.magenta_rt_2.parameters import DepthParams
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt2.language import Language, codes_of, conditioning_of, config_of, language_of
from segue_engine.verify.mrt2.streaming import (
    Forced,
    Rows,
    alone,
    among_strangers,
    capped,
    own_columns,
    prefilled,
    raw_logits,
    spans,
    stream,
)
from segue_engine.verify.vector_set import VectorSet

Array = NDArray[Any]
RAW, CAPPED = "depth_logits_raw", "depth_logits_capped"


def plan_float32(vectors: VectorSet, file: str) -> Plan:
    """cond_ids [B, T, 144], token_ids [B, T, levels] → encoded, temporal_in, temporal_out, raw and capped logits."""
    return _plan(vectors, file, "float32")


def plan_bfloat16(vectors: VectorSet, file: str) -> Plan:
    """As `plan_float32`, computed in bfloat16 from the same weights."""
    return _plan(vectors, file, "bfloat16")


def _plan(vectors: VectorSet, file: str, dtype: ComputeDtype) -> Plan:
    arrays, config, language = vectors.arrays(file), config_of(vectors), language_of(vectors, dtype)
    ids = conditioning_of(arrays, config, "B", "T")
    batch, frames = ids.shape[:2]
    codes = codes_of(arrays, config, batch, frames)
    arrays.check("encoded", batch, frames, config.encoder_width)
    for name in ("temporal_in", "temporal_out"):
        arrays.check(name, batch, frames, config.temporal.width)
    for name in (RAW, CAPPED):
        arrays.check(name, batch, frames, config.levels, config.vocabulary)
    forced = Forced(ids, codes)
    at_once = any(len(span) > 1 for span in spans(ids))

    def run(tick: Tick) -> Iterator[Produced]:
        for name, array in _collect(language, alone(forced), language.full_depth, tick).items():
            yield Produced(name, array, "streamed")
        strangers = among_strangers(forced, config)
        for name, array in _collect(language, strangers, language.params.depth, tick).items():
            part = (lambda full: own_columns(config, full)) if name in (RAW, CAPPED) else None
            yield Produced(name, array, "among strangers", part)
        if at_once:
            outputs = dict(prefilled(language.config, language.params, forced))
            chosen = list(outputs)
            yield Produced(
                "temporal_out", np.stack(list(outputs.values()), axis=1), "prefilled", lambda full: full[:, chosen]
            )
            tick()

    return Plan(steps=2 * frames + at_once, run=run)


def _collect(language: Language, frames: Iterator[Rows], depth: DepthParams, tick: Tick) -> dict[str, Array]:
    """Name → float32[B, T, ..] of the rows that count."""
    config, params = language.config, language.params
    found: dict[str, list[Array]] = {}
    for rows, advanced in stream(config, params, frames):
        raw = raw_logits(config, depth, params.tokens, advanced.hidden, rows.codes)
        outputs = {
            "encoded": advanced.source,
            "temporal_in": advanced.entered,
            "temporal_out": advanced.hidden,
            RAW: raw,
            CAPPED: capped(raw),
        }
        for name, value in outputs.items():
            found.setdefault(name, []).append(np.asarray(value).astype(np.float32)[rows.mine])
        tick()
    return {name: np.stack(values, axis=1) for name, values in found.items()}
