# SPDX-License-Identifier: Apache-2.0
"""MusicCoCa files with random weights in the published interface, to try loading and serving without the real ones.

Same names, inputs, outputs and widths; a few small layers inside. Equal prompts embed equally, near embeddings share
coarse codes, and none of it means anything.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import EMBEDDING_WIDTH, STYLE_CODES, STYLE_LEVELS
from segue_engine.styles.musiccoca import files
from segue_engine.styles.musiccoca.audio import CLIP
from segue_engine.styles.musiccoca.encoder import require_packages
from segue_engine.styles.musiccoca.errors import MusicCoCaError
from segue_engine.styles.musiccoca.flatbuffer import GraphWriter
from segue_engine.styles.musiccoca.text import PAD, PLACES, START
from segue_engine.styles.synonyms import SYNONYMS
from segue_engine.styles.tags import TAGS

FloatArray = NDArray[np.float32]

NOTICE: Final = """\
These files are noise. `segue models synthesise` wrote them: random weights in the interface of MusicCoCa's files, to
try loading and serving without the real ones. What they make of a prompt means nothing. They hold nothing of the
published model. `{repair}` fetches that one.
Seed: {seed}
"""
_DESCRIPTION: Final = "Segue: synthetic MusicCoCa, random weights, not for music"
_TOKEN_WIDTH: Final = 32
_FEATURES: Final = (992, 128)
_HOP: Final = 160
_CODE_WIDTH: Final = 8
_MAPPER_WIDTH: Final = 64


def write_synthetic(folder: Path, seed: int) -> tuple[Path, ...]:
    """Write all of MusicCoCa's files (about 2 MB) and a notice; the same seed, from 0 up, gives the same bytes.

    Raises MusicCoCaError if the folder holds files of these names that this function did not write.
    """
    require_packages()
    there = [name for name in files.FILES if (folder / name).exists()]
    if there and not files.is_synthetic(folder):
        raise MusicCoCaError(f"{folder}: {', '.join(there)} may be real; expected a folder without MusicCoCa's files")
    rng = np.random.Generator(np.random.PCG64(seed))
    vocabulary, pieces = _vocabulary()
    contents = {
        files.VOCABULARY: vocabulary,
        files.TEXT_ENCODER: _text_encoder(rng, pieces),
        files.AUDIO_PREPROCESSOR: _audio_preprocessor(rng),
        files.MUSIC_ENCODER: _music_encoder(rng),
        files.QUANTISER: _quantiser(rng),
        files.MAPPER: _mapper(rng),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / files.SYNTHETIC_MARKER).write_text(NOTICE.format(repair=files.REPAIR, seed=seed))
    for name, content in contents.items():
        temporary = folder / f"{name}.partial"
        temporary.write_bytes(content)
        os.replace(temporary, folder / name)
    return tuple(folder / name for name in contents)


def _vocabulary() -> tuple[bytes, int]:
    """A SentencePiece model over our own words for music, with bytes for what they lack; and its number of pieces."""
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    out = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([*sorted(SYNONYMS), *TAGS]),
        model_writer=out,
        vocab_size=1024,
        hard_vocab_limit=False,
        byte_fallback=True,
        pad_id=PAD,
        bos_id=START,
        eos_id=2,
        unk_id=3,
        num_threads=1,
        minloglevel=2,
    )
    model = out.getvalue()
    return model, int(SentencePieceProcessor(model_proto=model).get_piece_size())


def _text_encoder(rng: np.random.Generator, pieces: int) -> bytes:
    """Mean over the real places of token vectors times place vectors, then to unit length in 768 dimensions."""
    graph = GraphWriter(_DESCRIPTION)
    ids = graph.input("ids", (1, PLACES), np.int32)
    paddings = graph.input("paddings", (1, PLACES))
    table, places = _normal(rng, pieces, _TOKEN_WIDTH), 1.0 + 0.3 * _normal(rng, 1, PLACES, _TOKEN_WIDTH)
    wide = (1, PLACES, _TOKEN_WIDTH)
    vectors = graph.op("GATHER", (graph.constant(table), ids), wide, Gather={"axis": 0})
    vectors = graph.op("MUL", (vectors, graph.constant(places)), wide, Mul={})
    real = graph.op("SUB", (graph.constant(np.ones((1, 1), np.float32)), paddings), (1, PLACES), Sub={})
    column = _reshape(graph, real, (1, PLACES, 1))
    vectors = graph.op("MUL", (vectors, column), wide, Mul={})
    total = _reduce(graph, "SUM", vectors, (1, _TOKEN_WIDTH))
    count = _reduce(graph, "SUM", column, (1, 1))
    mean = graph.op("DIV", (total, count), (1, _TOKEN_WIDTH), Div={})
    return graph.finish(_unit(graph, _dense(graph, mean, _normal(rng, EMBEDDING_WIDTH, _TOKEN_WIDTH))))


def _audio_preprocessor(rng: np.random.Generator) -> bytes:
    """Log energies of 128 random filters on each 10 ms; 992 of the 1,000 frames, as many as the real one gives."""
    frames, bands = CLIP // _HOP, _FEATURES[1]
    graph = GraphWriter(_DESCRIPTION)
    samples = _reshape(graph, graph.input("samples", (1, CLIP)), (frames, _HOP))
    filtered = _dense(graph, samples, _normal(rng, bands, _HOP), rows=frames)
    energy = graph.op("MUL", (filtered, filtered), (frames, bands), Mul={})
    energy = graph.op("ADD", (energy, graph.constant(np.full((1, 1), 1e-3, np.float32))), (frames, bands), Add={})
    logs = graph.op("LOG", (energy,), (frames, bands))
    begin, extent = graph.constant(np.zeros(2, np.int32)), graph.constant(np.array(_FEATURES, np.int32))
    kept = graph.op("SLICE", (logs, begin, extent), _FEATURES, Slice={})
    return graph.finish(_reshape(graph, kept, (1, *_FEATURES)))


def _music_encoder(rng: np.random.Generator) -> bytes:
    """Mean over time, with and without random weights of time, then to unit length in 768 dimensions."""
    frames, bands = _FEATURES
    graph = GraphWriter(_DESCRIPTION)
    features = graph.input("features", (1, *_FEATURES))
    weighed = graph.op("MUL", (features, graph.constant(_normal(rng, 1, frames, 1))), (1, *_FEATURES), Mul={})
    means = [_reduce(graph, "MEAN", x, (1, bands)) for x in (features, weighed)]
    both = graph.op("CONCATENATION", means, (1, 2 * bands), Concatenation={"axis": 1})
    return graph.finish(_unit(graph, _dense(graph, both, _normal(rng, EMBEDDING_WIDTH, 2 * bands))))


def _quantiser(rng: np.random.Generator) -> bytes:
    """Residual quantiser in 8 random dimensions, the entries of each level half as long as those of the one before."""
    graph = GraphWriter(_DESCRIPTION)
    embedding = graph.input("embedding", (1, EMBEDDING_WIDTH))
    residual = _dense(graph, embedding, _normal(rng, _CODE_WIDTH, EMBEDDING_WIDTH))
    axis = graph.constant(np.array(1, np.int32))
    codes = []
    for level in range(STYLE_LEVELS):
        book = _normal(rng, STYLE_CODES, _CODE_WIDTH) * np.float32(0.5**level)
        nearness = _dense(graph, residual, book, bias=-0.5 * np.einsum("ij,ij->i", book, book))
        code = graph.op("ARG_MAX", (nearness, axis), (1,), np.int32, ArgMax={"outputType": 2})
        entry = graph.op("GATHER", (graph.constant(book), code), (1, _CODE_WIDTH), Gather={"axis": 0})
        residual = graph.op("SUB", (residual, entry), (1, _CODE_WIDTH), Sub={})
        codes.append(code)
    pack = {"valuesCount": STYLE_LEVELS, "axis": 1}
    return graph.finish(graph.op("PACK", codes, (1, STYLE_LEVELS), np.int32, Pack=pack))


def _mapper(rng: np.random.Generator) -> bytes:
    """Two random layers and a tenth of noise."""
    graph = GraphWriter(_DESCRIPTION)
    embedding, noise = graph.input("embedding", (1, EMBEDDING_WIDTH)), graph.input("noise", (1, EMBEDDING_WIDTH))
    hidden = _dense(graph, embedding, _normal(rng, _MAPPER_WIDTH, EMBEDDING_WIDTH))
    mapped = _dense(graph, hidden, _normal(rng, EMBEDDING_WIDTH, _MAPPER_WIDTH) * np.float32(0.125))
    little = graph.op("MUL", (noise, graph.constant(np.full((1, 1), 0.1, np.float32))), (1, EMBEDDING_WIDTH), Mul={})
    return graph.finish(graph.op("ADD", (mapped, little), (1, EMBEDDING_WIDTH), Add={}))


def _normal(rng: np.random.Generator, *shape: int) -> FloatArray:
    return rng.standard_normal(shape, np.float32)


def _dense(graph: GraphWriter, x: int, kernel: FloatArray, rows: int = 1, bias: FloatArray | None = None) -> int:
    inputs = [x, graph.constant(kernel)]
    if bias is not None:
        inputs.append(graph.constant(np.asarray(bias, np.float32)))
    return graph.op("FULLY_CONNECTED", inputs, (rows, len(kernel)), FullyConnected={})


def _reshape(graph: GraphWriter, x: int, shape: Sequence[int]) -> int:
    target = graph.constant(np.array(shape, np.int32))
    return graph.op("RESHAPE", (x, target), shape, Reshape={"newShape": list(shape)})


def _reduce(graph: GraphWriter, code: str, x: int, shape: Sequence[int]) -> int:
    """Over axis 1."""
    return graph.op(code, (x, graph.constant(np.array([1], np.int32))), shape, Reducer={"keepDims": False})


def _unit(graph: GraphWriter, x: int) -> int:
    return graph.op("L2_NORMALIZATION", (x,), (1, EMBEDDING_WIDTH), L2Norm={})
