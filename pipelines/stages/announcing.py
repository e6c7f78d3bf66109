"""Several processes that train one net: the first runs the recipe, the others join each of its trainings.

The first process announces a training in the workspace's folder, which all processes see: the net, its state and how it
is trained. Each of the others builds the net, runs the same epochs on its own part of every batch (`joining.py`), and
drops the outcome, which the first one keeps. So no other stage need know of several processes.
"""

import atexit
import contextlib
import dataclasses
import functools
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.backend import Cluster, start_backend
from pipelines.errors import StageError
from pipelines.recipe import Training
from pipelines.stages.devices import own_variables
from pipelines.stages.run import Run
from tfelastic.checkpoint import Checkpoint
from tfelastic.files import write_atomically

if TYPE_CHECKING:
    import keras

#: Says in place of a training that there will be no more.
ENDED = "ended"


@contextlib.contextmanager
def announcing_trainings(run: Run[Any]) -> Iterator[None]:
    """Let the other processes join the trainings that begin within the context, and end with it."""
    if Cluster.of_environment().processes == 1:
        yield
        return
    start_backend()
    shutil.rmtree(_folder(run), ignore_errors=True)
    _folder(run).mkdir(parents=True)
    _start_id()
    try:
        yield
    finally:
        _write(_next(run), {ENDED: True})


def announce(run: Run[Any], model: "keras.Model", training: Training, checkpoint: Path) -> None:
    """Tell the other processes of a training that is about to begin, or to go on.

    Args:
        run: The run.
        model: The net itself, not its copy on several devices.
        training: How it is trained.
        checkpoint: The file of the state to go on from, where there is one.
    """
    if Cluster.of_environment().processes == 1:
        return
    import keras

    path = _next(run)
    Checkpoint(weights_beside(path)).save({}, own_variables(model))
    if checkpoint.exists():
        shutil.copy(checkpoint, state_beside(path))
    fields = (field.name for field in dataclasses.fields(Training))
    _write(
        path,
        {
            "net": keras.saving.serialize_keras_object(model),
            "training": {name: getattr(training, name) for name in fields},
        },
    )


def weights_beside(announcement: Path) -> Path:
    """Return the file of the net's values that belongs to an announcement."""
    return announcement.with_suffix(".weights.npz")


def state_beside(announcement: Path) -> Path:
    """Return the file of the state to go on from that belongs to an announcement; it need not be there."""
    return announcement.with_suffix(".state.npz")


def announcement(run: Run[Any], number: int) -> Path:
    """Return the file in which the first process tells of its training of that number, counted from 0."""
    return _folder(run) / f"{_start_id()}-{number:03}.json"


@contextlib.contextmanager
def naming_lost_process() -> Iterator[None]:
    """Turn the failure of a computation of several processes into an error with a text.

    Raises:
        StageError: It failed, as a rule because a process was lost.
    """
    if Cluster.of_environment().processes == 1:
        yield
        return
    import jax

    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        # JAX would wait for minutes at the end of this process for the one that is gone.
        atexit.register(os._exit, 1)
        raise StageError(
            f"the training of several processes failed, as a rule because one of them was lost: {error!s:.300}. The "
            "epochs that had ended are kept; end the processes that are left, and give each the same command again"
        ) from error


def _next(run: Run[Any]) -> Path:
    return announcement(run, len(list(_folder(run).glob("*.json"))))


def _folder(run: Run[Any]) -> Path:
    return run.workspace.scratch_path("processes", "announced")


@functools.cache
def _start_id() -> str:
    """Return what the files of this start of the processes begin with, so that nobody reads those of an earlier one.

    All processes have to call it, the first one when the folder is ready.
    """
    from jax.experimental import multihost_utils

    mine = np.uint32(time.time_ns() % 2**32)
    return f"{int(multihost_utils.broadcast_one_to_all(mine)):08x}"


def _write(path: Path, record: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(record))
