# SPDX-License-Identifier: Apache-2.0
"""The soundtrack language and its state machine: pure; only the loader reads a file."""

from segue_service.soundtrack.build import build, content_hash, document_of, load_built
from segue_service.soundtrack.check import check, reachable
from segue_service.soundtrack.clock import ExitPoint, MusicClock, grid_clock
from segue_service.soundtrack.diagnostics import Diagnostic, SoundtrackError
from segue_service.soundtrack.graph import graph_mermaid, graph_svg
from segue_service.soundtrack.load import load_raw, load_soundtrack, load_with_places, parse_soundtrack
from segue_service.soundtrack.machine import Machine, Step, parse_fade
from segue_service.soundtrack.messages import (
    ControlError,
    Effect,
    Input,
    InputResult,
    InvalidValue,
    Outcome,
    OutOfRange,
    ParameterChanged,
    PostEvent,
    PostTrigger,
    Reason,
    SetParameters,
    SetState,
    StateChanged,
    StingerFinished,
    StingerStarted,
    TransitionCancelled,
    TransitionFinished,
    TransitionStarted,
    UnknownName,
)
from segue_service.soundtrack.model import Fade, Guidance, Music, Output, Prompt, Soundtrack, Style
from segue_service.soundtrack.outline import outline
from segue_service.soundtrack.plan import FadeView, StylePlan, StylePoint
from segue_service.soundtrack.schema import json_schema, schema_text
from segue_service.soundtrack.state import MachineState, state_to_json
from segue_service.soundtrack.units import Length

__all__ = [
    "ControlError",
    "Diagnostic",
    "Effect",
    "ExitPoint",
    "Fade",
    "FadeView",
    "Guidance",
    "Input",
    "InputResult",
    "InvalidValue",
    "Length",
    "Machine",
    "MachineState",
    "Music",
    "MusicClock",
    "OutOfRange",
    "Outcome",
    "Output",
    "ParameterChanged",
    "PostEvent",
    "PostTrigger",
    "Prompt",
    "Reason",
    "SetParameters",
    "SetState",
    "Soundtrack",
    "SoundtrackError",
    "StateChanged",
    "Step",
    "StingerFinished",
    "StingerStarted",
    "Style",
    "StylePlan",
    "StylePoint",
    "TransitionCancelled",
    "TransitionFinished",
    "TransitionStarted",
    "UnknownName",
    "build",
    "check",
    "content_hash",
    "document_of",
    "graph_mermaid",
    "graph_svg",
    "grid_clock",
    "json_schema",
    "load_built",
    "load_raw",
    "load_soundtrack",
    "load_with_places",
    "outline",
    "parse_fade",
    "parse_soundtrack",
    "reachable",
    "schema_text",
    "state_to_json",
]
