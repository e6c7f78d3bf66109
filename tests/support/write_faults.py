"""Faults at the boundary to the operating system: a full disk, a limit, a right taken away, an interrupt, a kill.

Each is the kernel's own: a full disk is `/dev/full`, a limit is `RLIMIT_FSIZE`, and a folder's right to be written to
is taken away by its mode, for root too, whose capability to pass over modes is laid down meanwhile.
"""

import builtins
import contextlib
import ctypes
import io
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.entry import execute

_LIMIT_BYTES = 50
_OVERRIDING = {1, 2}  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
_CAPABILITIES_V3 = 0x20080522


class Killed(BaseException):
    """The process is dead: what it would have done after this never happens."""


@dataclass(frozen=True)
class Fault:
    """What happens to a write.

    Attributes:
        name: What it is.
        code: The exit code of a command that it happens to; `None` where that is killed.
        message: What the command says of it.
    """

    name: str
    code: int | None
    message: str


FULL = Fault("full", 1, "No space left on device; free some space")
TOO_LARGE = Fault("too large", 1, "File too large; free some space")
FORBIDDEN = Fault("forbidden", 1, "Permission denied")
INTERRUPTED = Fault("interrupted", 130, "stopped")
KILLED = Fault("killed", None, "")
FAULTS = (FULL, TOO_LARGE, FORBIDDEN, INTERRUPTED, KILLED)


class WriteFaults:
    """Lets writes below a folder go wrong, one at a time and each once.

    Args:
        folder: Where writes are watched.
        moment: Tells moments apart at which a file of the same name is written.

    Attributes:
        struck: The file whose write went wrong, by the name that it would have got; `None` while none has.
        before: What stood there, if anything did.
    """

    def __init__(self, folder: Path, moment: Callable[[], object] = lambda: None) -> None:
        self._folder = folder
        self._aside = folder.with_name(f"{folder.name}-as-killed")
        self._moment = moment
        self._known: set[object] = set()
        self.struck: Path | None = None
        self.before: bytes | None = None

    def carry_out(self, command: list[str], fault: Fault) -> int | None:
        """Give a command, of which one write goes wrong; return its exit code, `None` where it is killed."""
        with self.strike(fault):
            try:
                return execute(command)
            except Killed:
                return None

    @contextlib.contextmanager
    def strike(self, fault: Fault, *, at: Path | None = None) -> Iterator[None]:
        """Let the first write go wrong that has not yet, or the one of the file `at`, while the context lasts.

        A killed process leaves its folder as it was at that moment: the folder is put back to that.
        """
        self.struck, self._fault, self._at = None, fault, at
        self._temporary: Path | None = None
        try:
            with self._watched():
                yield
        finally:
            if self._aside.exists():
                shutil.rmtree(self._folder)
                self._aside.rename(self._folder)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as restoring:
            # Those that started this process may have let it ignore Ctrl-C.
            handler = signal.signal(signal.SIGINT, signal.default_int_handler)
            restoring.callback(signal.signal, signal.SIGINT, handler)
            really_open, really_replace = io.open, os.replace

            def opening(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
                if self._strikes(file, mode):
                    if self._fault is FULL:
                        file, mode = "/dev/full", mode.replace("x", "w")
                    elif self._fault is TOO_LARGE:
                        restoring.enter_context(file_size_limit(_LIMIT_BYTES))
                    elif self._fault is FORBIDDEN:
                        restoring.enter_context(forbidden(Path(file).parent))
                return really_open(file, mode, *args, **kwargs)

            def replacing(source: Any, target: Any, **kwargs: Any) -> None:
                if self._temporary == Path(source):
                    self._end_process()
                really_replace(source, target, **kwargs)

            patch.setattr(io, "open", opening)
            patch.setattr(builtins, "open", opening)
            patch.setattr(os, "replace", replacing)
            yield

    def _strikes(self, file: Any, mode: str) -> bool:
        """Whether a file that is opened is the one whose write goes wrong."""
        if self.struck or isinstance(file, int) or not set(mode) & set("wx"):
            return False
        path = Path(os.fsdecode(file))
        name = path.with_name(path.name.removeprefix(".tmp."))
        if name == path or not path.is_relative_to(self._folder):
            return False
        key = (name, self._moment())
        if key in self._known or self._at not in (None, name):
            return False
        self._known.add(key)
        self._temporary, self.struck = path, name
        self.before = name.read_bytes() if name.exists() else None
        return True

    def _end_process(self) -> None:
        self._temporary = None
        if self._fault is INTERRUPTED:
            signal.raise_signal(signal.SIGINT)
        if self._fault is KILLED:
            shutil.copytree(self._folder, self._aside)
            raise Killed


@contextlib.contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a limit, as on a disk that is full after that many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def forbidden(path: Path, mode: int = 0o500) -> Iterator[None]:
    """Take the right to write to a folder, or by `mode` any right, from everybody, root included."""
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        with _as_if_not_root():
            yield
    finally:
        path.chmod(before)


@contextlib.contextmanager
def _as_if_not_root() -> Iterator[None]:
    """Lay down this thread's capability to pass over the modes of files; a usual user has none."""
    before = _effective()
    _set_effective(before & ~sum(1 << number for number in _OVERRIDING))
    try:
        yield
    finally:
        _set_effective(before)


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def _capabilities() -> Any:
    data = (_Data * 2)()
    _check(ctypes.CDLL(None, use_errno=True).capget(ctypes.byref(_Header(_CAPABILITIES_V3)), data))
    return data


def _effective() -> int:
    low, high = _capabilities()
    return int(low.effective) | int(high.effective) << 32


def _set_effective(capabilities: int) -> None:
    data = _capabilities()
    data[0].effective, data[1].effective = capabilities & 0xFFFFFFFF, capabilities >> 32
    _check(ctypes.CDLL(None, use_errno=True).capset(ctypes.byref(_Header(_CAPABILITIES_V3)), data))


def _check(returned: int) -> None:
    if returned:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
