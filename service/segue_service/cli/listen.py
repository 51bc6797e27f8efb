# SPDX-License-Identifier: Apache-2.0
"""`segue listen`: play a live session through the sound card, or save it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import typer
from numpy.typing import NDArray

from segue_service.cli.clip_files import recordings
from segue_service.cli.console import CommandError, console, existing_file
from segue_service.cli.files import check_audio_path, write_audio
from segue_service.cli.render import clock

if TYPE_CHECKING:
    from segue import Clips
    from segue.v1 import stream_pb2

SAMPLE_RATE = 48_000
REPORT_SECONDS = 0.25


class SoundCard:
    """Plays what is put into its buffer on the default output; silence before that. Needs the extra `listen`."""

    def __init__(self, clips: Clips) -> None:
        try:
            import sounddevice
        except (ImportError, OSError) as error:  # OSError: the package is here, the system's PortAudio is not
            raise CommandError(
                f"playing needs the sound card's library ({error}): pip install 'segue[listen]' and PortAudio, "
                "or save with --out FILE"
            ) from None
        from segue import PlaybackBuffer

        self.buffer = PlaybackBuffer()
        self._clips = clips
        self._stream: AbstractContextManager[Any] = sounddevice.OutputStream(
            SAMPLE_RATE, channels=2, dtype="int16", callback=self._fill
        )

    def __enter__(self) -> SoundCard:
        self._stream.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.__exit__(None, None, None)

    def _fill(self, out: NDArray[np.int16], count: int, when: object, status: object) -> None:
        at = self.buffer.playhead
        out[:] = self.buffer.read(count)
        played = self.buffer.playhead - at
        if 0 < played <= count:
            out[:played] = self._clips.mix(at, out[:played])


def listen(
    soundtrack: Annotated[str, typer.Argument(help="Name of a soundtrack that the server has, or a file to upload.")],
    server: Annotated[str, typer.Option(help="Address of the service.")] = "localhost:7470",
    token: Annotated[
        str | None,
        typer.Option(envvar="SEGUE_TOKEN", help="A tenant's or the operator's, where the service asks for one."),
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="Speak TLS.")] = False,
    ca: Annotated[
        Path | None, typer.Option(help="PEM file of the authority to trust; implies --tls [default: the system's]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Save to this file instead of playing it.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after so long; else at Ctrl-C.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the session.")] = None,
    state: Annotated[str, typer.Option(help="State to begin in.")] = "",
    encoding: Annotated[
        Literal["s16", "qoa", "opus"],
        typer.Option(help="How the audio is sent: 1.5 Mbit/s, 355 kbit/s, 128 kbit/s (pip install 'segue\\[opus]')."),
    ] = "s16",
    clips: Annotated[
        Path | None, typer.Option(help="Folder of the recordings that stingers name; default: the soundtrack's own.")
    ] = None,
) -> None:
    """Listen to a live session. Type an event to post it, `name=0.5` to set a parameter, `!name` for a stinger."""
    import segue

    if out is not None:
        check_audio_path(out)
    mixed = segue.Clips(_recordings(soundtrack, clips))
    card = SoundCard(mixed) if out is None else None
    kept, first = segue.NewestTakes(), 0
    roots = None if ca is None else existing_file(ca, "file of certificates").read_bytes()
    with segue.connect(server, token, tls=tls, root_certificates=roots) as music:
        try:
            name = _uploaded(music, soundtrack)
            session = music.play(name, seed=seed, state=state)
        except segue.SegueError as error:
            raise CommandError(f"{server}: {error}") from None
        session.on_event(_tell)
        session.on_event(mixed.on_event)
        session.on_warning(lambda warning: console.print(f" {warning.message}", style="yellow", markup=False))
        threading.Thread(target=_controls, args=(session,), daemon=True).start()
        if card is not None:
            threading.Thread(target=_report, args=(session, card), daemon=True).start()
        console.print(f" {name} · seed {session.seed} · session {session.session_id}    Ctrl-C stops", markup=False)
        end = None if seconds is None else int(seconds * SAMPLE_RATE)
        try:
            with card or nullcontext():
                for block in session.audio(encoding=encoding):
                    if card is not None:
                        card.buffer.put(block)
                    else:
                        first = first if kept.end else block.first_sample
                        kept.put(block)
                    if end is not None and block.first_sample + len(block.pcm) >= end:
                        break
                if card is not None:
                    time.sleep(card.buffer.reserve / SAMPLE_RATE)
        except KeyboardInterrupt:
            console.print()
        except (ImportError, segue.Unimplemented) as error:
            raise CommandError(f"--encoding {encoding}: {error}") from None
        finally:
            session.close()
    if out is not None and len(kept.pcm):
        write_audio(out, mixed.mix(first, kept.pcm[:end]), SAMPLE_RATE)
        console.print(f" wrote {out}", markup=False)


def _recordings(soundtrack: str, folder: Path | None) -> dict[str, NDArray[np.float32]]:
    file = Path(soundtrack)
    if not file.is_file():
        return {} if folder is None else recordings(folder, None)
    from segue_service.cli.files import read_soundtrack

    return recordings(folder or file.parent, read_soundtrack(file))


def _uploaded(music: Any, soundtrack: str) -> str:
    path = Path(soundtrack)
    if not path.is_file():
        return soundtrack
    from segue_service.cli.files import read_soundtrack

    name = read_soundtrack(path).soundtrack
    music.upload(path.read_text(encoding="utf-8"), replace=True)
    return name


def _lines(file: int) -> Iterator[str]:
    """Lines of an open file as they come. Unbuffered: Python can't exit while a thread waits in a buffered read."""
    rest = b""
    while more := os.read(file, 4096):
        *lines, rest = (rest + more).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


def _report(session: Any, card: SoundCard) -> None:
    """Tell the server what has been heard, so that it knows what it may still change."""
    import segue

    while True:
        time.sleep(REPORT_SECONDS)
        try:
            if card.buffer.playhead:
                session.heard(card.buffer.playhead)
        except segue.SegueError:
            return


def _controls(session: Any) -> None:
    """Read controls from standard input until it ends."""
    import segue

    for line in _lines(sys.stdin.fileno()):
        said = line.strip()
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
    at = clock(event.sample / SAMPLE_RATE)
    match event.WhichOneof("detail"):
        case "state_changed":
            console.print(f" {at}  {event.state_changed.to_state}", markup=False)
        case "stinger_started":
            console.print(f" {at}  ♪ {event.stinger_started.name}", markup=False)
