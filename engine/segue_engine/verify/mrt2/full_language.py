# SPDX-License-Identifier: Apache-2.0
"""File ix: a language model of published size, its weights stated by a seed, over given codes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_2 import MagentaRT2Config, load_params, preset, published_shapes
from segue_engine.models.magenta_rt_2.parameters import ModelParams
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt2.language import PREFIX, codes_of, conditioning_of, config_of
from segue_engine.verify.mrt2.streaming import Forced, alone, capped, raw_logits, stream
from segue_engine.verify.seeds import SumCheck, check_keys, draw
from segue_engine.verify.vector_set import Arrays, Shapes, VectorError, VectorSet

Array = NDArray[Any]

_NAME: Final = re.compile(r"ix_lm_(?P<size>.+?)(_full)?_seeds_only\.npz")
_SPAN: Final = re.compile(r"(?P<what>.+)_(?P<end>first|last)(?P<count>\d+)")
_WHOLE, _HIDDEN, _LOGITS = "encoded", "temporal_out", "depth_logits_capped_own_range"


def plan(vectors: VectorSet, file: str) -> Plan:
    """cond_ids [B, T, 144], token_ids [B, T, levels], seed → encoded; some first or last frames of the rest."""
    arrays = vectors.arrays(file)
    config, shapes = _model(vectors, file)
    ids = conditioning_of(arrays, config, "B", "T")
    batch, frames = ids.shape[:2]
    forced = Forced(ids, codes_of(arrays, config, batch, frames))
    arrays.check(_WHOLE, batch, frames, config.encoder_width)
    spans = {name: _span(arrays, name, batch, frames, config) for name in arrays if _SPAN.fullmatch(name)}
    seed, gain = _recipe(vectors, arrays)
    sums = _sums(arrays)

    def run(tick: Tick) -> Iterator[Produced]:
        params = _weights(file, config, shapes, seed, gain, sums, tick)
        yield from _stream(config, params, forced, spans, tick)

    return Plan(steps=len(shapes) + frames, run=run)


def _model(vectors: VectorSet, file: str) -> tuple[MagentaRT2Config, Shapes]:
    """The published size that the file's name tells, or else the model that meta.json describes, and its keys."""
    named = _NAME.fullmatch(file)
    if named is None:
        raise VectorError(f"{file}: expected a name like ix_lm_small_full_seeds_only.npz")
    size = named["size"]
    try:
        config = preset(f"mrt2_{size}")
    except ValueError:
        config = config_of(vectors)
    keys = f"full_keys_{size}.json"
    shapes = {key: shape for key, shape in vectors.shapes(keys).items() if key.startswith(PREFIX)}
    check_keys(keys, shapes, published_shapes(config), config.name)
    return config, shapes


def _span(arrays: Arrays, name: str, batch: int, frames: int, config: MagentaRT2Config) -> range:
    """The frames that an array like temporal_out_last4 holds; what it holds of them is checked for its shape."""
    found = _SPAN.fullmatch(name)
    assert found is not None
    count = int(found["count"])
    if not 1 <= count <= frames:
        raise VectorError(f"{arrays.file}: {name}: expected 1..{frames} frames")
    if found["what"] == _HIDDEN:
        arrays.take(name, batch, count, config.temporal.width)
    elif found["what"] == _LOGITS:
        arrays.take(name, batch, count, config.levels, config.codebook)
    return range(count) if found["end"] == "first" else range(frames - count, frames)


def _recipe(vectors: VectorSet, arrays: Arrays) -> tuple[int, float]:
    """Seed of the weights, and gain of the logits where the file or meta.json states one."""
    seed = int(arrays.take("seed", kind="i"))
    if seed < 0:
        raise VectorError(f"{arrays.file}: seed: expected 0 or more, got {seed}")
    stated: Any = arrays["logit_gain"].item() if "logit_gain" in arrays else vectors.meta.get("logit_gain", 1.0)
    if not isinstance(stated, int | float) or not 0 < stated < math.inf:
        raise VectorError(f"{arrays.file}: logit_gain: expected a number above 0, got {stated!r}")
    return seed, float(stated)


def _sums(arrays: Arrays) -> Mapping[str, float]:
    if "check_keys" not in arrays:
        return {}
    keys = arrays["check_keys"]
    sums = arrays.take("check_sums", *keys.shape)
    return {str(key): float(total) for key, total in zip(keys.tolist(), sums.tolist(), strict=True)}


def _weights(
    file: str,
    config: MagentaRT2Config,
    shapes: Shapes,
    seed: int,
    gain: float,
    sums: Mapping[str, float],
    tick: Tick,
) -> ModelParams:
    check, flat = SumCheck(f"{file}: check_sums", sums), {}
    for key, tensor in draw(shapes, seed, gain):
        check.see(key, tensor)
        flat[key] = tensor
        tick()
    check.finish()
    return load_params(config, flat)


def _stream(
    config: MagentaRT2Config, params: ModelParams, forced: Forced, spans: Mapping[str, range], tick: Tick
) -> Iterator[Produced]:
    encoded: list[Array] = []
    spanned: dict[str, list[Array]] = {name: [] for name in spans}
    for frame, (rows, advanced) in enumerate(stream(config, params, alone(forced))):
        encoded.append(np.asarray(advanced.source))
        wanted = [name for name, span in spans.items() if frame in span]
        if any(name.startswith(_LOGITS) for name in wanted):
            logits = capped(raw_logits(config, params.depth, params.tokens, advanced.hidden, rows.codes))
        for name in wanted:
            if name.startswith(_HIDDEN):
                spanned[name].append(np.asarray(advanced.hidden))
            elif name.startswith(_LOGITS):
                spanned[name].append(np.asarray(logits))
        tick()
    yield Produced(_WHOLE, np.stack(encoded, axis=1), "streamed")
    for name, values in spanned.items():
        if values:
            yield Produced(name, np.stack(values, axis=1), "streamed")
