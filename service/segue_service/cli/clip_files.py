# SPDX-License-Identifier: Apache-2.0
"""The recordings of clip stingers, for commands that play what a game's client would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segue_service.cli.console import CommandError, console
from segue_service.recordings import RecordingError, read_recording
from segue_service.soundtrack import Soundtrack

_SUFFIXES = (".flac", ".wav", ".ogg", ".mp3")
_MOST = 256


def recordings(folder: Path, soundtrack: Soundtrack | None) -> dict[str, NDArray[np.float32]]:
    """float32[n, 2] by path in the soundtrack: of its clips, or of all audio below the folder where it is not known.

    What can't be read is said and left out. Raises CommandError if there is no such folder.
    """
    if not folder.is_dir():
        raise CommandError(f"{folder}: expected a folder with the soundtrack's recordings")
    if soundtrack is None:
        files = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _SUFFIXES and path.is_file())
        paths = [path.relative_to(folder).as_posix() for path in files][:_MOST]
    else:
        named = (stinger.clip for stinger in soundtrack.stingers.values() if stinger.clip is not None)
        paths = list(dict.fromkeys(named))
    found = {}
    for path in paths:
        try:
            found[path] = read_recording(folder / path)
        except RecordingError as error:
            console.print(f" {path}: {error}; it will not be heard", style="yellow", markup=False)
    return found
