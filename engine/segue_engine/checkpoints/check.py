# SPDX-License-Identifier: Apache-2.0
"""`segue models check`: every file of a model, by hash, header, keys, shapes and numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from segue_engine.checkpoints.catalogue import (
    CHECKPOINTS,
    DECODER,
    ENCODER,
    MAPPER,
    MUSICCOCA,
    MUSICCOCA_FILES,
    QUANTISER,
)
from segue_engine.checkpoints.codec import part_shapes
from segue_engine.checkpoints.description import Description
from segue_engine.checkpoints.download import Progress
from segue_engine.checkpoints.errors import CheckpointFileError, bounded
from segue_engine.checkpoints.layout import (
    CODEC_PARTS,
    Part,
    Shapes,
    checkpoint_shapes,
    described,
    encoder_shapes,
)
from segue_engine.checkpoints.located import CODEC_HELP, Located
from segue_engine.checkpoints.manifest import FileRecord, mismatch, read_manifest
from segue_engine.checkpoints.reader import Checkpoint, open_checkpoint
from segue_engine.checkpoints.t5x import T5XCheckpoint, open_t5x
from segue_engine.contract import EngineError

CHUNK: Final = 1 << 22

Weights = Checkpoint | T5XCheckpoint
Verdict = Literal["good", "note", "missing", "damaged"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found; `what` is a sentence without the file's name."""

    verdict: Verdict
    file: Path
    what: str

    @property
    def wrong(self) -> bool:
        return self.verdict in ("missing", "damaged")


def check_model(located: Located, progress: Progress) -> Iterator[Finding]:
    """Look at every byte of a model's files; findings come as they are made. Imports jax for the shapes."""
    for name in located.missing:
        yield Finding("missing", located.root / name, "no such file")
    if located.codec_apart and not located.codec:
        yield Finding("note", located.root, CODEC_HELP)
    for name in located.absent:
        lost = "sessions can't start from a recording" if name == ENCODER else "text prompts are not mapped"
        yield Finding("note", located.root / name, f"not here, and not required: {lost}")
    size = described(located)
    if located.checkpoint is not None:
        path, expected = located.checkpoint, checkpoint_shapes(size)
        opened: Callable[[Path], Weights] = open_t5x if located.family == "mrt1" else open_checkpoint
        file = _File(path, f"{CHECKPOINTS}/{path.name}", located.name)
        yield from _tensors(file, lambda: (opened(path), expected), progress)
    if located.codec_apart:
        yield from _codec(located, size, progress)
    if located.encoder is not None:
        encoder, shapes = located.encoder, encoder_shapes(size)
        file = _File(encoder, ENCODER, "SpectroStream's encoder")
        yield from _tensors(file, lambda: (open_checkpoint(encoder), shapes), progress)
    if located.musiccoca is not None:
        yield from _styles(located.musiccoca, progress)


@dataclass(frozen=True, slots=True)
class _File:
    """A file or T5X folder: where it is, its path in a models folder, and for people what it holds.

    shared: whether it holds more than that, so that other keys are not worth a note.
    """

    path: Path
    name: str
    what: str
    shared: bool = False


def _codec(located: Located, size: Description, progress: Progress) -> Iterator[Finding]:
    """Decoder and codebooks where they are not in the model's own checkpoint."""
    if len(located.codec) == 2:
        for path, name, held in zip(located.codec, (DECODER, QUANTISER), CODEC_PARTS, strict=True):
            file = _File(path, name, f"SpectroStream's {held}")
            yield from _tensors(file, _parts_of(path, (held,), size), progress)
    for path in located.codec if len(located.codec) == 1 else ():
        file = _File(path, f"{CHECKPOINTS}/{path.name}", "SpectroStream's decoder and codebooks", shared=True)
        yield from _tensors(file, _parts_of(path, CODEC_PARTS, size), progress)


def _parts_of(path: Path, held: tuple[Part, ...], size: Description) -> Callable[[], tuple[Weights, Shapes]]:
    def read() -> tuple[Weights, Shapes]:
        file = open_checkpoint(path)
        return file, {key: shape for part in held for key, shape in part_shapes(file, part, size).items()}

    return read


