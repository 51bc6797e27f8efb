# SPDX-License-Identifier: Apache-2.0
"""The only place where models, weights, styles and the slot engine meet.

Importing this module imports neither jax nor a model; `assemble` does, after it has set what must be set before jax's
backend starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from segue_engine import assemble_magenta, assemble_magenta_1
from segue_engine.assemble_magenta import MagentaOptions
from segue_engine.batch.visible import Choice, accelerators
from segue_engine.checkpoints import best_model, find
from segue_engine.checkpoints.catalogue import STARTER, canonical
from segue_engine.checkpoints.located import names
from segue_engine.contract import Engine, EngineError, EngineInfo, StyleEncoder

if TYPE_CHECKING:
    import jax

    from segue_engine.batch.engine import WarmTokenizer
    from segue_engine.frame_model import FrameModel

Device = Literal["auto", "cpu", "gpu", "tpu"]
DEVICES: Final = ("auto", "cpu", "gpu", "tpu")
AUTO: Final = "auto"
FAKE: Final = "fake"
CPU_SLOTS: Final = 32
CPU_SLOTS_LARGE: Final = 4
"""Of models that run slower than real time on a CPU, so that they can be tried at all."""
ACCELERATOR_SLOTS: Final = 256
ACCELERATOR_SLOTS_1: Final = 64
"""Of a Magenta RT 1, whose sessions take up to 176 MB each."""
REWIND_FRAMES: Final = 250
REWIND_FRAMES_LARGE: Final = 50
"""Of models that remember much per frame."""
CPU_SIZES: Final[tuple[int, ...]] = (4, 16)
"""A CPU bank has 16 rows: more fall out of its caches."""
CPU_SIZES_LARGE: Final[tuple[int, ...]] = (1, 4)
ACCELERATOR_SIZES: Final[tuple[int, ...]] = (8, 32, 128, 256, 512, 1024)


class AssembleError(EngineError, ValueError):
    """An engine that can't be put together; the message names the argument and what was expected."""


@dataclass(frozen=True)
class Assembly:
    """An engine and the style encoder that goes with its model. Whoever takes it closes the engine.

    reason: why this model was taken, where it was left open. recipe: what `assemble` has to be given for the same one,
    `magenta` as a mapping; JSON can hold it. note: what whoever starts it would like to know, such as devices that
    idle.
    """

    engine: Engine
    style_encoder: StyleEncoder
    reason: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def info(self) -> EngineInfo:
        return self.engine.info


def assemble(
    model: str = STARTER,
    slots: int | None = None,
    device: str = "auto",
    rewind_frames: int | None = None,
    guidance: bool = True,
    compile_cache: Path | None = None,
    models_dir: Path | None = None,
    magenta: MagentaOptions | None = None,
    devices: str = AUTO,
) -> Assembly:
    """Put an engine together; `engine.warm_up()` compiles it. Once per process and on the thread that owns the device.

    model: one of `models()`, or "auto" for the best one that is here. slots: sessions at once, by default what the
    devices usually carry. rewind_frames: how far a session can go back, by default ten seconds where that is cheap and
    two where it is not. guidance: whether to compile for guidance
    other than 1 where that takes second programs. compile_cache: folder for compiled programs, by default in the user's
    cache. models_dir: where to look for models' files first. magenta: how a Magenta RT is run. devices: which of the
    host's devices carry the slots: numbers as in "0,2", "all", or "auto" for one accelerator or all cores of a CPU.
    Raises AssembleError for an argument, EngineError for files that are missing or damaged.
    """
    wanted = model if model in (AUTO, FAKE) else canonical(model)
    if wanted not in (AUTO, *models(models_dir)):
        raise AssembleError(f"model: expected one of {', '.join((*models(models_dir), AUTO))}, got {model!r}")
    if device not in DEVICES:
        raise AssembleError(f"device: expected one of {', '.join(DEVICES)}, got {device!r}")
    if slots is not None and slots < 1:
        raise AssembleError(f"slots: expected at least 1, got {slots}")
    if rewind_frames is not None and rewind_frames < 0:
        raise AssembleError(f"rewind_frames: expected at least 0, got {rewind_frames}")
    try:
        choice = Choice.of(devices)
    except ValueError as error:
        raise AssembleError(f"devices: {error}") from None
    if wanted == FAKE:
        return _fake(slots, _rewind(wanted, rewind_frames))
    import jax

    from segue_engine.batch.platform import device_memory, prepare

    try:
        kind = prepare(device, compile_cache, choice)
        chosen = choice.pick(kind, jax.local_devices())
    except ValueError as error:
        raise AssembleError(f"devices: {error}") from None
    reason = ""
    if wanted == AUTO:
        wanted, reason = best_model(kind, device_memory(), models_dir)
    rewind_frames = _rewind(wanted, rewind_frames)
    if wanted == STARTER:
        engine, styles = _starter(_plan(kind, STARTER, slots, chosen), rewind_frames, guidance)
    else:
        located = find(wanted, models_dir)
        load = assemble_magenta_1.load if located.family == "mrt1" else assemble_magenta.load
        parts = load(located, kind, magenta or MagentaOptions())
        plan = _plan(kind, located.family, slots, chosen)
        engine, styles = _slot_engine(parts.model, plan, rewind_frames, guidance, parts.tokenizer), parts.styles
    recipe = {
        "model": wanted,
        "slots": engine.info.slots,
        "device": kind,
        "rewind_frames": rewind_frames,
        "guidance": guidance,
        "devices": devices,
        "magenta": asdict(magenta or MagentaOptions()),
    }
    idle = accelerators(kind) - len(chosen) if choice.indices is None else 0
    note = f"{idle} more {kind} devices here: a server for each, or --devices all" if idle > 0 else ""
    return Assembly(engine, styles, reason, recipe, note)


