# SPDX-License-Identifier: Apache-2.0
"""Models of noise put together from files and played, for the tests of assemblies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np

from segue_engine.assemble import Assembly, assemble
from segue_engine.assemble_magenta import MagentaOptions
from segue_engine.checkpoints.synthesise import description_of, synthesise
from segue_engine.contract import Blocks, Conditioning, Prompt, SlotHandle


def write_noise_model(name: str, folder: Path) -> Path:
    synthesise(description_of(name), folder, lambda label, total, done: lambda count: None)
    return folder


@contextlib.contextmanager
def warmed_up(name: str, slots: int, folder: Path, cache: Path, options: MagentaOptions) -> Iterator[Assembly]:
    """Compiled with little optimisation, because compiling is nearly all of the time here."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        made = assemble(name, slots, "cpu", rewind_frames=0, compile_cache=cache, models_dir=folder, magenta=options)
        made.engine.warm_up()
    finally:
        jax.config.update("jax_disable_most_optimizations", before)
    yield made
    made.engine.close()


def conditioning(assembly: Assembly, text: str) -> Conditioning:
    encoder = assembly.style_encoder
    codes = encoder.quantise(encoder.embed([Prompt(text=text)]).embeddings)[0]
    return Conditioning(style_codes=tuple(int(code) for code in codes))


def play(assembly: Assembly, slots: list[SlotHandle], frames: int) -> dict[SlotHandle, np.ndarray]:
    """PCM int16[frames · 1920, 2] of each slot; waits for those that take history in or listen to it."""
    heard: dict[SlotHandle, list[np.ndarray]] = {slot: [] for slot in slots}

    def note(blocks: Blocks | None) -> None:
        for row in range(blocks.count if blocks is not None else 0):
            assert blocks is not None
            heard[SlotHandle(int(blocks.slots[row]), int(blocks.epochs[row]))].append(blocks.pcm[row])

    for _ in range(400):
        due = [slot for slot in slots if len(heard[slot]) < frames]
        if not due:
            break
        note(assembly.engine.step(due))
        note(assembly.engine.flush())
    return {slot: np.concatenate(blocks[:frames]) for slot, blocks in heard.items()}
