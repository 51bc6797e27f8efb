# SPDX-License-Identifier: Apache-2.0
"""Writes LiteRT files op by op, with the schema that LiteRT itself ships."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_TYPES: Final = {"float32": "FLOAT32", "int32": "INT32", "int64": "INT64"}
_ALIGNMENT: Final = 16
"""Bytes; kernels read constants in place."""


class GraphWriter:
    """A graph under construction. Tensors are numbers, and every op gives the number of the tensor it makes."""

    def __init__(self, description: str) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema: Any = schema
        self._description = description
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [self._buffer(b"")]  # buffer 0 stands for "no constant"
        self._operators: list[Any] = []
        self._codes: list[int] = []
        self._inputs: list[int] = []

    def input(self, name: str, shape: Sequence[int], dtype: DTypeLike = np.float32) -> int:
        """One more input of the graph."""
        self._inputs.append(self._tensor(shape, dtype, name))
        return self._inputs[-1]

    def constant(self, values: ArrayLike) -> int:
        """Weights f32 or indices i32."""
        array: NDArray[Any] = np.ascontiguousarray(values)
        self._buffers.append(self._buffer(array.tobytes()))
        return self._tensor(np.shape(values), array.dtype, "", len(self._buffers) - 1)

    def op(
        self, code: str, inputs: Sequence[int], shape: Sequence[int], dtype: DTypeLike = np.float32, **options: Any
    ) -> int:
        """A builtin operator by the schema's name. `options` is the name of its options table and that table's fields,
        as in `Reducer={"keepDims": True}`.
        """
        number = getattr(self._schema.BuiltinOperator, code)
        if number not in self._codes:
            self._codes.append(number)
        operator = self._schema.OperatorT()
        operator.opcodeIndex = self._codes.index(number)
        operator.inputs = list(inputs)
        output = self._tensor(shape, dtype)
        operator.outputs = [output]
        for table, fields in options.items():
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, f"{table}Options")
            operator.builtinOptions = getattr(self._schema, f"{table}OptionsT")()
            for field, value in fields.items():
                setattr(operator.builtinOptions, field, value)
        self._operators.append(operator)
        return output

    def finish(self, *outputs: int) -> bytes:
        """The file."""
        import flatbuffers

        graph = self._schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs, graph.name = self._inputs, list(outputs), "main"
        model = self._schema.ModelT()
        model.version, model.description = 3, self._description
        model.buffers, model.subgraphs = self._buffers, [graph]
        model.operatorCodes = [self._operator_code(number) for number in self._codes]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _tensor(self, shape: Sequence[int], dtype: DTypeLike, name: str = "", buffer: int = 0) -> int:
        tensor = self._schema.TensorT()
        tensor.shape, tensor.buffer = list(shape), buffer
        tensor.type = getattr(self._schema.TensorType, _TYPES[np.dtype(dtype).name])
        tensor.name = name or f"t{len(self._tensors)}"
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _operator_code(self, number: int) -> Any:
        code = self._schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = number
        return code

    def _buffer(self, data: bytes) -> Any:
        return _aligned_buffer(self._schema, data)


def _aligned_buffer(schema: Any, data: bytes) -> Any:
    """A buffer whose bytes begin at a multiple of 16, as the schema asks and its generated Python does not do."""

    class Aligned(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> int:  # noqa: N802
            vector = None
            if data:
                builder.StartVector(1, len(data), _ALIGNMENT)
                builder.head -= len(data)
                builder.Bytes[builder.head : builder.head + len(data)] = data
                vector = builder.EndVector()
            schema.BufferStart(builder)
            if vector is not None:
                schema.BufferAddData(builder, vector)
            return int(schema.BufferEnd(builder))

    return Aligned()