def models(models_dir: Path | None = None) -> tuple[str, ...]:
    """Names that `assemble` knows, whether or not their files are here."""
    return (*names(models_dir), FAKE)


def _rewind(model: str, frames: int | None) -> int:
    if frames is not None:
        return frames
    return REWIND_FRAMES if model in (STARTER, FAKE) else REWIND_FRAMES_LARGE


@dataclass(frozen=True)
class _Plan:
    """How many slots, on which devices, in banks of how many rows, stepped in batches of which sizes; see
    `SlotEngineConfig`."""

    devices: Sequence[jax.Device]
    slots: int
    rows: int
    sizes: tuple[int, ...]
    side_cost: int = 8
    spread: bool = False


def _plan(kind: str, family: str, slots: int | None, devices: Sequence[jax.Device]) -> _Plan:
    """For a kind of device and a family of models. Every accelerator has one bank of the slots."""
    if kind == "cpu":
        usual, sizes = (CPU_SLOTS, CPU_SIZES) if family == STARTER else (CPU_SLOTS_LARGE, CPU_SIZES_LARGE)
        return _Plan(devices, slots or usual, sizes[-1], sizes)
    count = slots or len(devices) * (ACCELERATOR_SLOTS_1 if family == "mrt1" else ACCELERATOR_SLOTS)
    rows = -(-count // len(devices))
    if family == "mrt1":  # its rows are too large to cut some of them out: a step is always the whole bank's
        return _Plan(devices, count, rows, (rows,), side_cost=0, spread=True)
    return _Plan(devices, count, rows, ACCELERATOR_SIZES, spread=True)


def _slot_engine(
    model: FrameModel, plan: _Plan, rewind_frames: int, guidance: bool, tokenizer: WarmTokenizer | None = None
) -> Engine:
    from segue_engine.batch.config import SlotEngineConfig
    from segue_engine.batch.engine import SlotEngine
    from segue_engine.mastering import Mastering

    config = SlotEngineConfig(
        slots=plan.slots,
        bank_rows=plan.rows,
        sizes=plan.sizes,
        side_cost=plan.side_cost,
        spread=plan.spread,
        rewind_frames=rewind_frames,
        guidance=guidance,
    )
    return SlotEngine(model, Mastering(onsets=not model.capabilities.clock), config, plan.devices, tokenizer)


def _starter(plan: _Plan, rewind_frames: int, guidance: bool) -> tuple[Engine, StyleEncoder]:
    from segue_engine.models.starter.model import StarterModel
    from segue_engine.styles.starter_encoder import TagStyleEncoder

    return _slot_engine(StarterModel.bundled(), plan, rewind_frames, guidance), TagStyleEncoder.bundled()


def _fake(slots: int | None, rewind_frames: int) -> Assembly:
    from segue_engine.batch.fake import FakeEngine
    from segue_engine.batch.fake_styles import HashStyleEncoder

    return Assembly(FakeEngine(slots=slots or CPU_SLOTS, rewind_frames=rewind_frames), HashStyleEncoder())
