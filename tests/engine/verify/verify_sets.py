# SPDX-License-Identifier: Apache-2.0
"""Vector sets for tests: the committed one, copies of it, and one of quite other sizes from the plain float64 model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from mrt2_reference import teacher_forced
from safetensors.numpy import save_file

from segue_engine.models.magenta_rt_2 import config_of_vectors, published_shapes
from segue_engine.spectrostream import config_of_vectors as codec_config_of_vectors
from segue_engine.spectrostream import published_shapes as codec_shapes
from segue_engine.verify.mrt2.codec import Decoder, Encoder
from segue_engine.verify.seeds import draw
from segue_engine.verify.vector_set import Tensors

COMMITTED = Path(__file__).parents[2] / "vectors" / "mrt2"
LARGE = ("viii_codec_full_seeds_only.npz", "ix_lm_small_full_seeds_only.npz")

SIZES = {
    "enc_dim": 20,
    "temporal": [1, 24, 40, 2, 8],
    "depth": [1, 24, 32, 3, 8],  # as wide as the temporal transformer: no adapter
    "self_win": 4,
    "cross_win": 6,
    "Q": 3,
    "codebook": 17,
    "rvq_total": 5,
    "mc_codebook": 9,
    "mc_dim": 10,
    "ss_feat": 12,
    "ss_enc_depth": 2,
    "ss_dec_depth": 2,
}
WEIGHTS = "weights_of_another_name.safetensors"
SEED = 77
MODEL = config_of_vectors(SIZES)
CODEC = codec_config_of_vectors(SIZES)


def copy_of(folder: Path, *patterns: str) -> Path:
    """A copy of what the committed set needs for some of its files."""
    folder.mkdir()
    for pattern in ("meta.json", "tolerances.json", *patterns):
        for path in COMMITTED.glob(pattern):
            shutil.copy(path, folder)
    return folder


def rewrite(path: Path, **changed) -> None:
    """Replace arrays of an .npz file; None removes one."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files} | changed
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def set_rules(folder: Path, file: str, **rules) -> None:
    path = folder / "tolerances.json"
    document = json.loads(path.read_text())
    document[file] = document.get(file, {}) | rules
    path.write_text(json.dumps(document))


def make_other_set(folder: Path) -> Path:
    """Every kind of file for other sizes, batches and lengths. What the language model should give is computed by the
    plain model in float64; what the codec should give in pieces is what it gives at once.
    """
    folder.mkdir()
    shapes = published_shapes(MODEL) | codec_shapes(CODEC) | codec_shapes(CODEC, ("encoder",), "params/")
    flat = dict(draw(shapes, SEED))
    save_file(flat, folder / WEIGHTS)
    (folder / "meta.json").write_text(json.dumps({"config": SIZES}))
    committed = json.loads((COMMITTED / "tolerances.json").read_text())
    rules = {name: rules for name, rules in committed.items() if name not in LARGE}
    rules["v2_rvq.npz"] = {"codes": "exact"}
    rules["ix_*.npz"] = committed["ix_lm_small_full_seeds_only.npz"]
    (folder / "tolerances.json").write_text(json.dumps(rules))
    rng = np.random.default_rng(5)
    _encoder(folder, flat, rng)
    _teacher_forced(folder, flat, rng)
    _sampler(folder, rng)
    _greedy(folder, flat, rng)
    _seeds_only(folder, rng)
    _codec(folder, flat, rng)
    (folder / "draw_weights.py").write_text("raise SystemExit('nothing in a vector set is run')\n")
    return folder


def conditioning(rng, *shape: int):
    """Ids of all kinds, top bins that spill into the next block among them."""
    rows = [SIZES["mc_codebook"] + 7] * 12 + [11] * 128 + [9, 48, 48, 16]
    return np.stack([rng.integers(6, top, shape) for top in rows], axis=-1).astype(np.int32)


