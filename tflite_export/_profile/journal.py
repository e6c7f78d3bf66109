"""What was measured on one phone so far, a line each, so that the same command resumes after any fault."""

import json
import os
from pathlib import Path
from typing import Any


class Journal:
    """A file of JSON lines, by key; appended to and flushed after each measurement.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, dict[str, Any]] = {}
        if path.is_file():
            for line in path.read_text(errors="replace").splitlines():
                try:
                    entry = json.loads(line)
                    self._found[entry["key"]] = entry["value"]
                except (ValueError, KeyError, TypeError):
                    # A process that was killed leaves half a line behind: that measurement is made again.
                    continue

    def get(self, key: str) -> dict[str, Any] | None:
        """Return what was measured under a key, if it was."""
        return self._found.get(key)

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Keep a measurement."""
        self._found[key] = value
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            # A half line before this one must not take it along.
            file.write("\n" + json.dumps({"key": key, "value": value}) + "\n")
            file.flush()
            os.fsync(file.fileno())
