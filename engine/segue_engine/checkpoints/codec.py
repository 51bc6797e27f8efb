# SPDX-License-Identifier: Apache-2.0
"""SpectroStream's decoder and codebooks, from a language-model checkpoint or from files of their own.

Known are the keys in a checkpoint (`params/soundstream/decoder/…`) and in the encoder's own file (`params/encoder/…`).
That the decoder's and the quantiser's own files are built alike (`params/decoder/…`, `params/quantizer/embedding`) is
inferred. So the names below the part must be the known ones, and whatever stands before them is accepted, `params/` or
nothing, as long as it is the only such place in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from segue_engine.checkpoints.description import Description
from segue_engine.checkpoints.errors import CheckpointFileError, bounded
from segue_engine.checkpoints.layout import CODEC_PARTS, CODEC_PREFIX, FILE_PREFIX, Part, Shapes, codec_shapes
from segue_engine.checkpoints.reader import Checkpoint, open_checkpoint

_ANCHORS: Final[Mapping[Part, str]] = {
    "decoder": "input_layer/conv1x1_first/conv/kernel",
    "quantizer": "embedding",
    "encoder": "base_conv_first/conv/kernel",
}
_RANKS: Final[Mapping[Part, int]] = {"decoder": 4, "quantizer": 3, "encoder": 4}


def codec_tensors(files: Sequence[Path], description: Description) -> dict[str, NDArray[Any]]:
    """Decoder and codebooks under the keys of a language-model checkpoint; no number is read.

    files: as in `Located.codec`. Raises CheckpointFileError naming file, keys and what was expected.
    """
    found: dict[str, NDArray[Any]] = {}
    for part, path in zip(CODEC_PARTS, (files[0], files[-1]), strict=True):
        file = open_checkpoint(path)
        prefix = part_prefix(file, part)
        file.check(part_shapes(file, part, description), f"SpectroStream's {part}")
        for key in codec_shapes(description, (part,), ""):
            found[CODEC_PREFIX + key] = file[prefix + key.removeprefix(f"{part}/")]
    return found


def part_shapes(file: Checkpoint, part: Part, description: Description) -> Shapes:
    """What the file must hold of a part, under the keys that it has there. Raises CheckpointFileError."""
    prefix = part_prefix(file, part)
    expected = codec_shapes(description, (part,), "")
    return {prefix + key.removeprefix(f"{part}/"): shape for key, shape in expected.items()}


def part_prefix(file: Checkpoint, part: Part) -> str:
    """What stands before the part's own names, such as "params/decoder/". Raises CheckpointFileError if not one."""
    anchor, tensors = _ANCHORS[part], file.header.tensors
    found = [
        key.removesuffix(anchor)
        for key, entry in tensors.items()
        if (key == anchor or key.endswith(f"/{anchor}")) and len(entry.shape) == _RANKS[part]
    ]
    if len(found) == 1:
        return found[0]
    expected = f"expected {FILE_PREFIX}{part}/{anchor}, or {anchor} below one other prefix"
    keys = ", ".join(bounded(found or sorted(tensors), 5))
    got = f"it is there {len(found)} times, below {keys}" if found else f"got {keys}"
    raise CheckpointFileError(f"{file.path}: does not fit SpectroStream's {part}: {expected}; {got}")
