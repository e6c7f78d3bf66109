"""The folder of one run: its artefacts, and beside them what lets a killed run go on.

Artefacts lie at the top; `.state/` holds the lock, the record of finished stages and checkpoints.
Every file appears by one rename, so a kill at any moment leaves the old file or the new one, never
half of one. The lock is the kernel's: it goes when its process goes, however that ends.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.config import PipelineError, Recipe, differences

_FORMAT = 1


class WorkspaceError(PipelineError, ValueError):
    """A workspace is in use, belongs to another recipe, or lacks what it should hold."""


class Workspace:
    """One run's folder. `Workspace.open` makes one: it locks the folder and checks whose it is."""

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self.path = path
        self.recipe = recipe
        self._record: dict[str, Any] = {"format": _FORMAT, "recipe": recipe.to_json(), "stages": {}}

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: str | os.PathLike[str], recipe: Recipe) -> Iterator["Workspace"]:
        """Create or reopen the workspace at `path` for `recipe`; hold it until the context ends.

        Raises:
            WorkspaceError: Another process works in it, it holds a run of another recipe, or it is
                a folder of something else.
        """
        workspace = cls(Path(path), recipe)
        workspace._claim()
        with workspace._locked():
            workspace._read_record()
            for stage in workspace._record["stages"]:
                workspace._clear(stage)
            yield workspace

    @property
    def _state(self) -> Path:
        return self.path / ".state"

    def _claim(self) -> None:
        try:
            foreign = self.path.exists() and any(self.path.iterdir()) and not self._state.is_dir()
            if foreign:
                raise WorkspaceError(
                    f"{self.path} is not empty and holds no run of tfelastic; "
                    "choose another --workspace"
                )
            self._state.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"cannot use {self.path} as a workspace: {error.strerror}; "
                "choose another --workspace"
            ) from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with open(self._state / "lock", "a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip() or "unknown"
                raise WorkspaceError(
                    f"process {owner} is running in {self.path}; "
                    "wait until it ends, or choose another --workspace"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def _read_record(self) -> None:
        path = self._state / "run.json"
        if not path.exists():
            return
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.get("format") != _FORMAT:
            raise WorkspaceError(
                f"{self.path} was written in format {record.get('format')}, and this is {_FORMAT}; "
                "choose another --workspace"
            )
        changed = differences(record["recipe"], self.recipe.to_json())
        if changed:
            raise WorkspaceError(
                _of_another_recipe(self.path, record["recipe"], self.recipe, changed)
            )
        stages = {name: entry for name, entry in record["stages"].items() if self._holds(entry)}
        self._record = {**self._record, "stages": stages}

    def _holds(self, entry: Mapping[str, Any]) -> bool:
        return all((self.path / name).exists() for name in entry["files"])

    # Stages

    def finished(self, stage: str) -> bool:
        """Whether the stage was finished and every file that it left is still there."""
        entry = self._record["stages"].get(stage)
        return entry is not None and self._holds(entry)

    @property
    def finished_stages(self) -> tuple[str, ...]:
        """The stages that are finished, in the order in which they ended."""
        return tuple(stage for stage in self._record["stages"] if self.finished(stage))

    def results(self, stage: str) -> dict[str, Any]:
        """Return what a finished stage reported."""
        results: dict[str, Any] = self._record["stages"][stage]["results"]
        return results

    def seconds(self, stage: str) -> float:
        """Return how long a finished stage took, earlier tries that it went on from included."""
        return float(self._record["stages"][stage]["seconds"])

    def finish(
        self, stage: str, *, files: tuple[str, ...], results: Mapping[str, Any], seconds: float
    ) -> None:
        """Record that the stage is finished; from here on it is not run again."""
        entry = {"files": list(files), "results": dict(results), "seconds": round(seconds, 3)}
        self._record["stages"][stage] = entry
        self._write_record()
        self._clear(stage)

    def forget(self, stages: Iterable[str]) -> None:
        """Take back that these stages are finished, and drop what they had begun."""
        for stage in stages:
            if self._record["stages"].pop(stage, None) is not None:
                self._write_record()
            self._clear(stage)

    def _clear(self, stage: str) -> None:
        shutil.rmtree(self._state / stage, ignore_errors=True)

    def _write_record(self) -> None:
        self.save_json(".state/run.json", self._record)

    # Files

    def save(self, name: str, write: Callable[[Path], object]) -> Path:
        """Let `write(path)` write a file, then put it at `name` in one step."""
        from tfelastic.files import atomic_write

        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(target) as temporary:
            write(temporary)
        return target

    def save_bytes(self, name: str, data: bytes) -> Path:
        """Put `data` at `name` in one step."""
        return self.save(name, lambda path: path.write_bytes(data))

    def save_text(self, name: str, text: str) -> Path:
        """Put `text`, as UTF-8, at `name` in one step."""
        return self.save_bytes(name, text.encode())

    def save_json(self, name: str, data: Any) -> Path:
        """Put `data`, as readable JSON, at `name` in one step."""
        return self.save_text(name, json.dumps(data, indent=2, allow_nan=False) + "\n")

    def begun(self, stage: str, name: str) -> str:
        """Return the name for a file that a stage keeps only until it is finished."""
        return f".state/{stage}/{name}"


def read_metrics(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the metrics.json of the workspace at `path`.

    Raises:
        WorkspaceError: There is none, or it is not JSON.
    """
    file = Path(path) / "metrics.json"
    try:
        metrics: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise WorkspaceError(
            f"cannot read {file}: {error.strerror}; tfelastic run writes it as its last step"
        ) from None
    except ValueError as error:
        raise WorkspaceError(f"{file} is not valid JSON: {error}; run the recipe again") from None
    return metrics


def _of_another_recipe(
    path: Path, theirs: Mapping[str, Any], mine: Recipe, changed: Mapping[str, tuple[Any, Any]]
) -> str:
    held = json.dumps
    rows = [
        f"  {key}: {held(there)} there, {held(here)} asked for"
        for key, (there, here) in changed.items()
    ]
    return "\n".join(
        [
            f"{path} holds a run of another recipe ({theirs['name']!r} there, {mine.name!r} here):",
            *rows,
            "choose another --workspace, ask for the values it was made with, or delete the folder",
        ]
    )
