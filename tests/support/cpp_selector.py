"""The C++ selector of phones and hosts: its test programs, and the real LiteRT for them."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import ai_edge_litert
import numpy as np
import pymicro_wakeword
from tfelastic_runtime import Bundle, Runner

from tests.support.cpp_driver import compiled

LITERT = Path(ai_edge_litert.__file__).with_name("libLiteRt.so")
"""The C library that the pinned wheel brings."""
LIBRARIES = {
    "litert": LITERT,
    "tflite": Path(pymicro_wakeword.__file__).parent / "lib" / "libtensorflowlite_c.so",
}
"""The C libraries that pinned wheels bring; the second one is TensorFlow Lite 2.17.1."""
KERNELS = ("xnnpack", "builtin")
Inputs = Mapping[str, np.ndarray]


class Interpreters:
    """The program that runs every variant of a bundle in a C library, compiled in a folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._program = compiled(folder, "interpreters.cc", "-pthread", *options)

    def ask(
        self, mode: str, bundle: Path, kernels: str, *, runtime: str = "litert", given: bytes = b""
    ) -> list[str]:
        """Return the program's lines."""
        done = self._run(mode, bundle, runtime, LIBRARIES[runtime], kernels, given=given)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().splitlines()

    def refused(self, bundle: Path, runtime: str, library: Path) -> str:
        """Return why a library serves as no such runtime."""
        done = self._run("run", bundle, runtime, library, "xnnpack")
        assert done.returncode == 1
        return done.stderr.decode()

    def check(
        self, path: Path, kernels: str, sets: Sequence[Inputs], *, runtime: str = "litert"
    ) -> None:
        """Compare every output of every variant with Python's, bit by bit.

        XNNPACK's float kernels of another version sum in another order: TFLite's may differ by that.
        """
        bundle = Bundle.open(path)
        given = b"".join(
            values[spec.name].astype(np.uint8 if spec.kind == "image" else np.float32).tobytes()
            for values in sets
            for spec in bundle.manifest.inputs
        )
        lines = self.ask("run", path, kernels, runtime=runtime, given=given)
        for variant, line in zip(bundle.variants, lines, strict=True):
            runner = Runner(bundle, variant.name, xnnpack=kernels == "xnnpack")
            found = [runner.run(values) for values in sets]
            assert len({hexadecimal(bundle, outputs) for outputs in found}) > 1
            expected = "".join(hexadecimal(bundle, outputs) for outputs in found)
            if (runtime, kernels, variant.scheme) == ("tflite", "xnnpack", "float32"):
                received, computed = (
                    np.frombuffer(bytes.fromhex(each), "<f4") for each in (line, expected)
                )
                np.testing.assert_allclose(received, computed, rtol=1e-5, atol=2e-6)
            else:
                assert line == expected, variant.name

    def _run(self, *arguments: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        words = [str(self._program), *map(str, arguments)]
        return subprocess.run(words, input=given, capture_output=True, check=False)


def hexadecimal(bundle: Bundle, outputs: Mapping[str, np.ndarray]) -> str:
    """Return all outputs' bytes in the manifest's order."""
    return "".join(outputs[spec.name].tobytes().hex() for spec in bundle.manifest.outputs)
