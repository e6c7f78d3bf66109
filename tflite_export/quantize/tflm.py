"""Runs .tflite files through TensorFlow Lite for Microcontrollers, in a process of its own.

On some files the interpreter crashes, and a crash must become a report.
"""

import io
import subprocess
import sys

import numpy as np

from tflite_export.errors import DeviceError

ARENA_BYTES = 1 << 27
"""Far more than any network for microcontrollers needs; an arena that is too small can end in a crash."""

LAST_WORDS = 500

# Reads a .npz with the file's bytes and its inputs; writes the outputs as a .npy.
_PROGRAM = """
import io, sys
import numpy as np
from tflite_micro import runtime

given = np.load(io.BytesIO(sys.stdin.buffer.read()))
interpreter = runtime.Interpreter.from_bytes(given["tflite"].tobytes(), arena_size=int(sys.argv[1]))
outputs = []
for image in given["inputs"]:
    interpreter.set_input(image[np.newaxis], 0)
    interpreter.invoke()
    outputs.append(interpreter.get_output(0)[0].copy())
np.save(sys.stdout.buffer, np.stack(outputs))
"""


def run(tflite: bytes, inputs: np.ndarray, *, timeout_s: float = 600) -> np.ndarray:
    """Run a file in TFLM, one input after the other.

    Args:
        tflite: The file's bytes.
        inputs: In the input tensor's own type, `[count, height, width, channels]`, as
            `LiteModel.encode` returns them.
        timeout_s: Seconds after which to give up.

    Returns:
        The output tensor as it is for each input, `[count, classes]`.

    Raises:
        DeviceError: TFLM cannot run the file, crashed on it, or did not end in time; or the package
            tflite-micro is missing. The text holds its last words.
    """
    given = io.BytesIO()
    np.savez(given, tflite=np.frombuffer(tflite, np.uint8), inputs=inputs)
    command = [sys.executable, "-c", _PROGRAM, str(ARENA_BYTES)]
    try:
        done = subprocess.run(
            command, input=given.getvalue(), capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"TFLM did not end within {timeout_s:g} seconds") from error
    if done.returncode:
        how = f"crashed (signal {-done.returncode})" if done.returncode < 0 else "failed"
        words = done.stderr.decode(errors="replace").strip()[-LAST_WORDS:]
        raise DeviceError(f"TFLM {how} on the file: {words or 'it said nothing'}")
    outputs: np.ndarray = np.load(io.BytesIO(done.stdout), allow_pickle=False)
    return outputs
