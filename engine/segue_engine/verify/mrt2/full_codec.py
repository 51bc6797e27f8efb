# SPDX-License-Identifier: Apache-2.0
"""File viii: decoder and encoder of published size, their weights stated by a seed in meta.json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES
from segue_engine.spectrostream import published_shapes
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt2.codec import Decoder, Encoder, codes_of, config_of_shapes
from segue_engine.verify.mrt2.codec_encoder import encoded, wave_of
from segue_engine.verify.mrt2.decoder import checked_codes, decoded, steps
from segue_engine.verify.seeds import SumCheck, check_keys, draw
from segue_engine.verify.vector_set import META, Tensors, VectorError, VectorSet

Array = NDArray[Any]

KEYS: Final = "full_codec_keys.json"
_SEED, _SUMS = "full_codec_seed", "full_codec_check"


def plan(vectors: VectorSet, file: str) -> Plan:
    """As files iv and v, the encoder's arrays beginning with enc_."""
    arrays, shapes = vectors.arrays(file), vectors.shapes(KEYS)
    config = config_of_shapes(shapes, KEYS)
    parts = published_shapes(config, ("decoder", "encoder", "quantizer"), "params/")
    check_keys(KEYS, shapes, parts, "a codec of its quantiser's and outer convolutions' size")
    seed, sums = _seed(vectors), _sums(vectors)
    codes = checked_codes(arrays, config) if "codes" in arrays else None
    wave = wave_of(arrays, "enc_wave") if "enc_wave" in arrays else None
    levels = config.codebooks
    if wave is not None:
        frames = -(-wave.shape[1] // FRAME_SAMPLES)
        arrays.check("enc_embeddings", 1, frames, config.features)
        if "enc_codes" in arrays:
            levels = codes_of(arrays, "enc_codes", config, 1, frames, "L").shape[-1]

    def run(tick: Tick) -> Iterator[Produced]:
        flat: dict[str, Array] = {}
        for key, tensor in draw(shapes, seed):
            sums.see(key, tensor)
            flat[key] = tensor
            tick()
        sums.finish()
        tensors = Tensors(KEYS, flat)
        decoder = Decoder(config, tensors, config.codebooks if codes is None else codes.shape[-1])
        if codes is not None:
            yield from decoded(decoder, codes, tick)
        if wave is not None:
            for name, value, way in encoded(Encoder(config, tensors, decoder.codebooks), wave, levels, tick):
                yield Produced(f"enc_{name}", value, way)

    total = len(shapes) + (0 if codes is None else steps(codes)) + (0 if wave is None else 2)
    return Plan(steps=total, run=run)


def _seed(vectors: VectorSet) -> int:
    seed = vectors.meta.get(_SEED)
    if type(seed) is not int or seed < 0:
        raise VectorError(f"{META}: {_SEED}: expected an integer, 0 or more, got {seed!r}")
    return seed


def _sums(vectors: VectorSet) -> SumCheck:
    stated = vectors.meta.get(_SUMS, {})
    sums, tops = {}, {}
    try:
        for key, (total, top) in stated.items():
            sums[str(key)], tops[str(key)] = float(total), float(top)
    except (AttributeError, TypeError, ValueError):
        raise VectorError(f"{META}: {_SUMS}: expected tensor name → [sum, largest magnitude]") from None
    return SumCheck(f"{META}: {_SUMS}", sums, tops)
