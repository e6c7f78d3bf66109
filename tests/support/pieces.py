"""Pieces of work for workers; this module imports nothing heavy, since each worker imports it."""

import os
import signal
from pathlib import Path


def noted(folder: Path, item: int) -> int:
    """Note that an item was computed, and return its square; the process that first comes to item 3 is killed there."""
    killed = folder / "killed"
    if item == 3 and not killed.exists():
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with open(folder / "computed", "a", encoding="utf-8") as file:
        file.write(f"{item} {os.getpid()}\n")
    return item * item


def refuse(item: int) -> int:
    """Raise an error."""
    raise LookupError(f"item {item} is nowhere")
