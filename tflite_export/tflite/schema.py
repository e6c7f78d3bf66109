"""TFLite's generated schema classes: the one module that imports them, and how a file is read and written.

A file is read as *tables*, views that decode nothing before it is asked for, or as a *tree* of Python objects
that can be changed and written again.
"""

import functools
from types import ModuleType
from typing import Any

FILE_IDENTIFIER = b"TFL3"

BUFFER_ALIGNMENT = 16


def generated() -> ModuleType:
    """Return the module of generated classes; importing it takes a tenth of a second."""
    from ai_edge_litert import schema_py_generated

    module: ModuleType = schema_py_generated
    return module


def read_tables(tflite: bytes | bytearray) -> Any:
    """Return a file's `Model` table."""
    return generated().Model.GetRootAs(tflite)


def read_tree(tflite: bytes) -> Any:
    """Return a file as a tree, a `ModelT`, which can be changed."""
    return generated().ModelT.InitFromObj(read_tables(tflite))


def pack(tree: Any) -> bytes:
    """Write a tree as a file, its buffers aligned to 16 bytes."""
    import flatbuffers  # type: ignore[import-untyped]

    class Aligned(flatbuffers.Builder):
        """Aligns vectors of bytes, which are the buffers, as the schema demands; Python's own does not."""

        def StartVector(self, size: int, count: int, alignment: int) -> Any:  # noqa: N802
            return super().StartVector(size, count, BUFFER_ALIGNMENT if size == 1 else alignment)

    builder = Aligned(1024)
    builder.Finish(tree.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def operator_name(code: Any) -> str:
    """Return the schema's name of an operator code in a table; a custom one is `CUSTOM:` and its own name."""
    return _operator_name(code.CustomCode(), code.BuiltinCode(), code.DeprecatedBuiltinCode())


def code_name(code: Any) -> str:
    """Return `operator_name` of an operator code in a tree."""
    return _operator_name(code.customCode, code.builtinCode, code.deprecatedBuiltinCode)


def _operator_name(custom: bytes | None, code: int, deprecated_code: int) -> str:
    if custom is not None:
        return "CUSTOM:" + custom.decode()
    # Codes up to 127 stand in the older, one-byte field, later ones in the newer field.
    return _names("BuiltinOperator")[max(code, deprecated_code)]


def type_name(tensor: Any) -> str:
    """Return a tensor's type as numpy calls it: `"int8"`, `"float32"`."""
    return type_name_of(tensor.Type())


def type_name_of(number: int) -> str:
    """Return what numpy calls a type that the schema numbers so."""
    return _names("TensorType")[number].lower()


@functools.cache
def _names(enum: str) -> dict[int, str]:
    members = vars(getattr(generated(), enum))
    return {value: name for name, value in members.items() if isinstance(value, int)}
