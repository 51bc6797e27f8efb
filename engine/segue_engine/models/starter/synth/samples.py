# SPDX-License-Identifier: Apache-2.0
"""Renders and packs everything sampled into whole frames, once per process."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens
from segue_engine.models.starter.synth.kits import render_kit
from segue_engine.models.starter.synth.one_shots import BED_FRAMES, TURNS, Samples
from segue_engine.models.starter.synth.oscillators import FRAME, SEGMENT, SEGMENTS
from segue_engine.models.starter.synth.scenery import render_bed, render_breath, render_effect
from segue_engine.models.starter.synth.shaping import Sound

BREATH_FRAMES = 40


def _blocks(sound: Sound) -> NDArray[np.float32]:
    """A sound [2, n] as [frames, 2, FRAME], the last frame filled up with silence."""
    frames = -(-sound.shape[-1] // FRAME)
    padded = np.zeros((2, frames * FRAME), np.float32)
    padded[:, : sound.shape[-1]] = sound
    return np.ascontiguousarray(padded.reshape(2, frames, FRAME).swapaxes(0, 1))


def render_samples() -> Samples:
    """All sampled sound, about 45 MB; deterministic, takes seconds."""
    blocks: list[NDArray[np.float32]] = [np.zeros((1, 2, FRAME), np.float32)]

    def add(sound: Sound) -> tuple[int, int]:
        new = _blocks(sound)
        start = sum(len(b) for b in blocks)
        blocks.append(new)
        return start, len(new)

    drums = np.array(
        [[[add(take) for take in drum] for drum in render_kit(kit, TURNS)] for kit in tokens.KITS], np.int32
    )
    effects = np.array([add(render_effect(name)) for name in tokens.EFFECTS], np.int32)
    beds = np.array([0] + [add(render_bed(name, BED_FRAMES * FRAME))[0] for name in tokens.BEDS[1:]], np.int32)
    breath = _blocks(render_breath(BREATH_FRAMES * FRAME)).reshape(BREATH_FRAMES, 2, SEGMENTS, SEGMENT).swapaxes(1, 2)
    return Samples(
        blocks=jnp.asarray(np.concatenate(blocks)),
        drum_start=jnp.asarray(drums[..., 0]),
        drum_length=jnp.asarray(drums[..., 1]),
        effect_start=jnp.asarray(effects[:, 0]),
        effect_length=jnp.asarray(effects[:, 1]),
        bed_start=jnp.asarray(beds),
        noise=jnp.asarray(np.ascontiguousarray(breath)),
    )
