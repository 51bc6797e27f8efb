# SPDX-License-Identifier: Apache-2.0
"""Engines for measuring, beside `assemble`: sized for what is asked, and taken apart by a model's own module for it.

Importing this module does not import jax.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import Engine

if TYPE_CHECKING:
    from segue_engine.batch.memory import Memory
    from segue_engine.batch.profile import Profile, StepParts
    from segue_engine.batch.profile_passes import PassProfile
    from segue_engine.frame_model import FrameModel


def resized(engine: Engine, sizes: Sequence[int], rewind_frames: int) -> Engine:
    """The same model in an engine of `max(sizes)` slots whose steps are compiled for these sizes; not warmed up.

    As `assemble` would make it for so many slots, but without a tokenizer. Where slots are spread over several banks,
    the sizes that partly filled banks run in come on top. `engine` must be closed or never have been warmed up, or
    both take memory. The fake engine is given back as it is.
    """
    if isinstance(engine, FakeEngine):
        return engine
    from segue_engine.batch.engine import SlotEngine

    if not isinstance(engine, SlotEngine):
        raise TypeError(f"engine: expected one that `assemble` made, got {type(engine).__name__}")
    old, slots = engine.config, max(sizes)
    several = old.bank_rows < slots
    config = replace(old, slots=slots, rewind_frames=rewind_frames)
    if several:
        full = {max(config.occupied(size)) for size in sizes}
        config = replace(config, sizes=(*full, *old.sizes))
    else:
        config = replace(config, sizes=tuple(sizes))
    return SlotEngine(engine._model, engine._frame.mastering, config, engine._devices)


@dataclass(frozen=True)
class Examined:
    """What there is to say of a warmed-up engine beside how long its steps take. passes: None without an encoder."""

    profile: Profile
    passes: PassProfile | None
    memory: Memory
    settings: dict[str, str]
    device: dict[str, Any]


def examine(engine: Engine) -> Examined | None:
    """Of a warmed-up engine, which may be closed afterwards; None for the fake engine, which has no parts."""
    if isinstance(engine, FakeEngine):
        return None
    from segue_engine.batch.engine import SlotEngine
    from segue_engine.batch.memory import device_facts, measure_memory
    from segue_engine.batch.profile import Profile
    from segue_engine.batch.profile_passes import PassProfile

    if not isinstance(engine, SlotEngine):
        raise TypeError(f"engine: expected one that `assemble` made, got {type(engine).__name__}")
    parts, encoder = _step_parts(engine._model), engine._model.encoder
    return Examined(
        profile=Profile(engine, parts),
        passes=PassProfile(engine, encoder) if encoder else None,
        memory=measure_memory(engine, parts),
        settings=dict(parts.settings()) if parts else {},
        device=device_facts(engine),
    )


def _step_parts(model: FrameModel) -> StepParts | None:
    from segue_engine.models.magenta_rt_1 import MagentaRT1
    from segue_engine.models.magenta_rt_1.profile import MagentaRT1Parts
    from segue_engine.models.magenta_rt_2 import MagentaRT2
    from segue_engine.models.magenta_rt_2.profile import MagentaRT2Parts
    from segue_engine.models.starter.model import StarterModel
    from segue_engine.models.starter.profile import StarterParts

    if isinstance(model, MagentaRT1):
        return MagentaRT1Parts(model)
    if isinstance(model, MagentaRT2):
        return MagentaRT2Parts(model)
    return StarterParts(model) if isinstance(model, StarterModel) else None
