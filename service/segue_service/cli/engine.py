# SPDX-License-Identifier: Apache-2.0
"""Builds an engine for a command; what can't be built is a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError

if TYPE_CHECKING:
    from segue_engine.assemble import Assembly


def build_engine(model: str, slots: int | None, device: str) -> Assembly:
    """An engine that is not warmed up yet. Raises CommandError.

    Nothing above the engine rewinds yet, so no memory is kept for it.
    """
    from segue_engine.assemble import AssembleError, assemble
    from segue_engine.contract import EngineError

    try:
        return assemble(model, slots=slots, device=device, rewind_frames=0)
    except AssembleError as error:
        raise CommandError(f"--{error}", EXIT_BAD_INPUT) from None
    except EngineError as error:
        raise CommandError(str(error)) from None
