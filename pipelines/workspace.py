"""The folder of one run: its artefacts, and beside them what lets a stopped run go on.

Artefacts lie at the top; `.state/` holds the lock, the record of finished stages and checkpoints.
Every file appears by one rename, so a kill at any moment leaves the old file or the new one, never
half of one. The lock is the kernel's: it goes when its process goes, however that ends.

The record keeps for each finished stage what it read (its inputs) and the digest of every file that it left, so
that the next run can tell which stages a change concerns.
"""

import contextlib
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import RecordError, WorkspaceError
from pipelines.records import Record, read_json

try:
    import fcntl
except ImportError:  # Windows has none.
    fcntl = None  # type: ignore[assignment]

_FORMAT = 2
_LOCKED_BYTE = 1 << 20


@dataclass(frozen=True)
class FinishedStage(Record):
    """What the record keeps of a stage.

    Attributes:
        summary: One line for people.
        inputs: What it read: recipe keys by value, files and the outcomes of earlier stages by digest.
        files: The sha256 of each file that it left, by the file's name.
        result: What it found, as plain data.
        seconds: How long it took, interrupted tries that it went on from included.
    """

    summary: str
    inputs: dict[str, Any]
    files: dict[str, str]
    result: dict[str, Any]
    seconds: float

    @property
    def digest(self) -> str:
        """The sha256 over what it left: what a stage that reads it depends on."""
        return digest_of_json({"files": self.files, "result": self.result})


@dataclass(frozen=True)
class _RunRecord(Record):
    format: int
    name: str
    stages: dict[str, FinishedStage] = field(default_factory=dict)
    started: dict[str, dict[str, Any] | str] = field(default_factory=dict)


class Workspace:
    """One run's folder.

    Args:
        path: The folder.
        name: The name of the recipe that it is for.
    """

    def __init__(self, path: str | os.PathLike[str], name: str) -> None:
        self.path = Path(path)
        self._record = _RunRecord(_FORMAT, name)
        self._read_record()

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: str | os.PathLike[str], name: str) -> Iterator["Workspace"]:
        """Create or reopen the workspace at `path` for the recipe `name`; hold it until the context ends.

        Raises:
            WorkspaceError: Another process works in it, it holds a run of another recipe, or it is
                a folder of something else.
        """
        _claim(Path(path))
        with _locked(Path(path)):
            workspace = cls(path, name)
            for stage in workspace._record.stages:
                if workspace.finished(stage):
                    workspace._clear(stage)
            yield workspace

    @property
    def _state(self) -> Path:
        return _state_of(self.path)

    def _read_record(self) -> None:
        path = self._state / "run.json"
        if not path.exists():
            return
        try:
            tree = read_json(path)
            written = tree.get("format") if isinstance(tree, Mapping) else None
            if written != _FORMAT:
                raise WorkspaceError(
                    f"{self.path} was written in format {written}, and this is {_FORMAT}; choose another --workspace"
                )
            record = _RunRecord.from_json(tree)
        except RecordError as error:
            raise WorkspaceError(
                f"the record of the run, {path}, is damaged: {error}; choose another --workspace, or delete the folder"
            ) from None
        if record.name != self._record.name:
            raise WorkspaceError(
                f"{self.path} holds a run of the recipe {record.name!r}, not of {self._record.name!r}; choose "
                "another --workspace, or delete the folder"
            )
        self._record = record

    # Stages

    def finished(self, stage: str) -> bool:
        """Whether the stage was finished and every file that it left is still as it left it."""
        entry = self._record.stages.get(stage)
        return entry is not None and all(
            self._digest_of(name) == digest for name, digest in entry.files.items()
        )

    def _digest_of(self, name: str) -> str | None:
        path = self.path / name
        return digest_of_file(path) if path.is_file() else None

    def entry(self, stage: str) -> FinishedStage | None:
        """Return what is known of a stage that was finished, be its files still there or not."""
        return self._record.stages.get(stage)

    def finish(
        self,
        stage: str,
        summary: str,
        *,
        inputs: Mapping[str, Any],
        files: Sequence[str],
        result: Mapping[str, Any],
        seconds: float,
    ) -> None:
        """Record that the stage is finished; while its inputs stay as they are, it is not run again."""
        digests = {name: digest_of_file(self.path / name) for name in files}
        entry = FinishedStage(summary, dict(inputs), digests, dict(result), round(seconds, 3))
        self._record.stages[stage] = entry
        self._record.started.pop(stage, None)
        self._write_record()
        self._clear(stage)

    def started(self, stage: str) -> dict[str, Any] | None:
        """Return what a stage read that was started and not finished."""
        inputs = self._record.started.get(stage)
        # Records once kept a digest, which tells nothing of single keys.
        return None if isinstance(inputs, str) else inputs

    def start(self, stage: str, inputs: Mapping[str, Any], *, go_on: bool) -> None:
        """Record that the stage is under way.

        Args:
            stage: The stage.
            inputs: What it reads.
            go_on: Whether what an earlier try kept serves this one; else it is removed.
        """
        if not go_on:
            self._clear(stage)
        self._record.started[stage] = dict(inputs)
        self._record.stages.pop(stage, None)
        self._write_record()

    def _clear(self, stage: str) -> None:
        shutil.rmtree(self._state / stage, ignore_errors=True)

    def _write_record(self) -> None:
        self.save_json(".state/run.json", self._record.to_json())

    # Files

    def save(self, name: str | Path, write: Callable[[Path], object]) -> Path:
        """Let `write(path)` write a file, then put it at `name` in one step."""
        from tfelastic.files import atomic_write

        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(target) as temporary:
            write(temporary)
        return target

    def save_bytes(self, name: str | Path, data: bytes) -> Path:
        """Put `data` at `name` in one step."""
        return self.save(name, lambda path: path.write_bytes(data))

    def save_text(self, name: str | Path, text: str) -> Path:
        """Put `text`, as UTF-8, at `name` in one step."""
        return self.save_bytes(name, text.encode())

    def save_json(self, name: str | Path, data: Any) -> Path:
        """Put `data`, as readable JSON, at `name` in one step."""
        return self.save_text(name, json.dumps(data, indent=2, allow_nan=False) + "\n")

    def scratch_path(self, stage: str, name: str) -> Path:
        """Return the path of a file that a stage keeps only until it is finished."""
        return self._state / stage / name


