# SPDX-License-Identifier: Apache-2.0
"""One frame of a batch of streams: rings of keys, values, codes and styles in, codes and rings out.

The same functions as in training, on one frame. With guidance a second branch runs the frame without its style against
the same past, which training has shown the model by hiding the style of random spans.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from segue_engine.frame_model import StepRows
from segue_engine.layers import ring
from segue_engine.layers.sampler import Filters, draw_inverse, uniforms
from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm.config import DELTA_FRAMES, STYLE_WIDTH, TAP_BARS, TAP_LEVELS, TAP_REACH, LMConfig
from segue_engine.models.starter.lm.depth import draw_codes, frame_base
from segue_engine.models.starter.lm.embeddings import Tables, build_tables
from segue_engine.models.starter.lm.grammar import Rules, load_rules
from segue_engine.models.starter.lm.inputs import FrameInputs, style_vector, temporal_input
from segue_engine.models.starter.lm.params import Params
from segue_engine.models.starter.lm.temporal import temporal_step


class Rings(NamedTuple):
    """keys and values per layer [B, N, L, H]; codes int32[B, L', 12]; style float32[B, L'', 35], whose last column is 1
    where the style was known.
    """

    keys: list[jax.Array]
    values: list[jax.Array]
    codes: jax.Array
    style: jax.Array


class Serving(NamedTuple):
    """What a step reads: parameters without tables, dense tables, the style codebooks float32[12, 1024, 34] and
    the grammar."""

    params: Params
    tables: Tables
    codebooks: jax.Array
    rules: Rules


def serving_params(params: Params, codebooks: Any) -> Serving:
    """Dense tables in place of private and factor vectors."""
    tables = jax.jit(build_tables)(params)
    rest = {name: leaf for name, leaf in params.items() if name != "tables"}
    return Serving(jax.tree.map(jnp.asarray, rest), tables, jnp.asarray(codebooks, jnp.float32), load_rules())


def init_rings(config: LMConfig, rows: int, rewind: int) -> Rings:
    """Rings of fresh rows that can go back `rewind` frames."""
    head = config.width // config.heads
    shape = (rows, config.heads, ring.ring_length(config.window, rewind), head)
    reach = ring.ring_length(max(DELTA_FRAMES, *config.moving_lags), rewind)
    return Rings(
        [jnp.zeros(shape) for _ in range(config.layers)],
        [jnp.zeros(shape) for _ in range(config.layers)],
        jnp.zeros((rows, ring.ring_length(TAP_REACH, rewind), tokens.LEVELS), jnp.int32),
        jnp.zeros((rows, reach, STYLE_WIDTH + 1)),
    )


class _Frame(NamedTuple):
    inputs: FrameInputs  # [B, 1, ..]
    style: jax.Array  # [B, 1, D]
    styles: jax.Array  # the style ring with this frame in it
    moving: jax.Array  # bool[B]


def _read_frame(config: LMConfig, serving: Serving, rings: Rings, rows: StepRows) -> _Frame:
    """Everything that is known of the frame to make."""
    codes = rows.style_codes
    known = codes[:, 0] >= 0
    entries = serving.codebooks[np.arange(codes.shape[1]), jnp.maximum(codes, 0)]
    style = jnp.sum(jnp.where((codes >= 0)[..., None], entries, 0.0), axis=1)
    entry = jnp.concatenate([style, known[:, None].astype(style.dtype)], axis=1)
    styles = ring.write(rings.style, entry, rows.frame, rows.due)  # written before it is read, see temporal_step

    def change(lag: int) -> jax.Array:
        before = ring.read(styles, rows.frame - lag)
        both = known & (before[:, -1] > 0) & (rows.frame >= lag)
        return jnp.where(both[:, None], style - before[:, :-1], 0.0)

    lags = jnp.stack([jnp.sum(jnp.square(change(lag)), axis=-1) for lag in config.moving_lags])
    moving = jnp.max(lags, axis=0) > config.moving_distance**2

    start = rows.frame == 0
    previous = ring.read(rings.codes, rows.frame - 1)
    clock = previous[:, tokens.CLOCK]
    bar = jnp.asarray(tokens.CLOCK_FRAMES)[clock] * tokens.STEPS_PER_BAR
    back = bar[:, None] * np.array(TAP_BARS, np.int32)
    at = (rows.frame[:, None] - back) % rings.codes.shape[1]
    tapped = rings.codes[jnp.arange(len(clock))[:, None], at]
    expected = jnp.asarray(tokens.CLOCK_SUCCESSOR)[clock]
    valid = (back <= rows.frame[:, None]) & ~start[:, None] & (tapped[..., tokens.CLOCK] == expected[:, None])
    inputs = FrameInputs(
        previous,
        start,
        tapped[..., np.array(TAP_LEVELS)],
        valid,
        style,
        known,
        change(DELTA_FRAMES),
        rows.drums,
        rows.notes,
    )
    vector = style_vector(serving.params, style, known)
    return _Frame(jax.tree.map(lambda x: x[:, None], inputs), vector[:, None], styles, moving)


def _advance(
    config: LMConfig, serving: Serving, rings: Rings, rows: StepRows, frame: _Frame, guided: bool
) -> tuple[jax.Array, jax.Array, list[jax.Array], list[jax.Array]]:
    """Temporal states [B, G, D], style vectors [B, G, D], and the rings of keys and values; branch 1 has no style."""
    style, inputs = frame.style, frame.inputs
    if guided:
        null = jnp.broadcast_to(serving.params["style"]["null"], style.shape)
        style = jnp.concatenate([style, null], axis=1)
        inputs = inputs._replace(delta=jnp.concatenate([inputs.delta, jnp.zeros_like(inputs.delta)], axis=1))
    x = temporal_input(serving.params, serving.tables, inputs, style)
    state, keys, values = temporal_step(serving.params, config, rings.keys, rings.values, rows.frame, rows.due, x)
    return state, style, keys, values


def step(config: LMConfig, serving: Serving, rings: Rings, rows: StepRows, *, guided: bool) -> tuple[Rings, jax.Array]:
    """Make one frame: codes int32[B, 12]. Guidance of the style is heard in the guided program only."""
    uniform = uniforms(rows.seed, rows.frame, tokens.LEVELS)

    def draw(level: int, logits: jax.Array) -> jax.Array:
        warmth = config.lead_temperature if level == tokens.LEAD else 1.0
        filters = Filters(rows.temperature * warmth, rows.top_k, rows.min_p)
        return draw_inverse(logits, filters, uniform[:, level])

    return step_with(config, serving, rings, rows, draw, guided=guided, rules=serving.rules if config.grammar else None)


def step_with(
    config: LMConfig,
    serving: Serving,
    rings: Rings,
    rows: StepRows,
    draw: Callable[[int, jax.Array], jax.Array],
    *,
    guided: bool,
    rules: Rules | None = None,
) -> tuple[Rings, jax.Array]:
    """`step` with codes drawn by `draw(level, logits [B, n])` → int32[B]; rules: what may not be drawn."""
    frame = _read_frame(config, serving, rings, rows)
    state, style, keys, values = _advance(config, serving, rings, rows, frame, guided)
    base = frame_base(serving.params, state, style, frame.inputs.drums)
    offset = jnp.where(frame.moving & _begins_beat(frame), config.gate_offset, 0.0)

    def pulled(level: int, logits: jax.Array) -> jax.Array:
        if not guided:
            return draw(level, logits[:, 0])
        return draw(level, logits[:, 1] + rows.guidance[:, :1] * (logits[:, 0] - logits[:, 1]))

    strength = (rows.guidance[:, 1, None], rows.guidance[:, 2, None])
    codes = draw_codes(
        *(serving.params, config, serving.tables, base, frame.inputs, offset[:, None], strength, pulled), rules=rules
    )
    return Rings(keys, values, ring.write(rings.codes, codes, rows.frame, rows.due), frame.styles), codes


def _begins_beat(frame: _Frame) -> jax.Array:
    """bool[B]: whether a beat is expected to begin."""
    expected = jnp.asarray(tokens.CLOCK_SUCCESSOR)[frame.inputs.previous[:, 0, tokens.CLOCK]]
    beat = tokens.STEPS_PER_BEAT * jnp.asarray(tokens.CLOCK_FRAMES)[expected]
    return jnp.asarray(tokens.CLOCK_POSITION)[expected] % beat == 0


def force(config: LMConfig, serving: Serving, rings: Rings, rows: StepRows, codes: jax.Array) -> Rings:
    """Rings as if the model had made codes int32[B, 12] of this frame."""
    frame = _read_frame(config, serving, rings, rows)
    _, _, keys, values = _advance(config, serving, rings, rows, frame, guided=False)
    return Rings(keys, values, ring.write(rings.codes, codes, rows.frame, rows.due), frame.styles)
