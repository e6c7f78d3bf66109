"""Runs the side of a benchmark that needs PyTorch, in an environment of its own."""

import json
import subprocess
from collections.abc import Sequence
from typing import Any


def answer_of_torch(command: Sequence[str]) -> Any:
    """Return what a program prints as its last line, JSON; `None` where it lacks a module.

    Raises:
        RuntimeError: The program failed for another reason.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if "ModuleNotFoundError" in done.stderr:
        return None
    raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
