# SPDX-License-Identifier: Apache-2.0
"""Writes a model of any size with random weights in the published layout, to try loading, serving and speed.

One tensor at a time: the largest published size takes some 9.8 GB of disk and hardly any memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from segue_engine.checkpoints.catalogue import (
    CHECKPOINTS,
    DECODER,
    ENCODER,
    MUSICCOCA,
    PUBLISHED,
    QUANTISER,
    Family,
    canonical,
)
from segue_engine.checkpoints.description import (
    SUFFIX,
    Description,
    family_of,
    read_json,
    valid_name,
    write_description,
    write_whole,
)
from segue_engine.checkpoints.download import Progress
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.layout import (
    CODEC_PARTS,
    FILE_PREFIX,
    Shapes,
    checkpoint_shapes,
    codec_shapes,
    encoder_shapes,
    model_config_1,
)
from segue_engine.checkpoints.manifest import FileRecord, Manifest, write_manifest
from segue_engine.checkpoints.noise_files import STORED, refuse_real, write_noise, write_t5x_noise
from segue_engine.checkpoints.noise_weights import Scale, first_version_scale
from segue_engine.checkpoints.places import NOISE_SUFFIX
from segue_engine.contract import EngineError

NOTICE: Final = "NOISE.txt"
_TITLES: Final[Mapping[Family, str]] = {"mrt1": "Magenta RealTime", "mrt2": "Magenta RealTime 2"}

TINY: Final[Mapping[str, Any]] = {
    "enc_dim": 48,
    "temporal": [2, 64, 128, 2, 24],
    "depth": [2, 40, 96, 2, 16],
    "self_win": 8,
    "cross_win": 8,
    "Q": 12,
    "codebook": 1024,
    "mc_codebook": 1024,
    "mc_dim": 20,
    "rvq_total": 12,
    "ss_feat": 24,
    "ss_enc_depth": 4,
    "ss_dec_depth": 4,
}
"""Codes of the published sizes in a network that a test can wait for."""

TINY_1: Final[Mapping[str, Any]] = {
    "embed": 24,
    "mlp": 40,
    "heads": 2,
    "head_dim": 16,
    "enc_layers": 2,
    "temporal_layers": 2,
    "depth_layers": 1,
    "levels": 16,
    "codebook": 1024,
    "frames": 10,
    "enc_frames": 20,
    "enc_levels": 4,
    "style": 6,
    "padded_vocab": 29_824,
    "temp_buckets": 16,
    "temp_maxdist": 16,
    "rvq_total": 16,
    "ss_feat": 24,
    "ss_enc_depth": 4,
    "ss_dec_depth": 4,
}
"""The same for a Magenta RT 1, with chunks of 0.4 s and a context of 0.8 s."""

_NOTICE_TEXT: Final = """\
The files in this folder are noise.

`segue models synthesise` wrote them: random weights in the layout of {what}, so that loading, serving and speed can be
tried without the real weights. They were not trained on anything, hold nothing of the published model, and whatever
they play is noise. `segue models download mrt2_small` fetches a model that plays music.

