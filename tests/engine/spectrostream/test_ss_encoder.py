# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import jax
import numpy as np
import pytest
from ss_tiny import Array

from segue_engine.spectrostream import SpectroStreamEncoder, kept_frames, prefill_codes, prefill_pieces


def noise(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) * np.float32(0.2)


def test_pieces_of_any_size_in_a_row_are_the_whole(encoder: SpectroStreamEncoder):
    wave = noise(0, 1, 12 * 1920, 2)
    whole = np.asarray(jax.jit(encoder.encode)(encoder.params, wave))
    padded = np.pad(wave, ((0, 0), (0, 480), (0, 0)))
    state, pieces, start, encode = encoder.init_state(1), [], 0, jax.jit(encoder.encode_piece)
    for frames in (5, 1, 5, 1):
        stop = start + frames * 1920
        state, embeddings = encode(encoder.params, state, padded[:, start : stop + 480])
        pieces.append(embeddings)
        start = stop
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, rtol=0, atol=1e-5 * np.abs(whole).max())


def test_rows_are_independent_and_waves_are_padded_to_whole_frames(encoder: SpectroStreamEncoder):
    wave = noise(1, 2, 3 * 1920, 2)
    wave[:, 2 * 1920 + 5 :] = 0.0
    other = np.stack([wave[0], noise(2, 3 * 1920, 2)])
    encode = jax.jit(encoder.encode_codes, static_argnums=2)
    codes = np.asarray(encode(encoder.params, wave, 8))
    assert (codes.shape, codes.dtype) == ((2, 3, 8), np.int32)
    np.testing.assert_array_equal(np.asarray(encode(encoder.params, other, 8))[0], codes[0])
    cut = wave[:, : 2 * 1920 + 5]
    np.testing.assert_array_equal(encode(encoder.params, cut, 8), codes)


@pytest.mark.parametrize("shape", [(1, 1920), (1, 1920, 1), (1, 0, 2)])
def test_other_waves_are_refused(encoder: SpectroStreamEncoder, shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"wave: expected float32\[B, n, 2\]"):
        encoder.encode(encoder.params, np.zeros(shape, np.float32))


def test_a_piece_without_its_lookahead_is_refused(encoder: SpectroStreamEncoder):
    for samples in (480, 1920, 2000):
        with pytest.raises(ValueError, match=f"expected 1920 N \\+ 480 samples, got {samples}"):
            encoder.encode_piece(encoder.params, encoder.init_state(1), np.zeros((1, samples, 2), np.float32))


def test_prefill_drops_the_edges_and_frames_that_are_not_whole(encoder: SpectroStreamEncoder):
    wave = noise(4, 31 * 1920 + 700, 2)
    padded = np.pad(wave, ((0, 4 * 1920 - 700 + 480), (0, 0)))
    state, whole = encoder.init_state(1), []
    for start in range(0, 35 * 1920, 5 * 1920):
        state, codes = encoder.compiled_piece(encoder.params, state, padded[None, start : start + 5 * 1920 + 480], 6)
        whole.append(codes[0])
    pieces = list(prefill_pieces(encoder, wave, 6))
    assert [len(piece) for piece in pieces] == [0, 0, 0, 0, 0, 5, 1]
    np.testing.assert_array_equal(np.concatenate(pieces), np.concatenate(whole)[25:31])
    np.testing.assert_array_equal(prefill_codes(encoder, wave, 6), np.concatenate(pieces))


def test_prefill_of_a_long_recording_is_of_its_last_28_seconds(encoder: SpectroStreamEncoder):
    assert kept_frames(10**9) == range(25, 675)
    assert not kept_frames(26 * 1920 - 1)
    wave = noise(5, 710 * 1920, 2)
    pieces, shorter = prefill_pieces(encoder, wave, 6), prefill_pieces(encoder, wave[10 * 1920 :], 6)
    for _ in range(6):
        np.testing.assert_array_equal(next(pieces), next(shorter))


def test_prefill_refuses_before_any_work(encoder: SpectroStreamEncoder):
    with pytest.raises(ValueError, match=r"expected at least 49920 samples \(1\.04 s at 48 kHz\), got 48000"):
        prefill_pieces(encoder, np.zeros((48_000, 2), np.float32), 4)
    with pytest.raises(ValueError, match=r"wave: expected \[n, 2\], got shape \[48000\]"):
        prefill_pieces(encoder, np.zeros(48_000, np.float32), 4)
    with pytest.raises(ValueError, match="frames: expected at least 1, got 0"):
        prefill_pieces(encoder, np.zeros((96_000, 2), np.float32), 4, frames=0)
