# SPDX-License-Identifier: Apache-2.0
"""File i: the conditioning encoder, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import jax
import numpy as np

from segue_engine.models.magenta_rt_2.encoder import encode
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt2.language import conditioning_of, config_of, language_of
from segue_engine.verify.vector_set import VectorSet


def plan(vectors: VectorSet, file: str) -> Plan:
    """cond_ids [N, 144] → encoded [N, E]."""
    arrays, config, language = vectors.arrays(file), config_of(vectors), language_of(vectors)
    ids = conditioning_of(arrays, config, "N")
    arrays.check("encoded", len(ids), config.encoder_width)

    def run(tick: Tick) -> Iterator[Produced]:
        yield Produced("encoded", np.asarray(jax.jit(partial(encode, config))(language.params.encoder, ids)))
        tick()

    return Plan(steps=1, run=run)