model {name}, seed {seed}, stored as {dtype}
"""


@dataclass(frozen=True, slots=True)
class Synthesised:
    """A noise model: its models folder, and what could not be written ("" if nothing)."""

    name: str
    folder: Path
    files: tuple[Path, ...]
    note: str


def description_of(model_or_config: str) -> Description:
    """A published name, "tiny", "mrt1_tiny", or the path of a JSON file with a config like that of a golden-vector set.

    The description is that of its noise. Raises CheckpointFileError naming file and key.
    """
    name = canonical(model_or_config)
    if name in PUBLISHED:
        return Description(f"{name}{NOISE_SUFFIX}", synthetic=True, preset=name, family=PUBLISHED[name].family)
    if name == "tiny":
        return Description(f"mrt2_tiny{NOISE_SUFFIX}", synthetic=True, config=TINY)
    if name == "mrt1_tiny":
        return Description(f"mrt1_tiny{NOISE_SUFFIX}", synthetic=True, config=TINY_1, family="mrt1")
    path = Path(model_or_config)
    if path.suffix != ".json":
        known = ", ".join((*PUBLISHED, "tiny", "mrt1_tiny"))
        raise CheckpointFileError(f"expected {known} or the path of a config (*.json), got {model_or_config!r}")
    return _of_config(path)


def _of_config(path: Path) -> Description:
    document = read_json(path)
    config = document.get("config", document) if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(config, dict):
        raise CheckpointFileError(f"{path}: expected an object with a config")
    called = path.name.removesuffix(SUFFIX).removesuffix(".json").removesuffix(NOISE_SUFFIX)
    if not valid_name(called + NOISE_SUFFIX):
        raise CheckpointFileError(f"{path}: its name names the model: expected letters, digits, _ . and -")
    family = family_of(document.get("model")) or ("mrt1" if "embed" in config else "mrt2")
    return Description(f"{called}{NOISE_SUFFIX}", synthetic=True, config=config, family=family)


def synthesise(
    description: Description, out: Path, progress: Progress, seed: int = 0, dtype: str = "float32"
) -> Synthesised:
    """Write checkpoint, codec, description, MusicCoCa files, notice and manifest to `out/NAME_noise/`.

    dtype: float32, bfloat16 or float16. Interrupted, it leaves no half file. Raises CheckpointFileError.
    """
    if dtype not in STORED:
        raise CheckpointFileError(f"dtype: expected one of {', '.join(STORED)}, got {dtype!r}")
    folder = out if out.name == description.name else out / description.name
    checkpoint = folder / CHECKPOINTS / description.name
    single = _single_files(description)
    language = _language(description)
    for path in (checkpoint, *(folder / name for name in single)):
        refuse_real(path)
    what = description.preset or f"{_TITLES[description.family]} in another size"
    write_whole(folder / NOTICE, _NOTICE_TEXT.format(what=what, name=description.name, seed=seed, dtype=dtype))
    files, source, manifest = [], f"segue models synthesise, seed {seed}", Manifest()
    if language is not None:
        write_t5x_noise(checkpoint, *language, seed, dtype, progress)
        files += sorted(path for path in checkpoint.rglob("*") if path.is_file())
    for name, shapes in single.items():
        digest = write_noise(folder / name, shapes, seed, STORED[dtype], progress)
        manifest = manifest.with_file(name, FileRecord(digest, (folder / name).stat().st_size, source))
        files.append(folder / name)
    styles, note = _style_files(folder / MUSICCOCA, seed)
    for path in styles:
        record = FileRecord(hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size, source)
        manifest = manifest.with_file(path.relative_to(folder).as_posix(), record)
    write_description(folder / CHECKPOINTS / f"{description.name}{SUFFIX}", description)
    write_manifest(folder, manifest)
    return Synthesised(description.name, folder, (*files, *styles), note)


def _single_files(description: Description) -> dict[str, Shapes]:
    """Path → keys and shapes of the safetensors files of a model."""
    encoder = {ENCODER: encoder_shapes(description)}
    if description.family == "mrt2":
        return {f"{CHECKPOINTS}/{description.name}.safetensors": checkpoint_shapes(description), **encoder}
    codec = zip((DECODER, QUANTISER), CODEC_PARTS, strict=True)
    return {path: codec_shapes(description, (part,), FILE_PREFIX) for path, part in codec} | encoder


def _language(description: Description) -> tuple[Shapes, Scale] | None:
    """Keys, shapes and scales of a language model that is a T5X folder of its own."""
    if description.family == "mrt2":
        return None
    return checkpoint_shapes(description), first_version_scale(model_config_1(description).units)


def _style_files(folder: Path, seed: int) -> tuple[tuple[Path, ...], str]:
    try:
        from segue_engine.styles.musiccoca.synthesise import write_synthetic

        return write_synthetic(folder, seed), ""
    except (ImportError, EngineError) as error:
        return (), f"no MusicCoCa files were written: {error}"
