# SPDX-License-Identifier: Apache-2.0
"""Chunks drawn as published: what the names of arrays say of how, and the run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import jax
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_1.config import MagentaRT1Config
from segue_engine.models.magenta_rt_1.published_sampling import ROWS, Decoded, decode
from segue_engine.verify.mrt1.language import Language
from segue_engine.verify.vector_set import Arrays, VectorError

Array = NDArray[Any]

_NUMBER: Final = r"\d+(?:\.\d+)?"
_RUN: Final = re.compile(
    rf"sample_(?:seed(?P<seed>\d+)|greedy)_w(?P<weight>{_NUMBER})"
    rf"(?:_t(?P<temperature>{_NUMBER}))?(?:_k(?P<top_k>\d+))?(?:_(?P<frames>\d+)frames)?"
)
_ENDED: Final = "sample_eos"


@dataclass(frozen=True, slots=True)
class Run:
    """How one chunk is drawn (temperature 0: the best id; top_k 0: all); names of its arrays of ids and scores."""

    ids: str
    scores: str
    seed: int
    weight: float
    temperature: float
    top_k: int
    steps: int


def named_runs(arrays: Arrays, config: MagentaRT1Config) -> list[Run]:
    """sample_seed<s>_w<w>_t<t>_k<k>[_<n>frames], sample_greedy_w<w>, and sample_eos_* with its own arrays."""
    tokens, runs = config.frames * config.levels, []
    for name in arrays:
        found = _RUN.fullmatch(name)
        if found is None:
            continue
        greedy = found["seed"] is None
        if not greedy and found["temperature"] is None:
            raise VectorError(f"{arrays.file}: {name}: expected a temperature in its name, as in _t1.1")
        frames = min(int(found["frames"] or config.frames), config.frames)
        runs.append(
            Run(
                ids=name,
                scores=f"{name}_scores",
                seed=int(found["seed"] or 0),
                weight=float(found["weight"]),
                temperature=0.0 if greedy else float(found["temperature"]),
                top_k=int(found["top_k"] or 0),
                steps=frames * config.levels,
            )
        )
    if f"{_ENDED}_tokens" in arrays:
        weight, temperature, top_k = arrays.take(f"{_ENDED}_params", 3).tolist()
        seed = int(arrays.take(f"{_ENDED}_seed", 1, kind="i")[0])
        runs.append(
            Run(f"{_ENDED}_tokens", f"{_ENDED}_scores", seed, weight, temperature, int(top_k), tokens),
        )
    for run in runs:
        arrays.check(run.ids, ROWS, tokens, kind="i")
        arrays.check(run.scores, ROWS)
    return runs


@cache
def _decode(config: MagentaRT1Config) -> Any:
    return jax.jit(partial(decode, config))


def sampled(language: Language, source: Array, run: Run) -> Decoded:
    """The chunk of source ids [2, S]."""
    key = jax.random.key(run.seed, impl="threefry2x32")
    how = np.float32(run.weight), np.float32(run.temperature), np.int32(run.top_k), np.int32(run.steps)
    decoded: Decoded = _decode(language.config)(language.unrestricted, source, key, *how)
    return decoded
