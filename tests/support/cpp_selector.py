"""The C++ selector of phones and hosts: its test programs, and the real LiteRT for them."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import ai_edge_litert
import numpy as np
from tfelastic_runtime import Bundle, Runner

from tests.support.cpp_driver import compiled

LITERT = Path(ai_edge_litert.__file__).with_name("libLiteRt.so")
"""The C library that the pinned wheel brings."""
KERNELS = ("xnnpack", "builtin")
Inputs = Mapping[str, np.ndarray]


class Interpreters:
    """The program that runs every variant of a bundle in LiteRT, compiled in a folder."""

    def __init__(self, folder: Path) -> None:
        self._program = compiled(folder, "interpreters.cc", "-O1", "-pthread")

    def ask(self, mode: str, bundle: Path, kernels: str, given: bytes = b"") -> list[str]:
        """Return the program's lines."""
        done = subprocess.run(
            [str(self._program), mode, str(bundle), str(LITERT), kernels],
            input=given,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().splitlines()

    def check(self, path: Path, kernels: str, sets: Sequence[Inputs]) -> None:
        """Compare every output of every variant with Python's, bit by bit."""
        bundle = Bundle.open(path)
        given = b"".join(
            values[spec.name].astype(np.uint8 if spec.kind == "image" else np.float32).tobytes()
            for values in sets
            for spec in bundle.manifest.inputs
        )
        lines = self.ask("run", path, kernels, given)
        for variant, line in zip(bundle.variants, lines, strict=True):
            runner = Runner(bundle, variant.name, xnnpack=kernels == "xnnpack")
            found = [runner.run(values) for values in sets]
            assert len({hexadecimal(bundle, outputs) for outputs in found}) > 1
            assert line == "".join(hexadecimal(bundle, outputs) for outputs in found), variant.name


def hexadecimal(bundle: Bundle, outputs: Mapping[str, np.ndarray]) -> str:
    """Return all outputs' bytes in the manifest's order."""
    return "".join(outputs[spec.name].tobytes().hex() for spec in bundle.manifest.outputs)


def random_inputs(bundle: Bundle, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return pixels of any value, and numbers around 0."""
    return {
        spec.name: rng.integers(0, 256, spec.shape[1:], np.uint8)
        if spec.kind == "image"
        else rng.normal(0, 2, spec.shape[1:]).astype(np.float32)
        for spec in bundle.manifest.inputs
    }
