"""A command's work in a process of its own, so that Ctrl-C ends it at once, however deep in C it is.

TensorFlow's kernels and the imports of large extensions run for seconds without giving Python a chance to see a signal,
and an exception that is raised in the middle of them may be swallowed or bring the interpreter down. The process that
the user started therefore does nothing but wait: on Ctrl-C it asks the worker to stop, kills it if it has not within a
second, and says what was kept. Files appear by a rename, so a kill loses what was not finished and nothing else.
A crash of the worker becomes an error with a text.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from pipelines.parent_process import die_with

#: The exit code of a command that was stopped with Ctrl-C.
STOPPED = 130
#: How long the worker may take to clean up after Ctrl-C.
GRACE_SECONDS = 1.0

_LONGEST_NOTE = 4096
_SHOW_CURSOR = "\x1b[?25h"

_note_file = -1
_stopping = False


def supervise(work: Callable[[], int]) -> int:
    """Run `work` in a child process and return the exit code.

    Where processes cannot fork (Windows), or Ctrl-C is ignored, as in jobs in the background, `work` runs in this
    process.
    """
    if not hasattr(os, "fork") or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return work()
    global _note_file
    notes, _note_file = os.pipe()
    parent = os.getpid()
    # Until both sides have their handlers, Ctrl-C waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    child = os.fork()
    if child:
        os.close(_note_file)
        return _wait_for(child, notes)
    os.close(notes)
    die_with(parent)
    signal.signal(signal.SIGINT, _interrupt_once)
    sys.unraisablehook = _report_unraisable
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return work()
    except KeyboardInterrupt:
        _say("stopped")
        return STOPPED


def note_what_is_kept(text: str) -> None:
    """Say what to print should the work be stopped from now on; the last text counts."""
    if _note_file >= 0:
        os.write(_note_file, text.encode()[: _LONGEST_NOTE - 1] + b"\0")


def stopping() -> bool:
    """Whether Ctrl-C was pressed; errors that follow are its consequences."""
    return _stopping


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt at the first Ctrl-C; a second one must not interrupt the cleaning up."""
    global _stopping
    if not _stopping:
        _stopping = True
        raise KeyboardInterrupt


def _report_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Print an error that a destructor or a callback of the garbage collector raised, as Python does.

    An interrupt that came while one ran is lost there; then the waiting process kills this one after its grace.
    """
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)


class _Stop:
    """What Ctrl-C does to the waiting process: first it asks the worker to stop, then it kills it."""

    def __init__(self, child: int) -> None:
        self._child = child
        self.asked = self.killed = False

    def on_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            self.on_alarm(number, frame)
            return
        self.asked = True
        # A terminal has sent the signal to the worker too, which takes the first alone.
        os.kill(self._child, signal.SIGINT)
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def on_alarm(self, number: int, frame: FrameType | None) -> None:
        self.killed = True
        os.kill(self._child, signal.SIGKILL)


def _wait_for(child: int, notes: int) -> int:
    stop = _Stop(child)
    signal.signal(signal.SIGINT, stop.on_interrupt)
    signal.signal(signal.SIGALRM, stop.on_alarm)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _, status = os.waitpid(child, 0)
    # From here on there is nobody to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0)
    code = os.waitstatus_to_exitcode(status)
    if stop.asked:
        if stop.killed:
            _say(f"stopped. {_last_note(notes)}".rstrip())
        return STOPPED
    if code < 0:
        _say(
            f"error: the work died of {signal.Signals(-code).name}, in C code below Python (or was killed, by a "
            f"shortage of memory for example). {_last_note(notes)}".rstrip()
        )
        return 1
    return code


def _say(text: str) -> None:
    if sys.stderr.isatty():
        # A progress bar hides the cursor, and who drew it is gone.
        sys.stderr.write(_SHOW_CURSOR)
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _last_note(notes: int) -> str:
    os.set_blocking(notes, False)
    data = b""
    try:
        while part := os.read(notes, 1 << 16):
            data += part
    except BlockingIOError:  # A process that the worker started still holds the other end.
        pass
    return data.rstrip(b"\0").rpartition(b"\0")[2].decode(errors="replace")
