"""The .tflite file format: the one room that knows its schema.

`summary` reads what a file says of itself, `operators` lists what it computes, `graph` says how large each tensor is,
`constants` finds its weights, `arrange` orders its inputs and outputs, `integer_forms` replaces what integers cannot
express, `memory_plan` reads and writes where TFLM puts each tensor, `strip` leaves out what no device reads, `split`
takes a file apart, and `roots` lays several over one pool of constants. Files are bytes everywhere else.
"""

from tflite_export.tflite.arrange import arrange, input_order
from tflite_export.tflite.constants import Buffer, Kernel, Values, buffers, kernels
from tflite_export.tflite.graph import Graph, GraphOperator, GraphTensor, read_graph
from tflite_export.tflite.integer_forms import with_integer_forms
from tflite_export.tflite.memory_plan import UNPLANNED, read_memory_plan, with_memory_plan
from tflite_export.tflite.operators import Operator, operators
from tflite_export.tflite.roots import Roots, with_roots
from tflite_export.tflite.schema import BUFFER_ALIGNMENT, FILE_IDENTIFIER
from tflite_export.tflite.split import split
from tflite_export.tflite.strip import strip
from tflite_export.tflite.summary import Summary, Tensor, summarize

__all__ = [
    "BUFFER_ALIGNMENT",
    "FILE_IDENTIFIER",
    "UNPLANNED",
    "Buffer",
    "Graph",
    "GraphOperator",
    "GraphTensor",
    "Kernel",
    "Operator",
    "Roots",
    "Summary",
    "Tensor",
    "Values",
    "arrange",
    "buffers",
    "input_order",
    "kernels",
    "operators",
    "read_graph",
    "read_memory_plan",
    "split",
    "strip",
    "summarize",
    "with_integer_forms",
    "with_memory_plan",
    "with_roots",
]
