# SPDX-License-Identifier: Apache-2.0
"""`segue listen`: play a live session through the sound card, or save it."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from segue_service.cli.console import CommandError, console
from segue_service.cli.files import check_audio_path, write_audio
from segue_service.cli.render import clock

if TYPE_CHECKING:
    from segue.v1 import stream_pb2

SAMPLE_RATE = 48_000


class SoundCard:
    """Plays int16[n, 2] blocks on the default output; silence where none has come. Needs the extra `listen`."""

    def __init__(self) -> None:
        try:
            import sounddevice
        except (ImportError, OSError) as error:  # OSError: the package is here, the system's PortAudio is not
            raise CommandError(
                f"playing needs the sound card's library ({error}): pip install 'segue[listen]' and PortAudio, "
                "or save with --out FILE"
            ) from None
        self._blocks: queue.SimpleQueue[NDArray[np.int16]] = queue.SimpleQueue()
        self._rest = np.zeros((0, 2), np.int16)
        self._stream: AbstractContextManager[Any] = sounddevice.OutputStream(
            SAMPLE_RATE, channels=2, dtype="int16", callback=self._fill
        )

    def __enter__(self) -> SoundCard:
        self._stream.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.__exit__(None, None, None)

    def play(self, pcm: NDArray[np.int16]) -> None:
        """Queue a block."""
        self._blocks.put(pcm)

    def _fill(self, out: NDArray[np.int16], count: int, when: object, status: object) -> None:
        while len(self._rest) < count and not self._blocks.empty():
            self._rest = np.concatenate([self._rest, self._blocks.get_nowait()])
        ready = min(count, len(self._rest))
        out[:ready], out[ready:] = self._rest[:ready], 0
        self._rest = self._rest[ready:]


def listen(
    soundtrack: Annotated[str, typer.Argument(help="Name of a soundtrack that the server has, or a file to upload.")],
    server: Annotated[str, typer.Option(help="Address of the service.")] = "localhost:7470",
    out: Annotated[Path | None, typer.Option(help="Save to this file instead of playing it.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after so long; else at Ctrl-C.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the session.")] = None,
    state: Annotated[str, typer.Option(help="State to begin in.")] = "",
) -> None:
    """Listen to a live session. Type an event to post it, `name=0.5` to set a parameter, `!name` for a stinger."""
    import segue

    if out is not None:
        check_audio_path(out)
    card = SoundCard() if out is None else None
    kept: list[NDArray[np.int16]] = []
    with segue.connect(server) as music:
        try:
            name = _uploaded(music, soundtrack)
            session = music.play(name, seed=seed, state=state)
        except segue.SegueError as error:
            raise CommandError(f"{server}: {error}") from None
        session.on_event(_tell)
        threading.Thread(target=_controls, args=(session,), daemon=True).start()
        console.print(f" {name} · seed {session.seed} · session {session.session_id}    Ctrl-C stops", markup=False)
        end = None if seconds is None else int(seconds * SAMPLE_RATE)
        try:
            with card or nullcontext():
                for block in session.audio():
                    if card is not None:
                        card.play(block.pcm)
                    else:
                        kept.append(block.pcm)
                    if end is not None and block.first_sample + len(block.pcm) >= end:
                        break
                if card is not None:
                    time.sleep(0.5)  # what is queued
        except KeyboardInterrupt:
            console.print()
        finally:
            session.close()
    if out is not None and kept:
        write_audio(out, np.concatenate(kept)[:end], SAMPLE_RATE)
        console.print(f" wrote {out}", markup=False)


def _uploaded(music: Any, soundtrack: str) -> str:
    path = Path(soundtrack)
    if not path.is_file():
        return soundtrack
    from segue_service.cli.files import read_soundtrack

    name = read_soundtrack(path).soundtrack
    music.upload(path.read_text(encoding="utf-8"), replace=True)
    return name


def _controls(session: Any) -> None:
    """Read controls from standard input until it ends."""
    import segue

    while True:
        try:
            said = input().strip()
        except EOFError:
            return
        try:
            if not said:
                continue
            if "=" in said:
                name, value = said.split("=", 1)
                reply = session.set({name.strip(): float(value)})
            elif said.startswith("!"):
                reply = session.trigger(said[1:].strip())
            else:
                reply = session.post(said)
        except (segue.SegueError, ValueError) as error:
            console.print(f" {error}", style="red", markup=False)
            continue
        heard = reply.audible_at_sample
        console.print(
            f" {reply.state}"
            + (f", heard at {clock(heard / SAMPLE_RATE)}" if heard is not None else f" ({reply.reason})"),
            markup=False,
        )


def _tell(event: stream_pb2.Event) -> None:
    if event.WhichOneof("detail") == "state_changed":
        console.print(f" {clock(event.sample / SAMPLE_RATE)}  {event.state_changed.to_state}", markup=False)
