# SPDX-License-Identifier: Apache-2.0
"""`segue models check`: every file of a model, by hash, header, keys, shapes and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from segue_engine.checkpoints.catalogue import CHECKPOINTS, ENCODER, MAPPER, MUSICCOCA, MUSICCOCA_FILES
from segue_engine.checkpoints.download import Progress
from segue_engine.checkpoints.errors import CheckpointFileError, bounded
from segue_engine.checkpoints.layout import Shapes, checkpoint_shapes, described, encoder_shapes
from segue_engine.checkpoints.manifest import FileRecord, mismatch, read_manifest
from segue_engine.checkpoints.places import Located
from segue_engine.checkpoints.reader import Checkpoint, open_checkpoint
from segue_engine.contract import EngineError

CHUNK: Final = 1 << 22

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
    for path in located.missing:
        yield Finding("missing", located.root / path, "no such file")
    for path in located.absent:
        lost = "sessions can't start from a recording" if path == ENCODER else "text prompts are not mapped"
        yield Finding("note", located.root / path, f"not here, and not required: {lost}")
    size = described(located)
    if located.checkpoint is not None:
        name = f"{CHECKPOINTS}/{located.name}.safetensors"
        yield from _tensors(located.checkpoint, name, checkpoint_shapes(size), located.name, progress)
    if located.encoder is not None:
        yield from _tensors(located.encoder, ENCODER, encoder_shapes(size), "SpectroStream's encoder", progress)
    if located.musiccoca is not None:
        yield from _styles(located.musiccoca, progress)


def _tensors(path: Path, name: str, shapes: Shapes, what: str, progress: Progress) -> Iterator[Finding]:
    try:
        checkpoint = open_checkpoint(path)
        unknown = checkpoint.check(shapes, what)
    except CheckpointFileError as error:
        yield Finding("damaged", path, str(error).removeprefix(f"{path}: "))
        return
    if unknown:
        listed = ", ".join(bounded(unknown, 5))
        yield Finding("note", path, f"{len(unknown)} keys that nobody needs, harmless: {listed}")
    try:
        record = _record(path, name)
    except CheckpointFileError as error:
        yield Finding("damaged", path, str(error))
        return
    if record is not None:
        yield _by_hash(path, record, progress)
        return
    broken = _not_finite(checkpoint, shapes, progress)
    if broken:
        yield Finding("damaged", path, f"numbers that are not finite in {', '.join(bounded(broken, 5))}")
    else:
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


def _not_finite(checkpoint: Checkpoint, shapes: Shapes, progress: Progress) -> list[str]:
    broken = []
    advance = progress(checkpoint.path.name, sum(checkpoint[key].nbytes for key in shapes), 0)
    for key in sorted(shapes):
        if not _finite(checkpoint[key]):
            broken.append(key)
        advance(checkpoint[key].nbytes)
    return broken


def _finite(tensor: NDArray[Any]) -> bool:
    flat = tensor.reshape(-1)
    pieces = (flat[begin : begin + CHUNK] for begin in range(0, flat.size, CHUNK))
    return all(bool(np.isfinite(piece.astype(np.float32, copy=False)).all()) for piece in pieces)
