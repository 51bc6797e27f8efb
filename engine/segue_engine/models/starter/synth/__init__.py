# SPDX-License-Identifier: Apache-2.0
"""The starter's codec: a stateful stereo synthesiser that turns token codes into 48 kHz audio, frame by frame."""

from segue_engine.models.starter.synth.render import render, render_batch
from segue_engine.models.starter.synth.synth import SynthState, Tables, decode, init_state, load_tables

__all__ = ["SynthState", "Tables", "decode", "init_state", "load_tables", "render", "render_batch"]
