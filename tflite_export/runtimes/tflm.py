"""TensorFlow Lite for Microcontrollers: runs .tflite files, and measures the memory that they need.

The interpreter runs in a process of its own: on some files it crashes, and a crash must become an error.
"""

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tflite_export.child_process import Ended, run_python
from tflite_export.errors import ConversionError, DeviceError, ProfileError
from tflite_export.tflite import summarize

ARENA_BYTES = 1 << 27
"""Far more than any network for microcontrollers needs; an arena that is too small can end in a crash."""

ALIGNMENT = 16

# Reads a .npz with the file's bytes and its inputs; writes the outputs as a .npz to standard output, and TFLM's own
# account of the arena to standard error.
_INFERENCE = """
import io, sys
import numpy as np
from tflite_micro import runtime

given = np.load(io.BytesIO(sys.stdin.buffer.read()))
interpreter = runtime.Interpreter.from_bytes(given["tflite"].tobytes(), arena_size=int(sys.argv[1]))
inputs = [given[f"input{index}"] for index in range(len(given.files) - 1)]
outputs = []
for sample in zip(*inputs):
    for index, values in enumerate(sample):
        interpreter.set_input(values[np.newaxis], index)
    interpreter.invoke()
    outputs.append([interpreter.get_output(i)[0].copy() for i in range(int(sys.argv[2]))])
sys.stderr.write("ACCOUNT\\n")
sys.stderr.flush()
interpreter.print_allocations()
np.savez(sys.stdout.buffer, *map(np.stack, zip(*outputs)))
"""

# Reads a .tflite from standard input; writes the smallest arena to standard output, and TFLM's own account of the
# arena to standard error.
_MEASUREMENT = """
import json, os, sys
import numpy as np
from tflite_micro import runtime

def fails(size):
    # In a process of its own: some arenas that are too small end in a crash.
    child = os.fork()
    if child == 0:
        try:
            runtime.Interpreter.from_bytes(tflite, arena_size=size)
        except RuntimeError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]

tflite, largest, step = sys.stdin.buffer.read(), int(sys.argv[1]), int(sys.argv[2])
enough = min(1 << 16, largest)
while enough < largest and fails(enough):
    enough = min(2 * enough, largest)
if status := fails(enough):
    crash = f"; the last try crashed with signal {status & 127}" if status & 127 else ""
    sys.exit(f"no arena up to {enough:,} bytes is large enough{crash}")
lacking = 0
while enough - lacking > step:
    middle = (lacking + enough) // (2 * step) * step
    if fails(middle):
        lacking = middle
    else:
        enough = middle
interpreter = runtime.Interpreter.from_bytes(tflite, arena_size=2 * enough)
for index in range(int(sys.argv[3])):
    details = interpreter.get_input_details(index)
    interpreter.set_input(np.zeros(details["shape"], details["dtype"]), index)
interpreter.invoke()
sys.stderr.write("ACCOUNT\\n")
sys.stderr.flush()
interpreter.print_allocations()
print(json.dumps(enough))
"""

_ACCOUNT = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


@dataclass(frozen=True)
class ArenaReport:
    """What TFLM needs for one .tflite on a 64-bit host; 32-bit pointers take a little less.

    Attributes:
        arena_bytes: The smallest arena in which the file can be run, to 16 bytes.
        activation_bytes: The part that holds the values between operations.
        persistent_bytes: The part that holds the interpreter's own tables.
    """

    arena_bytes: int
    activation_bytes: int
    persistent_bytes: int

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 0:
                raise ProfileError(f"an arena's {name} cannot be negative, got {value!r}")

    def to_json(self) -> dict[str, int]:
        """Return the sizes as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ArenaReport":
        """Read what `to_json` wrote."""
        return cls(**data)

    def __str__(self) -> str:
        return (
            f"{self.arena_bytes:,} bytes of arena: {self.activation_bytes:,} for activations, "
            f"{self.persistent_bytes:,} for tables"
        )


@dataclass(frozen=True, eq=False)
class Inferences:
    """What TFLM computed, and what it took.

    Attributes:
        outputs: The output tensors as they are, `[count, ...]` each.
        activation_bytes: The part of the arena that held the values between operations.
    """

    outputs: tuple[np.ndarray, ...]
    activation_bytes: int


def run(
    tflite: bytes, inputs: Sequence[np.ndarray], *, timeout_s: float = 600
) -> tuple[np.ndarray, ...]:
    """Run a file in TFLM, one sample after the other, and return its outputs; `infer` says more."""
    return infer(tflite, inputs, timeout_s=timeout_s).outputs


def infer(tflite: bytes, inputs: Sequence[np.ndarray], *, timeout_s: float = 600) -> Inferences:
    """Run a file in TFLM, one sample after the other.

    Args:
        tflite: The file's bytes.
        inputs: One array `[count, ...]` per input, in the tensor's own type, as `LiteModel.encode` returns them.
        timeout_s: Seconds after which to give up.

    Raises:
        DeviceError: TFLM cannot run the file, crashed on it, or did not end in time; or the package
            tflite-micro is missing. The text holds its last words.
    """
    given, outputs = io.BytesIO(), len(summarize(tflite).outputs)
    arrays: dict[str, Any] = {f"input{index}": array for index, array in enumerate(inputs)}
    np.savez(given, tflite=np.frombuffer(tflite, np.uint8), **arrays)
    arguments = [str(ARENA_BYTES), str(outputs)]
    ended = _run(_INFERENCE, arguments, given=given.getvalue(), timeout_s=timeout_s)
    with np.load(io.BytesIO(ended.output), allow_pickle=False) as found:
        computed = tuple(found[f"arr_{index}"] for index in range(outputs))
    return Inferences(computed, _account(ended)["head"])


def measure_arena(tflite: bytes, *, largest: int = 1 << 28, timeout_s: float = 120) -> ArenaReport:
    """Measure the arena that TFLM needs, by giving it ever less and asking it what it used.

    Args:
        tflite: The file's bytes.
        largest: The largest arena to try, in bytes.
        timeout_s: Seconds after which to give up.

    Raises:
        DeviceError: TFLM cannot run the file (an operator that it lacks, several signatures), crashed on it, or did
            not end in time; the text holds its last words.

    Examples:
        >>> report = measure_arena(tx.convert(model, scheme="int8", samples=samples))
    """
    try:
        inputs = len(summarize(tflite).inputs)
    except ConversionError as error:
        raise DeviceError(f"TFLM failed: {error}") from error
    arguments = [str(largest), str(ALIGNMENT), str(inputs)]
    ended = _run(_MEASUREMENT, arguments, given=tflite, timeout_s=timeout_s)
    account = _account(ended)
    return ArenaReport(json.loads(ended.output), account["head"], account["tail"])


def _account(ended: Ended) -> dict[str, int]:
    """Return how large the parts of the arena were, as TFLM prints it."""
    found = _ACCOUNT.findall(ended.errors.rpartition("ACCOUNT")[2])
    account = {part: int(size) for part, size in found}
    if account.keys() != {"total", "head", "tail"}:
        raise DeviceError(f"TFLM gave no account of its arena: {ended.errors.strip()[-500:]}")
    return account


def _run(program: str, arguments: list[str], *, given: bytes, timeout_s: float) -> Ended:
    ended = run_python(program, arguments, given=given, timeout_s=timeout_s)
    if ended.failure:
        raise DeviceError(f"TFLM {ended.failure}")
    return ended