def _ids(codes):
    return (codes + 6 + MODEL.codebook * np.arange(MODEL.levels)).astype(np.int32)


def _encoder(folder, flat, rng):
    ids = conditioning(rng, 4)
    codes = np.zeros((1, MODEL.levels), int)
    encoded = np.concatenate([teacher_forced(MODEL, flat, row[None], codes)[0] for row in ids])
    np.savez(folder / "i_encoder.npz", cond_ids=ids, encoded=encoded.astype(np.float32))


def _teacher_forced(folder, flat, rng):
    ids = np.repeat(conditioning(rng, 3, 4), 3, axis=1)[:, :11]
    codes = rng.integers(0, MODEL.codebook, (3, 11, MODEL.levels))
    names = ("encoded", "temporal_in", "temporal_out", "depth_logits_raw")
    found = [teacher_forced(MODEL, flat, *row) for row in zip(ids, codes, strict=True)]
    arrays = {
        name: np.stack(values).astype(np.float32) for name, values in zip(names, zip(*found, strict=True), strict=True)
    }
    arrays["depth_logits_capped"] = 30 * np.tanh(arrays["depth_logits_raw"] / 30)
    for name in ("ii_teacher_forced_f32.npz", "vi_teacher_forced_bf16.npz"):
        np.savez(folder / name, cond_ids=ids, token_ids=_ids(codes), **arrays)


def _sampler(folder, rng):
    lowest, arrays, cases = np.float32(-0.7 * np.finfo(np.float32).max), {}, []
    for i, (level, top_k, temperature) in enumerate([(0, 4, 1.5), (1, 0, 0.7), (2, None, 1.0), (1, 3, 0.0)]):
        logits = np.round(rng.normal(0, 4, MODEL.vocabulary)).astype(np.float32)  # ties
        low = 6 + MODEL.codebook * level
        own = logits[low : low + MODEL.codebook]
        kth = np.sort(own)[::-1][max(1, top_k or 0) - 1] if top_k is not None else -np.inf
        masked = np.full_like(logits, lowest)
        masked[low : low + MODEL.codebook] = np.where(own >= kth, own, lowest)
        key = jax.random.key(i, impl="threefry2x32")
        noise = np.asarray(jax.random.gumbel(key, (1, 1, MODEL.vocabulary), jnp.float32)).ravel()
        scores = masked + np.float32(temperature) * noise
        arrays |= {f"{i}_logits": logits, f"{i}_key": np.asarray(jax.random.key_data(key)), f"{i}_masked": masked}
        arrays |= {f"{i}_scores": scores, f"{i}_sample": np.int32(np.argmax(scores))}
        cases.append(
            {"i": i, "lo": low, "hi": low + MODEL.codebook, "q": level, "top_k": top_k, "temperature": temperature}
        )
    np.savez(folder / "iii_sampler.npz", **arrays)
    (folder / "iii_sampler_cases.json").write_text(json.dumps(cases))


def _greedy(folder, flat, rng):
    """The best code of each level in turn; one session, conditioned as only a session without guidance could be."""
    frames = 5
    ids, codes = conditioning(rng, 1, frames), np.zeros((frames, MODEL.levels), int)
    ids[..., 141:] = 6
    for frame in range(frames):
        for level in range(MODEL.levels):
            *_, raw = teacher_forced(MODEL, flat, ids[0, : frame + 1], codes[: frame + 1])
            start = 6 + MODEL.codebook * level
            codes[frame, level] = np.argmax(raw[frame, level, start : start + MODEL.codebook])
    np.savez(folder / "vii_e2e_greedy.npz", cond_ids=ids, token_ids=_ids(codes[None]))


