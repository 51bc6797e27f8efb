# SPDX-License-Identifier: Apache-2.0
"""The codec of a Magenta RT 1: from two files whose prefix is not known, or from a checkpoint that holds it too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from smallest import SMALLEST_1

from segue_engine.checkpoints.catalogue import DECODER, QUANTISER
from segue_engine.checkpoints.codec import codec_tensors
from segue_engine.checkpoints.description import Description
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.layout import CODEC_PARTS, CODEC_PREFIX, codec_config, codec_shapes
from segue_engine.checkpoints.located import Located
from segue_engine.checkpoints.reader import fingerprint

TINY = Description("tiny", synthetic=True, config=SMALLEST_1, family="mrt1")
Tensors = dict[str, np.ndarray]


def rename(path: Path, change: Callable[[str], str]) -> None:
    save_file({change(key): tensor for key, tensor in load_file(path).items()}, path)


def test_it_comes_under_the_keys_of_a_checkpoint_and_loads(smallest_1: Located) -> None:
    from segue_engine.spectrostream import load_codebooks, load_decoder

    found = codec_tensors(smallest_1.codec, TINY)
    assert {key: tensor.shape for key, tensor in found.items()} == codec_shapes(TINY, CODEC_PARTS, CODEC_PREFIX)
    load_decoder(codec_config(TINY), found)
    assert load_codebooks(codec_config(TINY), found).shape == (4, 16, 8)


@pytest.mark.parametrize("prefix", ["", "params/", "params/soundstream/", "soundstream/", "params/x/"])
@pytest.mark.parametrize("part", [True, False])
def test_whatever_stands_before_the_parts_own_names_is_accepted(smallest_1: Located, prefix: str, part: bool) -> None:
    before = fingerprint(codec_tensors(smallest_1.codec, TINY))
    for path, name in zip(smallest_1.codec, CODEC_PARTS, strict=True):
        rename(path, lambda key, name=name: prefix + key.removeprefix("params/" if part else f"params/{name}/"))
    assert fingerprint(codec_tensors(smallest_1.codec, TINY)) == before


def test_a_checkpoint_that_holds_it_gives_the_same(smallest_1: Located, tmp_path: Path) -> None:
    both = codec_tensors(smallest_1.codec, TINY)
    more = {"params/depthformer/decoder/decoder_embedding/embedding/embedding": np.ones((5, 4), np.float32)}
    save_file({key: np.array(tensor) for key, tensor in both.items()} | more, tmp_path / "mrt2_small.safetensors")
    found = codec_tensors((tmp_path / "mrt2_small.safetensors",), TINY)
    assert found.keys() == both.keys()
    assert fingerprint(found) == fingerprint(both)


def test_what_is_ambiguous_or_unknown_is_refused_by_name(smallest_1: Located) -> None:
    decoder, quantiser = smallest_1.root / DECODER, smallest_1.root / QUANTISER
    codebooks = load_file(quantiser)["params/quantizer/embedding"]
    save_file({"a/embedding": codebooks, "b/embedding": codebooks}, quantiser)
    with pytest.raises(CheckpointFileError, match=r"quantizer.safetensors: .* it is there 2 times, below a/, b/"):
        codec_tensors(smallest_1.codec, TINY)
    save_file({"codebooks": codebooks}, quantiser)
    with pytest.raises(CheckpointFileError, match=r"expected params/quantizer/embedding, .*; got codebooks"):
        codec_tensors(smallest_1.codec, TINY)
    save_file({"embedding": codebooks[:3]}, quantiser)
    with pytest.raises(CheckpointFileError, match=r"wrong shape: embedding expected \[4, 16, 8\], got \[3, 16, 8\]"):
        codec_tensors(smallest_1.codec, TINY)
    lost = {key: tensor for key, tensor in load_file(decoder).items() if "decoder_3" not in key}
    save_file(lost, decoder)
    with pytest.raises(CheckpointFileError, match=r"SpectroStream's decoder:\n  missing: params/decoder/decoder_3/"):
        codec_tensors(smallest_1.codec, TINY)
