"""What the package offers, and what it does without."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import tfelastic_runtime
from tfelastic_runtime import errors

SCRIPT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"tensorflow", "keras", "jax", "tfelastic", "tflite_export"}:
            raise ImportError(f"the runtime must not import {name}")

sys.meta_path.insert(0, Refuse())

import tfelastic_runtime
bundle = tfelastic_runtime.Bundle.open(sys.argv[1])
assert "ai_edge_litert" not in sys.modules, "reading a bundle needs no interpreter"

import numpy as np
with tfelastic_runtime.Selector.open(bundle, budget_ms=1000) as selector:
    result = selector.run(np.zeros((4, 6, 3), np.uint8))
assert result.variant == "w100"
print("ran", result.label)
"""


def test_all_is_exact() -> None:
    public = {
        name
        for name, value in vars(tfelastic_runtime).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert sorted(tfelastic_runtime.__all__) == tfelastic_runtime.__all__ == sorted(public)


def test_every_public_name_is_documented() -> None:
    for name in tfelastic_runtime.__all__:
        assert inspect.getdoc(getattr(tfelastic_runtime, name)), name


def test_every_error_is_public_and_a_builtin() -> None:
    kinds = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and kind.__module__ == errors.__name__
    }
    assert set(kinds) <= set(tfelastic_runtime.__all__)
    base = kinds.pop("TfelasticRuntimeError")
    for name, kind in kinds.items():
        assert issubclass(kind, base)
        assert issubclass(kind, ValueError | RuntimeError)
        assert f"── {name} " in (errors.__doc__ or "")


def test_runs_without_tensorflow_and_keras(conformance: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(tfelastic_runtime.__file__).parents[1])}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(conformance / "golden.elastic")],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("ran ")
