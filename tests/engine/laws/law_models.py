# SPDX-License-Identifier: Apache-2.0
"""Models for the laws. To put another one under them, add a line to LAW_MODELS."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
from safetensors.numpy import load_file
from tiny_model import CODES, PlainMastering, TinyModel

from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.engine import SlotEngine
from segue_engine.contract import NOTES, Blocks, Conditioning, Sampling, SlotHandle
from segue_engine.frame_model import FrameModel

VECTORS = Path(__file__).parents[2] / "vectors" / "mrt2"


@dataclass(frozen=True)
class LawModel:
    """codes: how many codes a level has. exact: whether codes are equal across batch sizes (integers only)."""

    name: str
    model: FrameModel
    codes: int
    exact: bool = False
    tolerance: float = 2e-4


def _tiny() -> LawModel:
    return LawModel("tiny", TinyModel(), CODES, exact=True)


def _load(path: str) -> ModuleType:
    place = Path(__file__).parent.parent / path
    spec = importlib.util.spec_from_file_location(f"law_{place.stem}", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _magenta_rt_2() -> LawModel:
    """Random weights behind the real codec at a tiny size."""
    from segue_engine.spectrostream import SpectroStream, config_of_vectors, load_codebooks, load_decoder

    config = config_of_vectors(json.loads((VECTORS / "meta.json").read_text())["config"])
    published = load_file(VECTORS / "tiny_weights.safetensors")
    flat = {key: value for key, value in published.items() if key.startswith("params/soundstream/")}
    books = load_codebooks(config, flat)
    tiny = _load("magenta_rt_2/mrt2_tiny.py")
    codec = SpectroStream(config, load_decoder(config, flat), books, levels=tiny.TINY.levels)
    return LawModel("magenta_rt_2", tiny.make_tiny_model(codec=codec), codes=40)


def _magenta_rt_1() -> LawModel:
    """Random weights behind a codec that hums, in chunks of five frames."""
    tiny = _load("magenta_rt_1/mrt1_tiny.py")
    hum = _load("magenta_rt_2/mrt2_tiny.py").TestCodec
    return LawModel("magenta_rt_1", tiny.make_tiny_model(hum), codes=tiny.TINY.codebook)


def _starter() -> LawModel:
    """The starter's own synthesiser behind a language model of few and random weights, gates and all."""
    from segue_engine.models.starter.lm.config import STYLE_WIDTH, LMConfig
    from segue_engine.models.starter.lm.params import init_params
    from segue_engine.models.starter.model import StarterModel
    from segue_engine.styles.rvq import ResidualQuantiser

    config = LMConfig(
        width=24, layers=2, heads=2, hidden=32, window=16, depth_width=16, depth_layers=1, depth_heads=2,
        depth_hidden=24, style_hidden=16, delta_hidden=8,
    )  # fmt: skip
    random = np.random.default_rng(4)
    params = jax.tree.map(
        lambda leaf: leaf + 0.1 * random.standard_normal(leaf.shape).astype(np.float32), init_params(config, 3)
    )
    books = random.normal(0, 0.1, (12, 1024, STYLE_WIDTH)).astype(np.float32)
    return LawModel("starter", StarterModel(params, config, ResidualQuantiser(books), "0" * 64), codes=64)


LAW_MODELS: dict[str, Callable[[], LawModel]] = {
    "tiny": _tiny,
    "magenta_rt_1": _magenta_rt_1,
    "magenta_rt_2": _magenta_rt_2,
    "starter": _starter,
}

SMALL = {
    "slots": 6,
    "bank_rows": 6,
    "sizes": (6,),
    "rewind_frames": 12,
    "snapshot_interval": 3,
    "side_cost": 0,
    "prefill_budget": 8,
    "pass_budget": 1000,
}
"""One program, one bank, and encoder passes that never take more than a step: where the laws hold bit for bit."""


def build(law_model: LawModel, **config: Any) -> SlotEngine:
    engine = SlotEngine(law_model.model, PlainMastering(), SlotEngineConfig(**{**SMALL, **config}))
    engine.warm_up()
    return engine


def style(seed: int) -> Conditioning:
    """Any conditioning."""
    random = np.random.default_rng(seed)
    return Conditioning(
        style_codes=tuple(random.integers(0, 1024, 12).tolist()),
        notes=tuple(random.integers(-1, 4, NOTES).tolist()) if seed % 2 else None,
        drums=int(random.integers(-1, 2)),
        gain_db=float(random.uniform(-6, 0)),
        true_peak_dbtp=float(random.uniform(-6, 0)),
        sampling=Sampling(temperature=float(random.uniform(0.5, 1.5)), top_k=30) if seed % 3 == 0 else Sampling(),
    )


@dataclass
class Heard:
    """What a slot's blocks were: codes int16[frames, levels], pcm int16[frames, 1920, 2], from frame `first` on."""

    first: int
    codes: np.ndarray
    pcm: np.ndarray

    def __getitem__(self, frames: slice) -> Heard:
        start = frames.indices(len(self.codes))[0]
        return Heard(self.first + start, self.codes[frames], self.pcm[frames])

    def same(self, other: Heard) -> bool:
        return (
            self.first == other.first
            and np.array_equal(self.codes, other.codes)
            and np.array_equal(self.pcm, other.pcm)
        )

    def near(self, other: Heard) -> bool:
        """The same codes; the sound as near as codec state that a single-row program ran again allows."""
        return (
            self.first == other.first
            and np.array_equal(self.codes, other.codes)
            and int(np.abs(self.pcm.astype(np.int32) - other.pcm).max()) <= 3
        )


def pick(blocks: list[Blocks], slot: SlotHandle) -> Heard:
    """The slot's blocks, one after the other without gaps."""
    rows = [(b, int(r)) for b in blocks for r in np.flatnonzero((b.slots == slot.index) & (b.epochs == slot.epoch))]
    frames = [int(b.first_frame[r]) for b, r in rows]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    return Heard(frames[0], np.stack([b.codes[r, 0] for b, r in rows]), np.stack([b.pcm[r] for b, r in rows]))


def run(engine: SlotEngine, frames: int, due: list[SlotHandle] | None = None) -> list[Blocks]:
    """Step `frames` times and flush."""
    blocks = [engine.step(due) for _ in range(frames)] + [engine.flush()]
    return [b for b in blocks if b is not None]