def _state_of(path: Path) -> Path:
    return path / ".state"


def _claim(path: Path) -> None:
    """Make the folder, unless it is one of something else."""
    try:
        foreign = path.exists() and any(path.iterdir()) and not _state_of(path).is_dir()
        if foreign:
            raise WorkspaceError(
                f"{path} is not empty and holds no run of tfelastic; choose another --workspace"
            )
        _state_of(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(
            f"cannot use {path} as a workspace: {error.strerror}; choose another --workspace"
        ) from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(_state_of(path) / "lock", "a+", encoding="utf-8") as lock:
        try:
            _lock(lock.fileno())
        except (BlockingIOError, PermissionError):
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise WorkspaceError(
                f"process {owner} is running in {path}; "
                "wait until it ends, or choose another --workspace"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _lock(file: int) -> None:
    """Hold an open file until it is closed.

    Raises:
        OSError: Another process holds it.
    """
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    import msvcrt

    # There a locked byte cannot be read, so it is one behind the owner's number.
    os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
    msvcrt.locking(file, msvcrt.LK_NBLCK, 1)


def digest_of_json(data: Any) -> str:
    """Return the sha256, in hex, of plain data."""
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the sha256, in hex, of a file's bytes."""
    stat = path.stat()
    return _digest_of_content(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)


@functools.lru_cache(maxsize=4096)
def _digest_of_content(path: Path, size: int, modified_ns: int, inode: int) -> str:
    """Read a file once for as long as its size, time and inode stay the same."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_path(path: Path) -> str:
    """Return the sha256, in hex, of a file, or of the names and contents of all files in a folder."""
    if path.is_file():
        return digest_of_file(path)
    files = sorted(each for each in path.rglob("*") if each.is_file())
    return digest_of_json({str(each.relative_to(path)): digest_of_file(each) for each in files})
