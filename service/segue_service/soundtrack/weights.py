# SPDX-License-Identifier: Apache-2.0
"""The share of every style at given frames: a state's trajectory with its stingers on top."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_service.soundtrack.curves import Floats
from segue_service.soundtrack.model import Soundtrack
from segue_service.soundtrack.state import MachineState
from segue_service.soundtrack.stingers import overlay
from segue_service.soundtrack.trajectory import Frames, Legs, StateBlend, Weights, legs, sparse


class Blender:
    """Compiled blends of one soundtrack. Immutable; pure."""

    def __init__(self, soundtrack: Soundtrack) -> None:
        self.names: Final = tuple(soundtrack.styles)
        self.order: Final = {name: i for i, name in enumerate(self.names)}
        self._states = {
            name: StateBlend(
                self.order[state.style],
                tuple((parameter, self.order[lead.to], lead.curve) for parameter, lead in state.blend_by.items()),
            )
            for name, state in soundtrack.states.items()
        }

    def weights_at(self, state: MachineState, frames: NDArray[np.integer]) -> NDArray[np.float32]:
        """f32[n, styles]; every row sums to 1. Right for frames from the last change on."""
        at = np.asarray(frames, np.int64)
        blend = overlay(self.states_blend(state, at), state.stingers, at, self.order)
        shares: NDArray[np.float32] = (blend / blend.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares

    def states_blend(self, state: MachineState, frames: Frames) -> Floats:
        """f64[n, styles] without stingers."""
        if state.fade is None:
            return self._target(state, frames)
        return self.legs(state, frames).mixed()

    def legs(self, state: MachineState, frames: Frames) -> Legs:
        """The legs of the fade that is under way. There must be one."""
        assert state.fade is not None
        return legs(state.fade, self._target(state, frames), frames, self.order)

    def sparse(self, row: Floats) -> Weights:
        return sparse(row, self.names)

    def _target(self, state: MachineState, frames: Frames) -> Floats:
        return self._states[state.state].weights(frames, state.parameters, len(self.names))
