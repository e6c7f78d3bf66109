"""A stage in processes of its own, one for each training: what a training took of memory goes back when it ends.

Backends keep what they once allocated, so a run that trains net after net grows to several times what one training
takes. A stage can be run again at any time and goes on after the last epoch that ended; so a process that comes to its
second training ends there, and the next process goes on with it. The process that waits passes on what the last one
found. Its crash is an error that names the training.
"""

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

from pipelines.errors import StageError
from pipelines.parent_process import die_with
from pipelines.progress import Reporter
from pipelines.recipe import Recipe
from pipelines.stages.run import Run
from pipelines.stages.stage import Outcome, Stage
from pipelines.workers import Workers
from pipelines.workspace import Workspace


@dataclass(frozen=True)
class _Task:
    """What a process is given."""

    recipe: Recipe
    workspace: Path
    command: str
    stage: Stage[Any]
    set_up: Callable[[], None]
    quiet: bool
    workers: Workers
    parent: int


@dataclass(frozen=True)
class _Begun:
    """A training has begun."""

    training: str


@dataclass(frozen=True)
class _Failed:
    """The stage raised an error."""

    error: Exception
    traceback: str


class _SecondTraining(BaseException):
    """The process comes to its second training, which the next process does."""


class _ChildTraceback(Exception):  # noqa: N818 - stands as the cause of the error itself.
    """Where in the other process an error was raised."""


def run_in_processes(run: Run[Any], stage: Stage[Any], set_up: Callable[[], None]) -> Outcome[Any]:
    """Run a stage, each of its trainings in a process of its own, and return what it leaves.

    Args:
        run: The run.
        stage: The stage.
        set_up: What each process calls first.

    Raises:
        StageError: A process died.
    """
    task = _Task(
        run.recipe,
        run.workspace.path,
        run.command,
        stage,
        set_up,
        run.reporter.quiet,
        run.workers,
        os.getpid(),
    )
    begun = time.perf_counter()
    while True:
        start = time.perf_counter()
        found = _run_process(task)
        if isinstance(found, Outcome):
            # The last process counts as an earlier try's what the processes before it have trained.
            again = start - begun
            return replace(found, earlier_seconds=max(0.0, found.earlier_seconds - again))
        if isinstance(found, _Failed):
            raise found.error from _ChildTraceback(found.traceback)


def _run_process(task: _Task) -> "Outcome[Any] | _Failed | None":
    """Return what the stage left, or how it failed; `None` where another process has to go on."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, task), daemon=True)
    process.start()
    sender.close()
    training, found = "", None
    try:
        with suppress(EOFError):
            while True:
                found = receiver.recv()
                if isinstance(found, _Begun):
                    training = found.training
                    continue
                process.join()
                return found
        process.join()
        raise StageError(_how_it_died(task.stage.name, training, process.exitcode or 0))
    finally:
        if process.is_alive():
            process.kill()
            process.join()
        receiver.close()


def _how_it_died(stage: str, training: str, code: int) -> str:
    how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    what = f"the training {training!r} of the stage {stage}" if training else f"the stage {stage}"
    return (
        f"{what} {how}, in C code below Python (or was killed, by a shortage of memory for example); the epochs that "
        "had ended are kept: give the same command again, with smaller batches if memory was short"
    )


def _work(sender: Connection, task: _Task) -> None:
    """Run the stage in this process, and send what comes of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The process that waits stops this one.
    die_with(task.parent)
    reporter = Reporter(quiet=task.quiet)
    workspace = Workspace(task.workspace, task.recipe.name)
    run = Run(
        task.recipe,
        workspace,
        reporter,
        command=task.command,
        on_training=_one_training(sender),
        workers=task.workers,
    )
    found: Any
    try:
        task.set_up()
        with reporter.stage(task.stage.name):
            found = task.stage.run(run.within(task.stage))
    except _SecondTraining:
        found = None
    except Exception as error:  # noqa: BLE001 - whatever it is, the process that waits raises it.
        found = _Failed(_portable(error), traceback.format_exc())
    sender.send(found)
    sender.close()


def _one_training(sender: Connection) -> Callable[[str], None]:
    trainings: list[str] = []

    def begin(training: str) -> None:
        if trainings:
            raise _SecondTraining
        trainings.append(training)
        sender.send(_Begun(training))

    return begin


def _portable(error: Exception) -> Exception:
    """Return the error, or one of its text where it cannot be sent to another process."""
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))  # As the pipe between the processes does.
    except Exception:  # noqa: BLE001 - an error's constructor may fail in its own way.
        return StageError(f"{type(error).__name__}: {error}")
    return error
