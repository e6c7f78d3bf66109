"""How much memory TensorFlow Lite for Microcontrollers needs for a .tflite, measured on this machine.

The interpreter runs in a process of its own: on some files it crashes, and a crash must become a report.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tflite_export.errors import ProfileError

ALIGNMENT = 16

# Reads a .tflite from standard input; writes the smallest arena to standard output, and TFLM's own account of the
# arena to standard error.
_PROGRAM = """
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
details = interpreter.get_input_details(0)
interpreter.set_input(np.zeros(details["shape"], details["dtype"]), 0)
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


def measure_arena(tflite: bytes, *, largest: int = 1 << 28, timeout_s: float = 120) -> ArenaReport:
    """Measure the arena that TFLM needs, by giving it ever less and asking it what it used.

    Args:
        tflite: The file's bytes.
        largest: The largest arena to try, in bytes.
        timeout_s: Seconds after which to give up.

    Raises:
        ProfileError: TFLM cannot run the file (an operator that it lacks, several signatures), crashed on it, or did
            not end in time; the text holds its last words.

    Example:
        >>> report = measure_arena(tx.convert(model, scheme="int8", samples=samples))  # doctest: +SKIP
    """
    command = [sys.executable, "-c", _PROGRAM, str(largest), str(ALIGNMENT)]
    try:
        done = subprocess.run(
            command, input=tflite, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ProfileError(f"TFLM did not end within {timeout_s:g} seconds") from error
    words = done.stderr.decode(errors="replace")
    if done.returncode:
        how = f"crashed (signal {-done.returncode})" if done.returncode < 0 else "failed"
        raise ProfileError(f"TFLM {how} on the file: {words.strip()[-500:] or 'it said nothing'}")
    account = {part: int(size) for part, size in _ACCOUNT.findall(words.rpartition("ACCOUNT")[2])}
    if account.keys() != {"total", "head", "tail"}:
        raise ProfileError(f"TFLM gave no account of its arena: {words.strip()[-500:]}")
    return ArenaReport(json.loads(done.stdout), account["head"], account["tail"])
