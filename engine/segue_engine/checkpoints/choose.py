# SPDX-License-Identifier: Apache-2.0
"""`--model auto`: the best model that is here for a device, and why."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from segue_engine.checkpoints.catalogue import BASE, MRT1_BASE, MRT1_LARGE, SMALL, STARTER, ModelEntry
from segue_engine.checkpoints.errors import size_text
from segue_engine.checkpoints.survey import Found, survey

BEST_FIRST: Final = (BASE, SMALL, MRT1_LARGE, MRT1_BASE)
"""The second version goes before the first, which hears no notes and wants far more memory for a session."""
ACCELERATORS = {"gpu": "GPU", "cuda": "GPU", "rocm": "GPU", "tpu": "TPU"}


class Choice(NamedTuple):
    """A model's name and, in a sentence, why that one."""

    name: str
    reason: str


def best_model(device: str, memory: int | None = None, models_dir: Path | None = None) -> Choice:
    """The best model on this disk for a device ("cpu", "gpu", "tpu"); memory: the accelerator's, in bytes, if known."""
    styles = find_spec("ai_edge_litert") is not None and find_spec("sentencepiece") is not None
    return choose(survey(models_dir), device, memory, styles=styles)


def choose(found: Sequence[Found], device: str, memory: int | None, *, styles: bool) -> Choice:
    """Pure. styles: whether MusicCoCa's runtime (extra `musiccoca`) is installed, without which no prompt is heard."""
    kind = ACCELERATORS.get(device)
    if kind is None:
        return Choice(
            STARTER, f"the device is {device}, and Magenta RT runs slower than real time without a GPU or TPU"
        )
    passed: list[str] = []
    for entry in BEST_FIRST:
        against = _against(entry, found, memory, styles)
        if against is None:
            after = f"; {'; '.join(passed)}" if passed else ""
            return Choice(entry.name, f"the best model here for this {kind}{after}")
        passed.append(f"{entry.name}: {against}")
    return Choice(STARTER, "; ".join(passed))


def _against(entry: ModelEntry, found: Sequence[Found], memory: int | None, styles: bool) -> str | None:
    state = next((model for model in found if model.name == entry.name), None)
    if state is None or state.state == "missing":
        return f"not here, or not all of it (`{_repair(entry, state)}`)"
    if state.state == "damaged":
        return f"damaged (`segue models check {entry.name}`)"
    if state.state == "synthetic noise":
        return "its checkpoint is synthetic noise"
    if not styles:
        return "its style encoder's runtime is not installed (pip install 'segue[musiccoca]')"
    if memory is not None and memory < entry.memory:
        return f"wants {size_text(entry.memory)} of memory, the device has {size_text(memory)}"
    return None


def _repair(entry: ModelEntry, state: Found | None) -> str:
    return state.repair if state is not None and state.repair else f"segue models download {entry.name}"