def _tensors(file: _File, read: Callable[[], tuple[Weights, Shapes]], progress: Progress) -> Iterator[Finding]:
    path = file.path
    try:
        checkpoint, shapes = read()
        unknown = checkpoint.check(shapes, file.what)
        record = _record(path, file.name)
    except CheckpointFileError as error:
        yield Finding("damaged", path, str(error).removeprefix(f"{path}: "))
        return
    if unknown and not file.shared:
        listed = ", ".join(bounded(unknown, 5))
        yield Finding("note", path, f"{len(unknown)} keys that nobody needs, harmless: {listed}")
    if record is not None:
        yield _by_hash(path, record, progress)
        return
    broken, unreadable = _not_finite(checkpoint, shapes, progress)
    for said in bounded(unreadable, 5):
        yield Finding("damaged", path, said)
    if broken:
        yield Finding("damaged", path, f"numbers that are not finite in {', '.join(bounded(broken, 5))}")
    if not broken and not unreadable:
        yield Finding(
            "good", path, "keys, shapes and types fit, all numbers are finite; no recorded hash to compare with"
        )


def _styles(folder: Path, progress: Progress) -> Iterator[Finding]:
    whole = True
    for file in (*MUSICCOCA_FILES, Path(MAPPER).name):
        path = folder / file
        if not path.is_file():
            whole = whole and path.name == Path(MAPPER).name
            continue
        try:
            record = _record(path, f"{MUSICCOCA}/{file}")
        except CheckpointFileError as error:
            yield Finding("damaged", path, str(error))
            continue
        if record is not None:
            finding = _by_hash(path, record, progress)
            whole = whole and not finding.wrong
            yield finding
    if whole:
        yield from _signatures(folder)


def _signatures(folder: Path) -> Iterator[Finding]:
    """Loads MusicCoCa's files as serving would (they name what doesn't fit), and asks what has a published answer."""
    from segue_engine.styles.musiccoca import MusicCoCa, wrong_answers
    from segue_engine.styles.musiccoca.encoder import require_packages
    from segue_engine.styles.musiccoca.files import is_synthetic

    try:
        require_packages()
    except EngineError as error:
        yield Finding("note", folder, f"signatures were not looked at: {error}")
        return
    try:
        MusicCoCa(folder).load(audio=True)
        wrong = [] if is_synthetic(folder) else wrong_answers(folder)
    except EngineError as error:
        yield Finding("damaged", folder, str(error))
        return
    yield Finding("good", folder, "MusicCoCa's files load, and their inputs and outputs are the expected ones")
    for sentence in wrong:
        yield Finding(
            "note", folder, f"the published style codes of a text differ from what is computed here: {sentence}"
        )


def _record(path: Path, name: str) -> FileRecord | None:
    """The manifest entry of a file, from the models folder that holds it."""
    folder = path.parent
    for _ in range(name.count("/")):
        folder = folder.parent
    files = read_manifest(folder).files
    return files.get(name) or files.get(path.relative_to(folder).as_posix())


def _by_hash(path: Path, record: FileRecord, progress: Progress) -> Finding:
    wrong = mismatch(path, record, progress(path.name, record.bytes, 0))
    if wrong is not None:
        return Finding("damaged", path, wrong)
    return Finding("good", path, f"sha256 {record.sha256[:12]}… as recorded")


def _not_finite(checkpoint: Weights, shapes: Shapes, progress: Progress) -> tuple[list[str], list[str]]:
    """Keys with numbers that are not finite, and what is wrong with those that can't be read. One array at a time."""
    broken, unreadable = [], []
    advance = progress(checkpoint.path.name, sum(checkpoint[key].nbytes for key in shapes), 0)
    for key in sorted(shapes):
        try:
            if not _finite(np.asarray(checkpoint[key])):
                broken.append(key)
        except CheckpointFileError as error:
            unreadable.append(str(error).removeprefix(f"{checkpoint.path}: "))
        advance(checkpoint[key].nbytes)
    return broken, unreadable


def _finite(tensor: NDArray[Any]) -> bool:
    flat = tensor.reshape(-1)
    pieces = (flat[begin : begin + CHUNK] for begin in range(0, flat.size, CHUNK))
    return all(bool(np.isfinite(piece.astype(np.float32, copy=False)).all()) for piece in pieces)
