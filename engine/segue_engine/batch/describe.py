# SPDX-License-Identifier: Apache-2.0
"""What a slot engine says about itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import jax

from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.mastering_protocol import MasteringChain
from segue_engine.batch.programs import Recipes
from segue_engine.contract import EngineInfo
from segue_engine.frame_model import FrameModel


def describe(
    model: FrameModel,
    mastering: MasteringChain,
    config: SlotEngineConfig,
    recipes: Recipes,
    devices: Sequence[jax.Device],
) -> EngineInfo:
    """Facts of the engine on devices of one kind; guidance counts as a capability only where its programs are
    compiled."""
    device = devices[0]
    state = jax.tree.leaves((recipes.live, recipes.kept))
    return EngineInfo(
        model=model.name,
        version=model.version,
        device=f"{device.platform}:{device.device_kind}",
        devices=len(devices),
        slots=config.slots,
        levels=model.levels,
        capabilities=replace(
            model.capabilities,
            guidance=model.capabilities.guidance and (config.guidance or not model.two_pass_guidance),
        ),
        codec_delay_frames=model.codec_delay,
        mastering_delay_samples=mastering.delay_samples,
        rewind_frames=config.rewind_frames,
        memory_frames=model.memory,
        style_interval_frames=model.encoder.interval if model.encoder is not None else 1,
        bytes_per_slot=sum(leaf.size * leaf.dtype.itemsize for leaf in state) // config.rows,
        default_sampling=model.default_sampling,
        default_guidance=model.default_guidance,
        loudness_lufs=mastering.loudness_lufs,
        true_peak_dbtp=mastering.true_peak_dbtp,
    )
