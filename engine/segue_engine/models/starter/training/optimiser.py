# SPDX-License-Identifier: Apache-2.0
"""AdamW with a running average of the weights, and a learning rate that allows stopping at any time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from segue_engine.models.starter.lm.config import LMConfig
from segue_engine.models.starter.lm.params import Params
from segue_engine.models.starter.training.batch import Batch
from segue_engine.models.starter.training.loss import Scores, total_loss


@dataclass(frozen=True)
class OptimiserConfig:
    """Rate: linear warm-up, constant, inverse square root after `hold` steps, and a linear cool-down on demand."""

    rate: float = 2e-3
    warm_up: int = 150
    hold: int = 3000
    floor: float = 0.02
    b2: float = 0.98
    weight_decay: float = 0.03
    clip: float = 1.0
    average_every: int = 10
    average_decay: float = 0.98

    def rate_at(self, step: int, cooled: float) -> float:
        """Learning rate of a step; cooled in 0..1 is how much of the cool-down is over."""
        rate = self.rate * min(1.0, (step + 1) / self.warm_up) * min(1.0, math.sqrt(self.hold / max(step, 1)))
        return rate * max(self.floor, 1.0 - cooled)


class TrainState(NamedTuple):
    """params, optimiser moments, averaged params."""

    params: Params
    moments: Any
    average: Params


class _Programs(NamedTuple):
    start: Callable[[Params], Any]
    gradient: Callable[[Params, Batch], tuple[Scores, Params]]
    update: Callable[[Params, Any, Params, jax.Array], tuple[Params, Any]]
    average: Callable[[Params, Params, jax.Array], Params]


@cache
def _programs(model: LMConfig, config: OptimiserConfig) -> _Programs:
    """Compiled programs of training: gradient, update and average are three, much faster than one on XLA:CPU."""
    rule = optax.chain(
        optax.clip_by_global_norm(config.clip),
        optax.scale_by_adam(b2=config.b2),
        optax.add_decayed_weights(config.weight_decay, lambda p: jax.tree.map(lambda x: x.ndim > 1, p)),
    )

    @jax.jit
    def gradient(params: Params, batch: Batch) -> tuple[Scores, Params]:
        (_, result), slope = jax.value_and_grad(total_loss, has_aux=True)(params, model, *batch)
        return result, slope

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(params: Params, moments: Any, slope: Params, rate: jax.Array) -> tuple[Params, Any]:
        direction, moments = rule.update(slope, moments, params)
        return jax.tree.map(lambda p, d: p - rate * d, params, direction), moments

    @partial(jax.jit, donate_argnums=0)
    def average(old: Params, new: Params, decay: jax.Array) -> Params:
        averaged: Params = jax.tree.map(lambda a, b: a + (1 - decay) * (b - a), old, new)
        return averaged

    return _Programs(jax.jit(rule.init), gradient, update, average)


class Optimiser:
    """Steps of training for a model and a config."""

    def __init__(self, model: LMConfig, config: OptimiserConfig) -> None:
        self.config = config
        self._programs = _programs(model, config)

    def start(self, params: Params) -> TrainState:
        """State of fresh parameters."""
        return TrainState(params, self._programs.start(params), jax.tree.map(lambda x: x + 0, params))

    def step(self, state: TrainState, batch: Batch, step: int, cooled: float) -> tuple[TrainState, Scores]:
        """One step; the state given is used up."""
        result, slope = self._programs.gradient(state.params, batch)
        rate = jnp.float32(self.config.rate_at(step, cooled))
        params, moments = self._programs.update(state.params, state.moments, slope, rate)
        averaged = state.average
        if (step + 1) % self.config.average_every == 0:
            count = (step + 1) / self.config.average_every
            decay = jnp.float32(min(self.config.average_decay, 1 - 1 / count))
            averaged = self._programs.average(averaged, params, decay)
        return TrainState(params, moments, averaged), result
