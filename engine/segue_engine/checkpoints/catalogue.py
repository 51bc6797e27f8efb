# SPDX-License-Identifier: Apache-2.0
"""The models that this version knows by name, and what files each consists of. Importing this does not import jax.

A Magenta RT 2 is one checkpoint with its codec inside, and MusicCoCa beside it. A Magenta RT 1 is a language model in
T5X's format from a repository of its own. Codec and MusicCoCa of the first version are published as TensorFlow
SavedModels only; by everything published they are the same models as those of the second version, whose files are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from segue_engine.checkpoints.errors import CheckpointFileError

Family = Literal["mrt1", "mrt2"]
Role = Literal["checkpoint", "codec", "encoder", "musiccoca", "mapper"]

STARTER: Final = "starter"
CHECKPOINTS: Final = "checkpoints"
ARCHIVE: Final = ".tar"
"""Suffix of a T5X checkpoint as it is published; without it, the folder that it is unpacked to."""
MUSICCOCA: Final = "resources/musiccoca"
DECODER: Final = "resources/spectrostream/decoder.safetensors"
QUANTISER: Final = "resources/spectrostream/quantizer.safetensors"
ENCODER: Final = "resources/spectrostream/encoder.safetensors"
ENCODER_BESIDE: Final = "checkpoints/encoder.safetensors"
"""Where the published loader looks for the encoder, next to the language model; the download puts it at ENCODER."""
MAPPER: Final = "resources/musiccoca/mapper.tflite"
MUSICCOCA_FILES: Final = (
    "spm.model",
    "text_encoder.tflite",
    "audio_preprocessor.tflite",
    "music_encoder.tflite",
    "pretrained_vector_quantizer.tflite",
)
REPOSITORIES: Final[Mapping[Family, str]] = {"mrt1": "google/magenta-realtime", "mrt2": "google/magenta-realtime-2"}


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file: its path in `repository` and models folder alike. size: bytes in float32, None where not known.

    required: without it the model does not play; else `purpose` is what is lost.
    """

    path: str
    role: Role
    purpose: str
    repository: str
    size: int | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model with published weights. parameters: of language model, codec decoder and codebooks together."""

    name: str
    family: Family
    title: str
    aliases: tuple[str, ...]
    repository: str
    """Of the language model."""
    publisher: str
    parameters: int
    language_model_parameters: int
    memory: int
    """Bytes of accelerator memory that it wants for weights, 256 sessions (64 of a Magenta RT 1, which are much larger)
    and room to compute."""
    files: tuple[ModelFile, ...]
    weights_licence: str = "CC-BY-4.0"
    code_licence: str = "Apache-2.0"

    @property
    def checkpoint(self) -> str:
        return self.files[0].path

    @property
    def repositories(self) -> tuple[str, ...]:
        """Every repository that its files come from, the language model's first."""
        return tuple(dict.fromkeys((self.repository, *(file.repository for file in self.files))))


CODEC_PARAMETERS: Final = 35_684_546 + 16_777_216
ENCODER_PARAMETERS: Final = 9_251_904


def _shared_files() -> tuple[ModelFile, ...]:
    """What both versions hear prompts and recordings with."""
    repository = REPOSITORIES["mrt2"]
    return (
        *(ModelFile(f"{MUSICCOCA}/{file}", "musiccoca", "style prompts", repository) for file in MUSICCOCA_FILES),
        ModelFile(ENCODER, "encoder", "starting from a recording", repository, 4 * ENCODER_PARAMETERS, required=False),
        ModelFile(MAPPER, "mapper", "text prompts moved to where recordings lie", repository, required=False),
    )


def _magenta_rt_2(size: str, language_model: int, memory: int) -> ModelEntry:
    name, repository = f"mrt2_{size}", REPOSITORIES["mrt2"]
    parameters = language_model + CODEC_PARAMETERS
    path = f"{CHECKPOINTS}/{name}.safetensors"
    return ModelEntry(
        name=name,
        family="mrt2",
        title=f"Magenta RealTime 2 ({size})",
        aliases=(f"magenta-rt-2-{size}",),
        repository=repository,
        publisher="Google",
        parameters=parameters,
        language_model_parameters=language_model,
        memory=memory,
        files=(ModelFile(path, "checkpoint", "the music", repository, 4 * parameters), *_shared_files()),
    )


def _magenta_rt_1(size: str, file: str, language_model: int, memory: int) -> ModelEntry:
    """memory: language model in bfloat16 but for its logits (0.8 or 1.6 GB), codec with encoder in float32 (0.3 GB),
    64 sessions of 132 or 176 MB, most of it keys and values of what the encoder read, and 2 GB to compute in."""
    repository, codec = REPOSITORIES["mrt1"], REPOSITORIES["mrt2"]
    return ModelEntry(
        name=f"mrt1_{size}",
        family="mrt1",
        title=f"Magenta RealTime ({size})",
        aliases=(f"magenta-rt-1-{size}",),
        repository=repository,
        publisher="Google",
        parameters=language_model + CODEC_PARAMETERS,
        language_model_parameters=language_model,
        memory=memory,
        files=(
            ModelFile(f"{CHECKPOINTS}/{file}{ARCHIVE}", "checkpoint", "the music", repository),
            ModelFile(DECODER, "codec", "sound", codec, 4 * 35_684_546),
            ModelFile(QUANTISER, "codec", "sound", codec, 4 * 16_777_216),
            *_shared_files(),
        ),
    )


SMALL: Final = _magenta_rt_2("small", 229_732_614, 4_000_000_000)
BASE: Final = _magenta_rt_2("base", 2_406_701_830, 16_000_000_000)
MRT1_BASE: Final = _magenta_rt_1("base", "llm_base_x4286_c1860k", 347_873_472, 12_000_000_000)
MRT1_LARGE: Final = _magenta_rt_1("large", "llm_large_x3047_c1860k", 761_651_456, 16_000_000_000)
PUBLISHED: Final[Mapping[str, ModelEntry]] = {entry.name: entry for entry in (SMALL, BASE, MRT1_BASE, MRT1_LARGE)}
WITH_CODEC: Final = tuple(entry for entry in PUBLISHED.values() if entry.family == "mrt2")
"""Models whose checkpoint holds the codec's decoder and codebooks."""


def canonical(name: str) -> str:
    """The published name where an alias is given; any other name as it is."""
    for entry in PUBLISHED.values():
        if name in entry.aliases:
            return entry.name
    return name


def published(name: str) -> ModelEntry:
    """The entry of a published model, by name or alias. Raises CheckpointFileError listing the names there are."""
    entry = PUBLISHED.get(canonical(name))
    if entry is None:
        raise CheckpointFileError(f'no published model "{name}"; there are: {", ".join(PUBLISHED)}')
    return entry