def _seeds_only(folder, rng):
    """A language model of which only the seed is stated, here of the set's own size."""
    seed, gain = 99, 2.0
    shapes = published_shapes(MODEL)
    flat = dict(draw(shapes, seed, gain))
    (folder / "full_keys_own.json").write_text(json.dumps({key: list(shape) for key, shape in shapes.items()}))
    ids, codes = conditioning(rng, 2, 7), rng.integers(0, MODEL.codebook, (2, 7, MODEL.levels))
    found = [teacher_forced(MODEL, flat, *row) for row in zip(ids, codes, strict=True)]
    source, _, out, raw = (np.stack(values).astype(np.float32) for values in zip(*found, strict=True))
    own = [raw[..., q, s : s + MODEL.codebook] for q, s in enumerate(_ids(np.zeros(MODEL.levels, int)))]
    keys = sorted(key for key in shapes if key.endswith(("to_logits/kernel", "to_logits/bias", "per_dim_scale")))
    np.savez(
        folder / "ix_lm_own_full_seeds_only.npz",
        cond_ids=ids,
        token_ids=_ids(codes),
        encoded=source,
        temporal_out_first3=out[:, :3],
        temporal_out_last1=out[:, -1:],
        depth_logits_capped_own_range_last2=30 * np.tanh(np.stack(own, axis=2)[:, -2:] / 30),
        seed=seed,
        logit_gain=gain,
        check_keys=np.array(keys),
        check_sums=np.array([flat[key].sum(dtype=np.float64) for key in keys]),
    )


def _codec(folder, flat, rng):
    tensors = Tensors(WEIGHTS, flat)
    codes = rng.integers(0, CODEC.codebook, (3, 3, MODEL.levels)).astype(np.int32)
    decoder = Decoder(CODEC, tensors, MODEL.levels)
    whole, table = decoder.whole(codes), flat["params/soundstream/quantizer/embedding"]
    step = np.concatenate([np.zeros((3, 1920, 2), np.float32), whole], axis=1)
    np.savez(
        folder / "iv_codec_decoder_tiny.npz",
        codes=codes,
        embeddings=sum(table[q][codes[..., q]] for q in range(MODEL.levels)),
        wave_layer=whole,
        wave_step=step,
        pcm_int16_step=np.round(32767.5 * np.clip(step / 2, -1, 1) - 0.5).astype(np.int16),
    )
    wave = rng.normal(0, 0.1, (4 * 1920, 2)).astype(np.float32)
    windowed = wave[:960] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(960) / 960))[:, None]
    bins = np.fft.rfft(windowed, axis=0)[:480]
    spectrum = np.stack([bins[:, 0].real, bins[:, 0].imag, bins[:, 1].real, bins[:, 1].imag], axis=-1)
    embeddings = Encoder(CODEC, tensors, decoder.codebooks).whole(wave[None])
    nearest = _nearest(table, embeddings)
    np.savez(
        folder / "v_codec_encoder_tiny.npz",
        wave=wave,
        stft_first1=spectrum[None, None].astype(np.float32),
        embeddings=embeddings,
        codes=nearest,
    )
    small = rng.normal(0, 0.5, (2, 6, CODEC.features)).astype(np.float32)
    np.savez(folder / "v2_rvq.npz", embeddings=small, codes=_nearest(table, small)[..., :4])
    # arrays that this set has under other names than the committed one
    set_rules(folder, "v_codec_encoder_tiny.npz", **{"stft_first*": {"atol": 1e-4}})
    document = json.loads((folder / "tolerances.json").read_text())
    del document["v_codec_encoder_tiny.npz"]["stft_first3"], document["vii_e2e_greedy.npz"]["pcm_int16"]
    del document["vii_e2e_greedy.npz"]["out_mask"]
    (folder / "tolerances.json").write_text(json.dumps(document))


def _nearest(table, embeddings):
    residual, codes = embeddings.astype(np.float64), []
    for level in table.astype(np.float64):
        codes.append(np.argmin(np.sum((residual[..., None, :] - level) ** 2, axis=-1), axis=-1))
        residual = residual - level[codes[-1]]
    return np.stack(codes, axis=-1).astype(np.int32)
