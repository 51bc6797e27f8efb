# SPDX-License-Identifier: Apache-2.0
"""The only place where models, weights, styles and the slot engine meet.

Importing this module imports neither jax nor a model; `assemble` does, after it has set what must be set before jax's
backend starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from segue_engine.contract import Engine, EngineError, EngineInfo, StyleEncoder

if TYPE_CHECKING:
    from segue_engine.frame_model import FrameModel

Device = Literal["auto", "cpu", "gpu", "tpu"]
DEVICES: Final = ("auto", "cpu", "gpu", "tpu")
CPU_SLOTS: Final = 32
ACCELERATOR_SLOTS: Final = 256
CPU_SIZES: Final[tuple[int, ...]] = (4, 16)
"""A CPU bank has 16 rows: more fall out of its caches."""
ACCELERATOR_SIZES: Final[tuple[int, ...]] = (8, 32, 128, 256, 512, 1024)


class AssembleError(EngineError, ValueError):
    """An engine that can't be put together; the message names the argument and what was expected."""


@dataclass(frozen=True)
class Assembly:
    """An engine and the style encoder that goes with its model. Whoever takes it closes the engine."""

    engine: Engine
    style_encoder: StyleEncoder

    @property
    def info(self) -> EngineInfo:
        return self.engine.info


def assemble(
    model: str = "starter",
    slots: int | None = None,
    device: str = "auto",
    rewind_frames: int = 250,
    guidance: bool = True,
    compile_cache: Path | None = None,
) -> Assembly:
    """Put an engine together; `engine.warm_up()` compiles it. Once per process and on the thread that owns the device.

    model: one of `models()`. slots: sessions at once, by default what the device usually carries. rewind_frames: how
    far a session can go back. guidance: whether to compile for guidance other than 1 where that takes second programs.
    compile_cache: folder for compiled programs, by default in the user's cache. Raises AssembleError.
    """
    if model not in _MODELS:
        raise AssembleError(f"model: expected one of {', '.join(models())}, got {model!r}")
    if device not in DEVICES:
        raise AssembleError(f"device: expected one of {', '.join(DEVICES)}, got {device!r}")
    if slots is not None and slots < 1:
        raise AssembleError(f"slots: expected at least 1, got {slots}")
    if rewind_frames < 0:
        raise AssembleError(f"rewind_frames: expected at least 0, got {rewind_frames}")
    load = _MODELS[model]
    if load is None:
        return _fake(slots, rewind_frames)
    from segue_engine.batch.platform import prepare

    kind = prepare(device, compile_cache)
    frame_model, styles = load()
    return Assembly(_slot_engine(frame_model, kind, slots, rewind_frames, guidance), styles)


def models() -> tuple[str, ...]:
    """Names that `assemble` knows."""
    return tuple(_MODELS)


def _slot_engine(model: FrameModel, kind: str, slots: int | None, rewind_frames: int, guidance: bool) -> Engine:
    import jax

    from segue_engine.batch.config import SlotEngineConfig
    from segue_engine.batch.engine import SlotEngine
    from segue_engine.mastering import Mastering

    if kind == "cpu":
        count = slots or CPU_SLOTS
        rows, sizes = CPU_SIZES[-1], CPU_SIZES
    else:
        count = slots or ACCELERATOR_SLOTS
        rows, sizes = count, ACCELERATOR_SIZES
    config = SlotEngineConfig(slots=count, bank_rows=rows, sizes=sizes, rewind_frames=rewind_frames, guidance=guidance)
    return SlotEngine(model, Mastering(), config, jax.local_devices())


def _fake(slots: int | None, rewind_frames: int) -> Assembly:
    from segue_engine.batch.fake import FakeEngine
    from segue_engine.batch.fake_styles import HashStyleEncoder

    return Assembly(FakeEngine(slots=slots or CPU_SLOTS, rewind_frames=rewind_frames), HashStyleEncoder())


def _starter() -> tuple[FrameModel, StyleEncoder]:
    from segue_engine.models.starter.model import StarterModel
    from segue_engine.styles.starter_encoder import TagStyleEncoder

    return StarterModel.bundled(), TagStyleEncoder.bundled()


_MODELS: Final[dict[str, Callable[[], tuple[FrameModel, StyleEncoder]] | None]] = {"starter": _starter, "fake": None}
