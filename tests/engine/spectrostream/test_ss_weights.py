# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ss_tiny import META, TINY, VECTORS, tiny_encoder_weights, tiny_weights

from segue_engine.spectrostream import (
    FILE_PREFIX,
    CodecCheckpointError,
    SpectroStream,
    SpectroStreamConfig,
    config_of_vectors,
    load_codebooks,
    load_decoder,
    load_encoder,
    published_shapes,
)

ALL = ("decoder", "quantizer", "encoder")
PREFIX = "params/soundstream/decoder/"


@pytest.mark.parametrize(
    ("config", "name"), [(SpectroStreamConfig(), "full_codec_keys.json"), (TINY, "tiny_codec_keys.json")]
)
def test_shapes_of_every_part_are_the_published_ones(config: SpectroStreamConfig, name: str):
    published = {key: tuple(shape) for key, shape in json.loads((VECTORS / name).read_text()).items()}
    ours = published_shapes(config, ALL, FILE_PREFIX)
    assert ours.items() >= published.items()
    assert {key.split("/")[1] for key in ours.keys() - published.keys()} <= {"decoder", "quantizer"}


@pytest.mark.parametrize(("name", "config"), [("tiny_keys.json", TINY), ("full_keys_base.json", SpectroStreamConfig())])
def test_a_language_model_checkpoint_holds_decoder_and_quantiser(name: str, config: SpectroStreamConfig):
    held = {key: tuple(shape) for key, shape in json.loads((VECTORS / name).read_text()).items()}
    assert published_shapes(config) == {k: s for k, s in held.items() if k.startswith("params/soundstream/")}


def test_one_error_names_every_key_at_fault():
    flat = dict(tiny_weights())
    del flat[PREFIX + "decoder_2/conv2d_3x3/conv/bias"]
    flat[PREFIX + "decoder_2/shortcut_layer/conv1x1/conv/bias"] = np.zeros(16, np.float32)
    flat[PREFIX + "decoder_0/conv2dtranspose_4x3/conv/kernel"] = np.zeros((3, 4, 32, 64), np.float32)
    flat[PREFIX + "output_layer/base_conv_last/conv/bias"] = np.zeros(2, np.int8)
    with pytest.raises(CodecCheckpointError) as caught:
        load_decoder(TINY, flat)
    assert str(caught.value).splitlines() == [
        "checkpoint does not fit SpectroStream's decoder:",
        f"  missing: {PREFIX}decoder_2/conv2d_3x3/conv/bias [16]",
        f"  unknown: {PREFIX}decoder_2/shortcut_layer/conv1x1/conv/bias",
        f"  wrong shape: {PREFIX}decoder_0/conv2dtranspose_4x3/conv/kernel expected [4, 3, 32, 64], got [3, 4, 32, 64]",
        f"  wrong type: {PREFIX}output_layer/base_conv_last/conv/bias expected float32, float16, bfloat16, got int8",
    ]


def test_a_file_without_the_part_names_where_it_should_be():
    with pytest.raises(CodecCheckpointError, match="missing: params/encoder/base_conv_first/conv/kernel"):
        load_encoder(TINY, tiny_weights())
    with pytest.raises(CodecCheckpointError, match="missing: params/soundstream/quantizer/embedding"):
        load_codebooks(TINY, tiny_encoder_weights())


def test_a_codebook_of_another_size_is_refused():
    with pytest.raises(CodecCheckpointError, match=r"expected \[64, 1024, 256\], got \[8, 40, 24\]"):
        load_codebooks(SpectroStreamConfig(), tiny_weights())


def test_parts_load_the_same_from_files_of_their_own():
    flat = tiny_weights()
    apart = {key.replace("soundstream/", ""): value for key, value in flat.items() if "soundstream" in key}
    for ours, theirs in (
        (load_decoder(TINY, flat), load_decoder(TINY, apart)),
        (load_codebooks(TINY, flat), load_codebooks(TINY, apart)),
    ):
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    with pytest.raises(CodecCheckpointError, match="quantizer: present twice"):
        load_codebooks(TINY, flat | apart)


@pytest.mark.parametrize("stored", ["float32", "float16", "bfloat16"])
def test_any_published_float_type_becomes_float32(stored: str):
    flat = {key: value.astype(jnp.dtype(stored)) for key, value in tiny_weights().items()}
    params = load_decoder(TINY, flat)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    np.testing.assert_array_equal(params.output.bias, flat[PREFIX + "output_layer/base_conv_last/conv/bias"])


def test_config_of_vectors_names_bad_keys():
    meta = META["config"]
    assert config_of_vectors(meta) == SpectroStreamConfig(24, 4, 4, 8, 40)
    with pytest.raises(ValueError, match=r"missing keys \['rvq_total', 'ss_feat'\]"):
        config_of_vectors({k: v for k, v in meta.items() if k not in ("ss_feat", "rvq_total")})
    with pytest.raises(ValueError, match=r"config\.ss_dec_depth: expected an integer, got '4'"):
        config_of_vectors(meta | {"ss_dec_depth": "4"})
    with pytest.raises(ValueError, match="codebook: expected at least 1, got 0"):
        config_of_vectors(meta | {"codebook": 0})


def test_a_codec_names_the_setting_that_is_out_of_range():
    decoder, codebooks = load_decoder(TINY, tiny_weights()), load_codebooks(TINY, tiny_weights())
    with pytest.raises(ValueError, match=r"levels: expected 1\.\.8, got 9"):
        SpectroStream(TINY, decoder, codebooks, levels=9)
    with pytest.raises(ValueError, match="precision: expected one of float32, tf32, bfloat16, got 'int8'"):
        SpectroStream(TINY, decoder, codebooks, levels=4, precision="int8")  # type: ignore[arg-type]
    codec = SpectroStream(TINY, decoder, codebooks, levels=4, fingerprint="3fa94c21")
    assert codec.version == "spectrostream-4+3fa94c21"
    assert codec.params.codebooks.shape == (4, 40, 24)
