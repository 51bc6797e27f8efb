# SPDX-License-Identifier: Apache-2.0
"""The models that this version knows by name, and what files each consists of. Importing this does not import jax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from segue_engine.checkpoints.errors import CheckpointFileError

Role = Literal["checkpoint", "encoder", "musiccoca", "mapper"]

STARTER: Final = "starter"
CHECKPOINTS: Final = "checkpoints"
MUSICCOCA: Final = "resources/musiccoca"
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


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file: its path in repository and models folder alike. size: bytes in float32, None where not known.

    required: without it the model does not play; else `purpose` is what is lost.
    """

    path: str
    role: Role
    purpose: str
    size: int | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model with published weights. parameters: of language model, codec decoder and codebooks together."""

    name: str
    title: str
    aliases: tuple[str, ...]
    repository: str
    publisher: str
    parameters: int
    language_model_parameters: int
    memory: int
    """Bytes of accelerator memory that it wants for weights, 256 sessions and room to compute."""
    files: tuple[ModelFile, ...]
    weights_licence: str = "CC-BY-4.0"
    code_licence: str = "Apache-2.0"

    @property
    def checkpoint(self) -> str:
        return f"{CHECKPOINTS}/{self.name}.safetensors"

    @property
    def size(self) -> int:
        """Bytes of all files whose size is known, in float32."""
        return sum(file.size or 0 for file in self.files)


CODEC_PARAMETERS: Final = 35_684_546 + 16_777_216
ENCODER_PARAMETERS: Final = 9_251_904


def _magenta_rt_2(size: str, language_model: int, memory: int) -> ModelEntry:
    name = f"mrt2_{size}"
    parameters = language_model + CODEC_PARAMETERS
    musiccoca = (ModelFile(f"{MUSICCOCA}/{file}", "musiccoca", "style prompts") for file in MUSICCOCA_FILES)
    return ModelEntry(
        name=name,
        title=f"Magenta RealTime 2 ({size})",
        aliases=(f"magenta-rt-2-{size}",),
        repository="google/magenta-realtime-2",
        publisher="Google",
        parameters=parameters,
        language_model_parameters=language_model,
        memory=memory,
        files=(
            ModelFile(f"{CHECKPOINTS}/{name}.safetensors", "checkpoint", "the music", 4 * parameters),
            *musiccoca,
            ModelFile(ENCODER, "encoder", "starting from a recording", 4 * ENCODER_PARAMETERS, required=False),
            ModelFile(MAPPER, "mapper", "text prompts moved to where recordings lie", required=False),
        ),
    )


SMALL: Final = _magenta_rt_2("small", 229_732_614, 4_000_000_000)
BASE: Final = _magenta_rt_2("base", 2_406_701_830, 16_000_000_000)
PUBLISHED: Final[Mapping[str, ModelEntry]] = {entry.name: entry for entry in (SMALL, BASE)}


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
