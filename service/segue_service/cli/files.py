# SPDX-License-Identifier: Apache-2.0
"""Files that commands read and write: soundtracks, scripts, audio."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError
from segue_service.cli.script import Script, load_script
from segue_service.soundtrack import Soundtrack, SoundtrackError, load_soundtrack

if TYPE_CHECKING:
    from segue_service.session.styles import AudioLoader

AUDIO_FORMATS: Final = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}


def read_soundtrack(path: Path) -> Soundtrack:
    """A soundtrack file, or a CommandError that holds every mistake in it with line and column."""
    try:
        return load_soundtrack(path)
    except SoundtrackError as error:
        raise CommandError(f"{path} is not a soundtrack:\n{error}", EXIT_BAD_INPUT) from None
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}", EXIT_BAD_INPUT) from None


def read_script(path: Path) -> Script:
    """A script file, or a CommandError that holds every mistake in it with line and column."""
    try:
        return load_script(path)
    except SoundtrackError as error:
        raise CommandError(f"{path} is not a script:\n{error}", EXIT_BAD_INPUT) from None
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}", EXIT_BAD_INPUT) from None


def check_audio_path(path: Path) -> Path:
    """The path, if its suffix is one that can be written; else a CommandError."""
    if path.suffix.lower() not in AUDIO_FORMATS:
        raise CommandError(f"{path}: expected a name ending in {', '.join(AUDIO_FORMATS)}", EXIT_BAD_INPUT)
    return path


def write_audio(path: Path, pcm: NDArray[np.int16], sample_rate: int) -> None:
    """Write int16[n, 2] as the suffix says; the same samples give the same bytes, except as .ogg."""
    import soundfile

    kind, subtype = AUDIO_FORMATS[check_audio_path(path).suffix.lower()]
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", sample_rate, pcm.shape[1], subtype, format=kind) as file:
        for begin in range(0, len(pcm), 1 << 16):  # libvorbis overflows its stack on one very long write
            file.write(pcm[begin : begin + (1 << 16)])


def read_audio(option: str, path: Path) -> NDArray[np.float32]:
    """An audio file as float32[n, 2] at 48 kHz, or a CommandError that names the option."""
    from segue_service.recordings import RecordingError, read_recording

    try:
        return read_recording(path)
    except RecordingError as error:
        raise CommandError(f"{option}: {path}: {error}", EXIT_BAD_INPUT) from None


def prompt_audio(folder: Path) -> AudioLoader:
    """Loads audio prompts relative to a soundtrack's folder, at 48 kHz."""
    from segue_engine.contract import PromptError
    from segue_service.recordings import RecordingError, read_recording

    def load(name: str) -> NDArray[np.float32]:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise PromptError(f'audio prompt "{name}": expected a path inside {folder}')
        try:
            return read_recording(path)
        except RecordingError as error:
            raise PromptError(f'audio prompt "{name}": {error}') from None

    return load
