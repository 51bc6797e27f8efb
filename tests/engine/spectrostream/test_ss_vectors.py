# SPDX-License-Identifier: Apache-2.0
"""Parity with waves, embeddings and codes that the published implementation made of the same weights."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
from ss_tiny import META, VECTORS, Flat, Golden, Streamer, drawn

from segue_engine.spectrostream import (
    SpectroStream,
    SpectroStreamConfig,
    SpectroStreamEncoder,
    analyse,
    dequantise,
    load_codebooks,
    load_decoder,
    load_encoder,
    pcm16,
    quantise,
)


def test_the_tiny_decoder_whole_and_frame_by_frame(tiny: Streamer):
    golden = Golden("iv_codec_decoder_tiny.npz")
    codes, params = golden["codes"], tiny.codec.params
    golden.check("embeddings", dequantise(params.codebooks, codes))
    golden.check("wave_layer", tiny.whole(params, codes))
    _, wave = tiny.stream(codes)
    golden.check("wave_step", wave)
    golden.check("pcm_int16_step", pcm16(wave))
    assert not wave[:, :1920].any()
    assert golden["step_mask_per_frame"].tolist() == [[False] + [True] * 9] * 2  # what those zeros mean


def test_the_tiny_encoder(encoder: SpectroStreamEncoder):
    golden = Golden("v_codec_encoder_tiny.npz")
    wave = golden["wave"][None]
    golden.check("stft_first3", analyse(wave)[:, :3])
    embeddings = jax.jit(encoder.encode)(encoder.params, wave)
    golden.check("embeddings", embeddings)
    golden.check("codes", quantise(encoder.params.codebooks, embeddings, 8))


def test_the_quantiser_alone(encoder: SpectroStreamEncoder):
    golden = Golden("v2_rvq.npz")
    golden.check("codes", quantise(encoder.params.codebooks, golden["embeddings"], 8))


def test_the_audio_of_a_whole_model_run(tiny: Streamer):
    golden = Golden("vii_e2e_greedy.npz")
    _, wave = tiny.stream((golden["token_ids"] - 6) % META["config"]["codebook"])
    golden.check("pcm_int16", pcm16(wave))


@pytest.fixture(scope="module")
def full_weights() -> Flat:
    flat = drawn(json.loads((VECTORS / "full_codec_keys.json").read_text()), META["full_codec_seed"])
    for key, (total, largest) in META["full_codec_check"].items():
        assert flat[key].astype(np.float64).sum() == pytest.approx(total, abs=1e-3)
        assert np.abs(flat[key]).max() == pytest.approx(largest, rel=1e-6)
    return flat


def test_the_published_size(full_weights: Flat):
    golden = Golden("viii_codec_full_seeds_only.npz")
    config = SpectroStreamConfig()
    codebooks = load_codebooks(config, full_weights)
    codes = golden["codes"]
    golden.check("embeddings", dequantise(codebooks, codes))

    full = Streamer(SpectroStream(config, load_decoder(config, full_weights), codebooks))
    golden.check("wave_layer", full.whole(full.codec.params, codes))
    state, wave = full.stream(codes)
    golden.check("wave_step", wave)
    assert sum(leaf.nbytes for leaf in jax.tree.leaves(state)) == 2_702_081  # stated in decoder.py as 2.7 MB

    encoder = SpectroStreamEncoder(config, load_encoder(config, full_weights), codebooks)
    embeddings = jax.jit(encoder.encode)(encoder.params, golden["enc_wave"][None])
    golden.check("enc_embeddings", embeddings)
    golden.check("enc_codes", quantise(codebooks, embeddings, 64))
