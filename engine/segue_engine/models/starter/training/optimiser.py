# SPDX-License-Identifier: Apache-2.0
"""AdamW with a running average of the weights, and a learning rate that allows stopping at any time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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


Gradient = Callable[[Params, Batch], tuple[Scores, Params]]


class Optimiser:
    """Compiled programs of training: gradient, update and average are three, much faster than one on XLA:CPU."""

    def __init__(self, model: LMConfig, config: OptimiserConfig) -> None:
        self.config = config
        rule = optax.chain(
            optax.clip_by_global_norm(config.clip),
            optax.scale_by_adam(b2=config.b2),
            optax.add_decayed_weights(config.weight_decay, lambda p: jax.tree.map(lambda x: x.ndim > 1, p)),
        )
        self._rule = rule

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
            return jax.tree.map(lambda a, b: a + (1 - decay) * (b - a), old, new)

        self.gradient: Gradient = gradient
        self._update, self._average = update, average

    def start(self, params: Params) -> TrainState:
        """State of fresh parameters."""
        return TrainState(params, self._rule.init(params), jax.tree.map(jnp.copy, params))

    def step(self, state: TrainState, batch: Batch, step: int, cooled: float) -> tuple[TrainState, Scores]:
        """One step; the state given is used up."""
        result, slope = self.gradient(state.params, batch)
        rate = jnp.float32(self.config.rate_at(step, cooled))
        params, moments = self._update(state.params, state.moments, slope, rate)
        averaged = state.average
        if (step + 1) % self.config.average_every == 0:
            count = (step + 1) / self.config.average_every
            averaged = self._average(averaged, params, jnp.float32(min(self.config.average_decay, 1 - 1 / count)))
        return TrainState(params, moments, averaged), result
