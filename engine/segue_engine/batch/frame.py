# SPDX-License-Identifier: Apache-2.0
"""One frame of a batch as pure functions: packed inputs → codes, and codes → codec → mastering → packed int16 output.

They are traced inside `programs`; every function maps a row to itself alone. Codes and sound are programs of their own:
a replay needs the sound only, guidance doubles the codes only, and each compiles in half the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from segue_engine.batch.mastering_protocol import MasteringChain
from segue_engine.batch.rows import LAYOUT
from segue_engine.contract import CHANNELS, FRAME_SAMPLES
from segue_engine.frame_model import FrameModel, StepRows

PCM: Final = FRAME_SAMPLES * CHANNELS
"""int16 words of audio at the start of an output row; codes and vitals follow, then 1 where the row was faulty."""


class Carried(NamedTuple):
    """State that can't be counted back, row axis first."""

    codec: Any
    mastering: Any


class Live(NamedTuple):
    """A bank's state, row axis first."""

    rings: Any
    carried: Carried


def unpack(packed: jax.Array) -> tuple[StepRows, jax.Array]:
    """int32[B, WIDTH] → the model's inputs, and levels float32[B, 2] for mastering. The inverse of `rows.HostRows`."""
    fields: dict[str, jax.Array] = {}
    for name, (columns, kind) in LAYOUT.items():
        words = lax.bitcast_convert_type(packed[:, columns], kind)
        words = words.reshape(packed.shape[0], -1)
        fields[name] = words if name in ("seed", "style_codes", "notes", "guidance", "levels") else words[:, 0]
    levels = fields.pop("levels")
    due = fields.pop("due") != 0
    return StepRows(due=due, **fields), levels


@dataclass(frozen=True)
class Frame:
    """The frame functions of one model and mastering chain."""

    model: FrameModel
    mastering: MasteringChain
    rewind: int

    def fresh(self, rows: int) -> Live:
        """State of `rows` fresh rows."""
        return Live(self.model.init_rings(rows, self.rewind), self.fresh_carried(rows))

    def fresh_carried(self, rows: int) -> Carried:
        return Carried(self.model.init_codec(rows), self.mastering.init(rows))

    def make(self, rings: Any, params: Any, packed: jax.Array, *, guided: bool) -> tuple[Any, jax.Array]:
        """The due rows' next codes: rings, int32[B, levels]."""
        return self.model.step(params, rings, unpack(packed)[0], guided=guided)

    def absorb(self, rings: Any, params: Any, codes: jax.Array, packed: jax.Array, count: jax.Array) -> Any:
        """Rings as if the model had made the first count[b] frames of codes int32[B, T, levels]."""
        return self.model.absorb(params, rings, unpack(packed)[0], codes, count)

    def sound(self, carried: Carried, params: Any, codes: jax.Array, packed: jax.Array) -> tuple[Carried, jax.Array]:
        """Codes to mastered sound: state, int16[B, PCM + levels + VITALS + 1]. A row that is not finite is silent."""
        rows, levels = unpack(packed)
        codec, audio = self.model.decode(params, carried.codec, codes, rows.due)
        whole = jnp.isfinite(audio).all(axis=(1, 2))
        clean = jnp.where(whole[:, None, None], audio, 0.0)
        mastering, audio = self.mastering.apply(carried.mastering, clean, levels, rows.due)
        fine = whole & jnp.isfinite(audio).all(axis=(1, 2))
        audio = jnp.where(fine[:, None, None], audio, 0.0)
        pcm = jnp.round(jnp.clip(audio, -1.0, 1.0) * 32767.0).astype(jnp.int16)
        faulty = (rows.due & ~fine).astype(jnp.int16)[:, None]
        tail = (codes.astype(jnp.int16), self.mastering.vitals(mastering), faulty)
        return Carried(codec, mastering), jnp.concatenate([pcm.reshape(pcm.shape[0], PCM), *tail], axis=1)
