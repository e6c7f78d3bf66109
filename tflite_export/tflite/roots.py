"""Several .tflite files over one pool of weights: one flatbuffer with a root for each of them.

A flatbuffer is built from its end. First come the constants of all files, each once; then, in front of
them, the tables of one file and its root, then those of the next. From its root to the end each file
is an ordinary .tflite, which unmodified interpreters run where it lies. Nothing is copied, and a file
whose weights are another's costs its tables alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tfelastic_runtime.variant import ALIGNMENT

from tflite_export.errors import PackError
from tflite_export.tflite.schema import FILE_IDENTIFIER, generated
from tflite_export.tflite.strip import without_names
from tflite_export.tflite.summary import summarize


@dataclass(frozen=True)
class Roots:
    """Files that share their constants.

    Attributes:
        data: The flatbuffer, a multiple of 16 bytes; the first file begins where it does.
        offsets: Where each file begins; all of them end where the data do.
    """

    data: bytes
    offsets: tuple[int, ...]

    def model(self, index: int) -> bytes:
        """Return one of the files."""
        return self.data[self.offsets[index] :]


def with_roots(models: Sequence[bytes]) -> Roots:
    """Lay files over one pool of constants.

    Names and signatures stay behind: interpreters on microcontrollers read none of them. Of the metadata each file
    keeps its memory plan.

    Args:
        models: The .tflite files; equal constants in them are stored once.

    Raises:
        ConversionError: A file is no .tflite.
        PackError: A file has constants outside its flatbuffer.
    """
    import flatbuffers  # type: ignore[import-untyped]

    builder = flatbuffers.Builder(sum(map(len, models)) + 1024)
    shared = _Shared(builder)
    files = [_stripped(model) for model in models]
    for file in files:
        shared.take(file)
    ends = []
    for file in reversed(files):
        builder.Finish(file.Pack(builder), FILE_IDENTIFIER)
        ends.append(builder.Offset())
    data = bytes(builder.Output())
    return Roots(data, tuple(len(data) - end for end in reversed(ends)))


@dataclass(frozen=True)
class _Packed:
    """Stands in a file's tree for what is in the builder already."""

    offset: int

    def Pack(self, builder: Any) -> int:  # noqa: N802 (the schema's classes call it so)
        return self.offset


class _Shared:
    """Constants and scales in the builder, each once."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._schema = generated()
        self._packed: dict[Hashable, _Packed] = {}
        self._empty = _Packed(self._schema.BufferT().Pack(builder))

    def take(self, file: Any) -> None:
        """Put a file's constants and scales into the builder, and what stands for them in the file."""
        tensors = [tensor for graph in file.subgraphs for tensor in graph.tensors]
        read = {each.buffer for each in (*tensors, *(file.metadata or ()))}
        file.buffers = [
            self._constant(buffer) if index in read else self._empty
            for index, buffer in enumerate(file.buffers)
        ]
        for tensor in tensors:
            if tensor.quantization is not None:
                tensor.quantization = self._scales(tensor.quantization)

    def _constant(self, buffer: Any) -> _Packed:
        if buffer.offset > 1:
            raise PackError("a .tflite with constants outside its flatbuffer cannot be embedded")
        if buffer.data is None or not len(buffer.data):
            return self._empty
        data = np.asarray(buffer.data, np.uint8).tobytes()
        if data not in self._packed:
            vector = self._vector(data)
            self._schema.BufferStart(self._builder)
            self._schema.BufferAddData(self._builder, vector)
            self._packed[data] = _Packed(self._schema.BufferEnd(self._builder))
        return self._packed[data]

    def _vector(self, data: bytes) -> int:
        """Write a constant, aligned as kernels want it; return its offset."""
        self._builder.StartVector(1, len(data), ALIGNMENT)
        self._builder.head -= len(data)
        self._builder.Bytes[self._builder.head : self._builder.head + len(data)] = data
        end: int = self._builder.EndVector()
        return end

    def _scales(self, quantization: Any) -> _Packed:
        """Write scales and zero points; the ranges seen in training stay behind."""
        quantization.min = quantization.max = None
        if quantization.details is not None:
            return _Packed(quantization.Pack(self._builder))
        parts = (quantization.scale, quantization.zeroPoint)
        key = (
            *(None if part is None else np.asarray(part).tobytes() for part in parts),
            quantization.quantizedDimension,
        )
        if key not in self._packed:
            self._packed[key] = _Packed(quantization.Pack(self._builder))
        return self._packed[key]


def _stripped(model: bytes) -> Any:
    """Return a file's tree without names, signatures, open shapes and metadata, but for a memory plan."""
    summarize(model)
    tree = without_names(model)
    for graph in tree.subgraphs:
        for tensor in graph.tensors:
            tensor.shapeSignature = None
    return tree
