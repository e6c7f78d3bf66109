"""The library also holds on Keras' JAX backend, on a machine without tensorflow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tfelastic

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("jax_backend.py")


def test_holds_on_jax_where_tensorflow_cannot_be_imported() -> None:
    root = str(Path(tfelastic.__file__).parents[1])
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": root}
    ran = subprocess.run(
        [sys.executable, SCRIPT], capture_output=True, text=True, env=environment, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "holds on jax\n"
