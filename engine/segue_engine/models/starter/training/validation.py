# SPDX-License-Identifier: Apache-2.0
"""Validation on pieces of fixed seeds that training never composes, without augmentation or noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

import jax
import numpy as np

from segue_engine.models.starter.lm.config import LMConfig
from segue_engine.models.starter.lm.params import Params
from segue_engine.models.starter.training.batch import Batch, BatchConfig, make_batch
from segue_engine.models.starter.training.loss import Scores, scores
from segue_engine.models.starter.training.source import compose_pieces

_SEED: Final = 777_000_777_000  # beyond every chunk's seed
_GROUP: Final = 4


@cache
def _program(model: LMConfig) -> Callable[[Params, Batch], Scores]:
    return jax.jit(lambda params, batch: scores(params, model, *batch))


class Validation:
    """The same crops every time."""

    def __init__(self, model: LMConfig, frames: int, sequences: int) -> None:
        config = BatchConfig(
            sequences=_GROUP, frames=frames, style_dropped=0.0, style_span_frames=0.0, style_noise=0.0,
            events_replaced=0.0, taps_dropped=0.0, roll_masked=1.0,
        )  # fmt: skip
        self._batches: list[Batch] = []
        for group in range(max(1, sequences // _GROUP)):
            pieces = compose_pieces(_SEED + group, _GROUP, 1536, augment=False)
            self._batches.append(make_batch(pieces, config, np.random.default_rng([_SEED, group])))
        self._scores = _program(model)

    def run(self, params: Params) -> Scores:
        """Mean loss and accuracy of each level."""
        results = [self._scores(params, batch) for batch in self._batches]
        mean: Scores = jax.tree.map(lambda *parts: np.mean(np.stack(parts), axis=0), *results)
        return mean
