# SPDX-License-Identifier: Apache-2.0
"""Where a state machine stands, in the words of the wire contract."""

from __future__ import annotations

from segue_service.soundtrack import MachineState


def heading_for(state: MachineState) -> str:
    """The state that a machine is in, or on its way to."""
    return state.state if state.pending is None else state.pending.target


def in_transition(state: MachineState) -> bool:
    """Whether a transition is scheduled or fading."""
    return state.pending is not None or state.fade is not None
