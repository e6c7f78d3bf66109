"""What a run says while it works: bars on a terminal, one line at a time elsewhere, or nothing."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

#: Receives how many of the total are done, and a note on how it goes.
Advance = Callable[[float, str], None]

_SECONDS_BETWEEN_LINES = 15.0


class Reporter:
    """Writes a run's progress to standard error; standard output belongs to the result.

    Args:
        quiet: Say nothing.
        on_done: Called with the label of every stage that is finished.
    """

    def __init__(
        self, *, quiet: bool = False, on_done: Callable[[str], None] | None = None
    ) -> None:
        self._on_done = on_done
        self._console = Console(stderr=True, quiet=quiet, highlight=False)
        self._label = ""

    @property
    def quiet(self) -> bool:
        """Whether it says nothing."""
        return self._console.quiet

    def say(self, text: str) -> None:
        """Write one line."""
        self._console.print(escape(text), soft_wrap=True)

    @contextlib.contextmanager
    def stage(self, label: str) -> Iterator[None]:
        """Head everything that is said inside the context with the stage's label."""
        self._label = label
        yield
        self._label = ""

    def done(self, label: str, summary: str, *, seconds: float, kept: bool) -> None:
        """Write a finished stage's line; `kept` says that an earlier run had finished it."""
        mark, time_taken = ("=", "kept") if kept else ("✓", duration(seconds))
        line = f"[green]{mark}[/] [bold]{label:<18}[/] {escape(summary)}  [dim]{time_taken}[/]"
        self._console.print(line, soft_wrap=True)
        if self._on_done is not None:
            self._on_done(label)

    @contextlib.contextmanager
    def bar(self, total: float, unit: str) -> Iterator[Advance]:
        """Show a bar of `total` units; the context's value is the function that moves it."""
        if self._console.quiet:
            yield lambda completed, note: None
        elif self._console.is_terminal:
            with _rich_bar(self._console) as progress:
                task = progress.add_task(self._label, total=total, done=0, unit=unit, note="")
                yield lambda completed, note: _move(progress, task, completed, note)
        else:
            yield self._lines(total, unit)

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show on a terminal that something is under way whose end is not known; elsewhere say nothing."""
        if self._console.is_terminal and not self._console.quiet:
            with self._console.status(f"{escape(what)} ..."):
                yield
        else:
            yield

    def _lines(self, total: float, unit: str) -> Advance:
        begun = last = time.monotonic()

        def advance(completed: float, note: str) -> None:
            nonlocal last
            now = time.monotonic()
            # What is done before its first line is due needs none: a log holds what took its time.
            ends_what_was_reported = completed >= total and last > begun
            if now - last < _SECONDS_BETWEEN_LINES and not ends_what_was_reported:
                return
            last = now
            line = f"  {self._label} {int(completed)}/{total:.4g} {unit}  {note}".rstrip()
            if 0 < completed < total:
                line += f"  {duration((now - begun) * (total - completed) / completed)} left"
            self.say(line)

        return advance


def duration(seconds: float) -> str:
    """Return seconds as people say them: `8.2 s`, `3 min 05 s`, `1 h 02 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _rich_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("  {task.description:<18}"),
        BarColumn(bar_width=28),
        TextColumn("{task.fields[done]}/{task.total:.0f} {task.fields[unit]}"),
        TextColumn("[dim]{task.fields[note]}[/]"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )


def _move(progress: Progress, task: TaskID, completed: float, note: str) -> None:
    progress.update(task, completed=completed, done=int(completed), note=note)
