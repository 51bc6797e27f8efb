# SPDX-License-Identifier: Apache-2.0
"""SpectroStream: a neural codec of 48 kHz stereo, 25 frames/s, up to 64 RVQ codes a frame.

Sizes and files::

    SpectroStreamConfig()                            the published codec; config_of_vectors(meta["config"]) a tiny one
    published_shapes(config, parts=("decoder", "quantizer"), prefix="params/soundstream/") -> {key: shape}
    load_decoder(config, flat) -> DecoderParams
    load_codebooks(config, flat) -> float32[64, 1024, 256]
    load_encoder(config, flat) -> EncoderParams

`flat` maps published keys to arrays; a part may lie under params/soundstream/ (a language-model checkpoint) or under
params/ (a file of its own). All three raise CodecCheckpointError, which names every key at fault.

Residual vector quantiser, any leading axes, any number of levels::

    dequantise(codebooks, codes[..., L]) -> embeddings[..., 256]
    quantise(codebooks, embeddings[..., 256], levels) -> int32[..., levels]

Decoder, a `Codec` of both Magenta RTs: ±1 is full scale after `decode`, twice that before (raw, PCM_GAIN = 0.5)::

    codec = SpectroStream(config, decoder, codebooks, levels=12, precision="float32", fingerprint="…")
    codec.version, codec.delay (1), codec.params, codec.init_state(rows)
    codec.decode(params, state, codes[B, L], due[B]) -> state, float32[B, 1920, 2]
    codec.decode_raw(params, state, codes[B, L], due[B]) -> state, raw float32[B, 1920, 2]
    codec.decode_whole(params, codes[B, T, L]) -> raw float32[B, 1920 (T - 1), 2]
    pcm16(raw) -> int16

Encoder::

    encoder = SpectroStreamEncoder(config, load_encoder(config, flat), codebooks)
    encoder.params (EncodingParams: codebooks and network)
    encoder.encode(params, wave[B, n, 2]) -> embeddings[B, ceil(n / 1920), 256]
    encoder.encode_codes(params, wave[B, n, 2], levels) -> int32[B, ceil(n / 1920), levels]
    encoder.init_state(rows); encoder.encode_piece(params, state, wave[B, 1920 N + 480, 2]) -> state, [B, N, 256]
    analyse(wave[B, n, 2]) -> STFT float32[B, ceil(n / 480), 480, 4]
    prefill_codes(encoder, wave[n, 2], levels) -> int32[frames, levels]; prefill_pieces(...) the same, piece by piece

Precision, a setting of the decoder alone::

    CodecPrecision = "float32" | "tf32" | "bfloat16"; PRECISIONS lists them
    damage(config, decoder, codebooks, codes[B, T, L], precision) -> Damage(snr_db, log_spectral_distance_db)
"""

from segue_engine.spectrostream.codec import PCM_GAIN, SpectroStream, pcm16
from segue_engine.spectrostream.config import SpectroStreamConfig, config_of_vectors
from segue_engine.spectrostream.damage import Damage, compare, damage
from segue_engine.spectrostream.decoder import DecoderState
from segue_engine.spectrostream.encoder import EncoderState, SpectroStreamEncoder
from segue_engine.spectrostream.layout import FILE_PREFIX, MODEL_PREFIX, CodecCheckpointError, published_shapes
from segue_engine.spectrostream.parameters import CodecParams, DecoderParams, EncoderParams, EncodingParams
from segue_engine.spectrostream.precision import PRECISIONS, CodecPrecision
from segue_engine.spectrostream.prefill import kept_frames, prefill_codes, prefill_pieces
from segue_engine.spectrostream.rvq import dequantise, quantise
from segue_engine.spectrostream.stft import analyse
from segue_engine.spectrostream.weights import load_codebooks, load_decoder, load_encoder

__all__ = [
    "FILE_PREFIX",
    "MODEL_PREFIX",
    "PCM_GAIN",
    "PRECISIONS",
    "CodecCheckpointError",
    "CodecParams",
    "CodecPrecision",
    "Damage",
    "DecoderParams",
    "DecoderState",
    "EncoderParams",
    "EncoderState",
    "EncodingParams",
    "SpectroStream",
    "SpectroStreamConfig",
    "SpectroStreamEncoder",
    "analyse",
    "compare",
    "config_of_vectors",
    "damage",
    "dequantise",
    "kept_frames",
    "load_codebooks",
    "load_decoder",
    "load_encoder",
    "pcm16",
    "prefill_codes",
    "prefill_pieces",
    "published_shapes",
    "quantise",
]
