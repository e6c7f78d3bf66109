"""Which operations may write where they read.

The planners of TFLM give every output memory of its own. An elementwise kernel, which reads the values of a position
before it writes there and never again, needs none where its input dies with the operation: the output is laid over it.

`IN_PLACE` lists the operators whose kernels do so. How each was checked is in docs/arena.md: the reference kernels by
running every one of them in place through the tflite-micro wheel, those of CMSIS-NN and ESP-NN by reading them.
"""

from collections.abc import Callable, Mapping

from tflite_export.tflite import Graph, GraphOperator

_NAMES = """
    ABS ADD CEIL COS DIV ELU EXP EXPAND_DIMS FLOOR HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MINIMUM MUL NEG PRELU
    QUANTIZE RELU RELU6 RESHAPE ROUND RSQRT SIN SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE SUB TANH
"""

IN_PLACE = frozenset(_NAMES.split())

Preference = Callable[[tuple[int, int]], float]
"""Of several inputs that die, the one whose first and last moment give the smallest number is overwritten."""


def oldest(life: tuple[int, int]) -> float:
    """Prefer the input that was written first."""
    return life[0]


def youngest(life: tuple[int, int]) -> float:
    """Prefer the input that was written last."""
    return -life[0]


def overlays(
    graph: Graph, lives: Mapping[int, tuple[int, int]], *, prefer: Preference
) -> dict[int, int]:
    """Return the tensors that can be written over one that dies, each with that one, in the order of execution.

    Args:
        graph: The file's graph.
        lives: The first and the last moment of each tensor in the arena.
        prefer: Which of several to write over.
    """
    found: dict[int, int] = {}
    for moment, operator in enumerate(graph.operators, start=1):
        # What the graph returns is still read when the last operation is done.
        dying = [
            tensor
            for tensor in operator.inputs
            if tensor in lives and lives[tensor][1] == moment and tensor not in graph.outputs
        ]
        fitting = [tensor for tensor in dying if _fits(graph, operator, tensor)]
        if fitting and operator.outputs[0] in lives:
            found[operator.outputs[0]] = min(fitting, key=lambda tensor: prefer(lives[tensor]))
    return found


def _fits(graph: Graph, operator: GraphOperator, tensor: int) -> bool:
    """Return whether an operator may write over an input: as many values of the same size, so none is repeated."""
    if operator.name not in IN_PLACE or len(operator.outputs) != 1:
        return False
    before, after = graph.tensors[tensor], graph.tensors[operator.outputs[0]]
    return before.elements == after.elements and before.bytes == after.bytes
