# SPDX-License-Identifier: Apache-2.0
"""LiteRT files in the place of MusicCoCa's that give back what they are given, so that tests see what goes in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from segue_engine.styles.musiccoca.flatbuffer import GraphWriter


def _reshape(graph: GraphWriter, x: int, shape: Sequence[int], dtype: Any = np.float32) -> int:
    target = graph.constant(np.array(shape, np.int32))
    return graph.op("RESHAPE", (x, target), shape, dtype, Reshape={"newShape": list(shape)})


def _slice(graph: GraphWriter, x: int, begin: Sequence[int], size: Sequence[int]) -> int:
    places = graph.constant(np.array(begin, np.int32)), graph.constant(np.array(size, np.int32))
    return graph.op("SLICE", (x, *places), size, Slice={})


def text_probe(shape: Sequence[int] = (1, 128), ids_first: bool = True) -> bytes:
    """Embedding = the 128 ids, the 128 paddings, zeros."""
    graph = GraphWriter("probe")
    if ids_first:
        ids, paddings = graph.input("ids", shape, np.int32), graph.input("paddings", shape)
    else:
        paddings, ids = graph.input("paddings", shape), graph.input("ids", shape, np.int32)
    numbers = graph.constant(np.arange(5_000, dtype=np.float32))
    as_floats = graph.op("GATHER", (numbers, ids), shape, Gather={"axis": 0})
    parts = [_reshape(graph, x, (1, 128)) for x in (as_floats, paddings)]
    parts.append(graph.constant(np.zeros((1, 512), np.float32)))
    return graph.finish(graph.op("CONCATENATION", parts, (1, 768), Concatenation={"axis": 1}))


def mapper_probe() -> bytes:
    """Embedding · 0 + noise."""
    graph = GraphWriter("probe")
    embedding, noise = graph.input("embedding", (1, 768)), graph.input("noise", (1, 768))
    nothing = graph.op("MUL", (embedding, graph.constant(np.zeros((1, 1), np.float32))), (1, 768), Mul={})
    return graph.finish(graph.op("ADD", (nothing, noise), (1, 768), Add={}))


def preprocessor_probe(shape: Sequence[int] = (1, 1000, 160)) -> bytes:
    """Features = the samples, in another shape."""
    graph = GraphWriter("probe")
    return graph.finish(_reshape(graph, graph.input("samples", (160_000,)), shape))


def music_probe(begin: int) -> bytes:
    """Embedding = 768 of the 160,000 features, from `begin` on."""
    graph = GraphWriter("probe")
    features = _reshape(graph, graph.input("features", (1, 1000, 160)), (1, 160_000))
    return graph.finish(_slice(graph, features, (0, begin), (1, 768)))


def quantiser_probe(offset: int = 0, dtype: Any = np.int32) -> bytes:
    """16 codes, each the place of the largest of 48 numbers, plus an offset."""
    graph = GraphWriter("probe")
    blocks = _reshape(graph, graph.input("embedding", (768,)), (16, 48))
    axis = graph.constant(np.array(1, np.int32))
    kind = {np.int32: 2, np.int64: 4}[dtype]
    codes = graph.op("ARG_MAX", (blocks, axis), (16,), dtype, ArgMax={"outputType": kind})
    return graph.finish(graph.op("ADD", (codes, graph.constant(np.full(16, offset, dtype))), (16,), dtype, Add={}))


def pass_through(*inputs: tuple[Sequence[int], Any], outputs: int = 1, width: int = 768) -> bytes:
    """A file with these inputs and so many outputs [1, width] of zeros, for signatures that are wrong."""
    graph = GraphWriter("probe")
    for place, (shape, dtype) in enumerate(inputs):
        graph.input(f"in{place}", shape, dtype)
    zeros = graph.constant(np.zeros((1, width), np.float32))
    return graph.finish(*(graph.op("ADD", (zeros, zeros), (1, width), Add={}) for _ in range(outputs)))


def with_open_batch(content: bytes) -> bytes:
    """The file with the first extent of its outputs declared as not fixed, as exports with a batch axis have it."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    graph = model.subgraphs[0]
    for index in graph.outputs:
        graph.tensors[index].shapeSignature = [-1, *graph.tensors[index].shape[1:]]
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
