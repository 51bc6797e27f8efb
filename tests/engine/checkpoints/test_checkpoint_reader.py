# SPDX-License-Identifier: Apache-2.0
"""Checkpoints against the layout that a model needs: what doesn't fit is named, what is not needed does no harm."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.layout import checkpoint_shapes, codec_config, described, encoder_shapes, model_config
from segue_engine.checkpoints.located import Located
from segue_engine.checkpoints.reader import open_checkpoint
from segue_engine.models.magenta_rt_2 import load_params
from segue_engine.spectrostream import load_codebooks, load_decoder, load_encoder

SCALE = "params/depthformer/encoder/body/encoder_ln/scale"
BIAS = "params/depthformer/encoder/body/encoder_ln/bias"

Tensors = dict[str, NDArray[Any]]


def rewritten(located: Located, change: Any) -> Located:
    assert located.checkpoint is not None
    tensors = load_file(located.checkpoint)
    change(tensors)
    save_file(tensors, located.checkpoint)
    return located


def check(located: Located) -> tuple[str, ...]:
    assert located.checkpoint is not None
    return open_checkpoint(located.checkpoint).check(checkpoint_shapes(described(located)), located.name)


def test_a_whole_checkpoint_loads_into_the_model_and_the_codec(smallest: Located) -> None:
    size = described(smallest)
    assert smallest.checkpoint is not None
    assert smallest.encoder is not None
    checkpoint, encoder = open_checkpoint(smallest.checkpoint), open_checkpoint(smallest.encoder)
    assert checkpoint.check(checkpoint_shapes(size), "it") == ()
    assert encoder.check(encoder_shapes(size), "it") == ()
    params = load_params(model_config(size), checkpoint)
    assert np.array_equal(params.encoder.norm.scale, checkpoint[SCALE])
    load_decoder(codec_config(size), checkpoint)
    assert load_codebooks(codec_config(size), checkpoint).shape == (4, 16, 8)
    load_encoder(codec_config(size), encoder)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_another_float_type_is_cast_while_loading(smallest: Located, dtype: str) -> None:
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)

    def change(tensors: Tensors) -> None:
        tensors.update({key: tensor.astype(kind) for key, tensor in tensors.items()})

    assert check(rewritten(smallest, change)) == ()
    assert smallest.checkpoint is not None
    checkpoint = open_checkpoint(smallest.checkpoint)
    params = load_params(model_config(described(smallest)), checkpoint)
    assert params.tokens.dtype == np.float32
    assert np.array_equal(params.encoder.norm.scale, checkpoint[SCALE].astype(np.float32))


def test_unknown_keys_are_told_and_kept_from_the_loader(smallest: Located) -> None:
    def change(tensors: Tensors) -> None:
        tensors["params/depthformer/ema"] = np.ones(3, np.float32)
        tensors["step"] = np.ones((), np.int64)

    assert check(rewritten(smallest, change)) == ("params/depthformer/ema", "step")
    size = described(smallest)
    assert smallest.checkpoint is not None
    known = open_checkpoint(smallest.checkpoint).only(checkpoint_shapes(size))
    assert "step" not in known
    with pytest.raises(KeyError):
        known["step"]
    assert set(known) == set(checkpoint_shapes(size))
    assert len(known) == len(checkpoint_shapes(size))
    load_params(model_config(size), known)


def test_everything_that_does_not_fit_is_named_at_once(smallest: Located) -> None:
    def change(tensors: Tensors) -> None:
        del tensors[BIAS]
        tensors[SCALE] = np.ones(9, np.float32)
        key = next(key for key in tensors if key.endswith("to_logits/bias"))
        tensors[key] = tensors[key].astype(np.int32)

    with pytest.raises(CheckpointFileError) as failure:
        check(rewritten(smallest, change))
    said = str(failure.value)
    assert str(smallest.checkpoint) in said
    assert f"missing: {BIAS} [8]" in said
    assert f"wrong shape: {SCALE} expected [8], got [9]" in said
    assert "to_logits/bias expected F32, F16 or BF16, got I32" in said


def test_a_foreign_checkpoint_does_not_flood_the_reader(smallest: Located) -> None:
    with pytest.raises(CheckpointFileError) as failure:
        check(rewritten(smallest, lambda tensors: [tensors.pop(key) for key in list(tensors)[3:]]))
    assert "… and " in str(failure.value)
    assert len(str(failure.value).splitlines()) < 20


def test_a_size_that_the_description_gets_wrong_names_the_key(smallest: Located, tmp_path: Path) -> None:
    size = described(smallest)
    wrong = dataclasses.replace(size, config={**(size.config or {}), "enc_dim": "8"})
    with pytest.raises(CheckpointFileError, match="enc_dim: expected an integer"):
        model_config(wrong)
    without = {key: value for key, value in (size.config or {}).items() if key != "ss_feat"}
    with pytest.raises(CheckpointFileError, match="ss_feat"):
        codec_config(dataclasses.replace(size, config=without))
