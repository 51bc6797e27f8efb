# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with MusicCoCa's files or its runtime, as opposed to a prompt (`PromptError`)."""

from __future__ import annotations

from segue_engine.contract import EngineError


class MusicCoCaError(EngineError, ValueError):
    """A file, setting or package that MusicCoCa can't work with; the message names it and what was expected."""


class MissingFileError(MusicCoCaError):
    """Files of MusicCoCa that are not there; the message names them and the command that fetches them."""
