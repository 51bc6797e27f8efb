# SPDX-License-Identifier: Apache-2.0
"""What the slot engine drives: a model that makes one frame of codes for a batch of rows, and its codec.

A model never knows the batch engine and the batch engine never knows a model by name; both know this file. Everything
here is pure: state in, state out. Every leaf of every state has the row axis first, and a row is never a function of
another row.

Two kinds of state, because they rewind in two ways:

* **rings** hold what the model remembers, each entry addressed by `frame mod length`. The engine owns the frame
  counter and passes it in, so going back is counting down; a ring that is longer than its window by `rewind` frames
  still holds the past.
* **carried** state (codec, mastering) can't be counted back: the engine keeps copies every few frames and re-runs.

Some models have an encoder that must hear the past and the conditioning before a chunk of frames (`ChunkEncoder`). What
it heard is kept in the rings too; back in an earlier chunk, the engine lets it hear again what came before that chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import lax

from segue_engine.contract import Capabilities, ClockReader, Conditioning, Guidance, Sampling

PyTree = Any

MEMORY: Final = 500
"""Frames, 20 s: the past of a model that never forgets, as far as it is worth keeping."""


class StepRows(NamedTuple):
    """One frame's inputs, row axis B first. Rows not due hold anything in range and must come out untouched."""

    due: jax.Array
    """bool[B]. State of a row with False is bit-identical after the step."""
    frame: jax.Array
    """int32[B]: index of the frame to make, 0 for a fresh slot; rings hold the frames before it."""
    seed: jax.Array
    """uint32[B, 2]: random keys are folded from (seed, frame, level), never carried."""
    style_codes: jax.Array
    """int32[B, 12], -1 masked."""
    notes: jax.Array
    """int8[B, 128], -1 masked, 0 off, 1 held, 2 onset, 3 on."""
    drums: jax.Array
    """int32[B]: -1 masked, 0 off, 1 on."""
    guidance: jax.Array
    """float32[B, 3]: style, notes, drums."""
    temperature: jax.Array
    """float32[B]; 0 is greedy."""
    top_k: jax.Array
    """int32[B]; 0 is off."""
    min_p: jax.Array
    """float32[B]; 0 is off."""
    begun: jax.Array | int = 0
    """int32[B]: the frame at which the chunk in progress began, for models with a `ChunkEncoder`."""


class ChunkEncoder(Protocol):
    """An encoder that hears the past and the conditioning once per chunk, in pieces of bounded work for one slot.

    A chunk begins at the first frame, after `frames` frames, and wherever `heard` changes, so a change is heard at its
    own frame. Before its first frame the engine runs all passes: `begin`, `go_on` for every piece, `finish`, `land`.
    Numbers of passes and pieces are int32 scalars on the device; the same inputs give the same bits.
    """

    @property
    def frames(self) -> int:
        """Frames of the longest chunk."""
        ...

    @property
    def interval(self) -> int:
        """Frames that should lie between two changes of `heard`, so that passes don't become the greater part."""
        ...

    @property
    def passes(self) -> tuple[bool, ...]:
        """For each pass, in the order in which they run: whether it hears the conditioning, or only the past."""
        ...

    @property
    def pieces(self) -> int:
        """Of each pass, `finish` not counted."""
        ...

    def heard(self, conditioning: Conditioning) -> Hashable:
        """What the passes hear of a conditioning."""
        ...

    def begin(
        self, params: PyTree, rings: PyTree, row: jax.Array, frame: jax.Array, style_codes: jax.Array, number: jax.Array
    ) -> PyTree:
        """Work of pass `number` on what row `row` played before `frame`, under style codes int32[12]."""
        ...

    def go_on(self, params: PyTree, work: PyTree, piece: jax.Array) -> PyTree:
        """Work after piece `piece`; pieces run in order."""
        ...

    def finish(self, params: PyTree, work: PyTree) -> PyTree:
        """What the pass came to."""
        ...

    def land(self, rings: PyTree, row: jax.Array, result: PyTree, number: jax.Array) -> PyTree:
        """Rings in which row `row` is led by the result of pass `number`; other rows are bit-identical."""
        ...


class FrameModel(Protocol):
    """A model and its codec, weights included. Methods are traced inside the engine's compiled programs."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Of weights and layout together, such as "starter-1+3fa94c21"."""
        ...

    @property
    def levels(self) -> int: ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def default_sampling(self) -> Sampling: ...

    @property
    def default_guidance(self) -> Guidance: ...

    @property
    def encoder(self) -> ChunkEncoder | None:
        """None for a model that hears its conditioning in every frame."""
        ...

    @property
    def codec_delay(self) -> int:
        """Whole frames by which decode's audio lags the codes."""
        ...

    @property
    def memory(self) -> int:
        """Frames of the past that are worth giving a slot to go on from: older ones matter little or not at all."""
        ...

    @property
    def codec_memory(self) -> int | None:
        """Frames of codes that the codec's state depends on; None if all of them. Prefill decodes no more of them."""
        ...

    @property
    def clock(self) -> ClockReader | None: ...

    @property
    def params(self) -> PyTree:
        """Weights and tables; handed back to `step` and `decode`, never donated."""
        ...

    @property
    def two_pass_guidance(self) -> bool:
        """Whether guidance other than 1 needs `step(..., guided=True)`, a second and dearer program."""
        ...

    def init_rings(self, rows: int, rewind: int) -> PyTree:
        """Rings of `rows` fresh rows that can go back `rewind` frames. Contents are data-independent."""
        ...

    def init_codec(self, rows: int) -> PyTree:
        """Carried codec state of `rows` fresh rows."""
        ...

    def step(self, params: PyTree, rings: PyTree, rows: StepRows, *, guided: bool) -> tuple[PyTree, jax.Array]:
        """Make one frame: codes int32[B, levels]. Writes only ring entries `frame mod length` of due rows."""
        ...

    def force(self, params: PyTree, rings: PyTree, rows: StepRows, codes: jax.Array) -> PyTree:
        """As `step`, with the frame's codes int32[B, levels] given (prefill): rings as if the model had made them."""
        ...

    def absorb(self, params: PyTree, rings: PyTree, rows: StepRows, codes: jax.Array, count: jax.Array) -> PyTree:
        """`force` of several frames of due rows: codes int32[B, T, levels] of frame `rows.frame` and those after it, of
        which the first count[b] are taken in. Where it runs as one sequence it agrees with `force` up to rounding."""
        ...

    def decode(self, params: PyTree, codec: PyTree, codes: jax.Array, due: jax.Array) -> tuple[PyTree, jax.Array]:
        """codes int32[B, levels] → float32[B, 1920, 2] before mastering. Rows not due keep their state bit for bit."""
        ...


def absorb_one_by_one(
    force: Callable[[PyTree, StepRows, jax.Array], PyTree],
    rings: PyTree,
    rows: StepRows,
    codes: jax.Array,
    count: jax.Array,
) -> PyTree:
    """`FrameModel.absorb` for a model without a faster way: `force(rings, rows, codes [B, levels])` frame by frame."""

    def take(rings: PyTree, given: tuple[jax.Array, jax.Array]) -> tuple[PyTree, None]:
        step, frame_codes = given
        now = rows._replace(frame=rows.frame + step, due=rows.due & (step < count))
        return force(rings, now, frame_codes), None

    steps = jnp.arange(codes.shape[1], dtype=jnp.int32)
    return lax.scan(take, rings, (steps, jnp.swapaxes(codes, 0, 1)))[0]
