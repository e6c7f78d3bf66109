"""What a process does that joins the trainings of another one (`announcing.py`)."""

import itertools
import time
from pathlib import Path
from typing import Any

import keras

import tfelastic as te
from pipelines.recipe import Training
from pipelines.records import read_json
from pipelines.stages.announcing import ENDED, announcement, state_beside, weights_beside
from pipelines.stages.devices import on_devices, own_variables
from pipelines.stages.run import Run
from pipelines.stages.task import task_of
from pipelines.stages.training import AfterEachEpoch, compile_for_batches, fit, state_of
from tfelastic.checkpoint import Checkpoint

_SECONDS_BETWEEN_LOOKS = 0.1


def join_trainings(run: Run[Any]) -> int:
    """Take part in every training that the first process announces, until that one ends; return how many there were."""
    for number in itertools.count():
        path = announcement(run, number)
        while not path.exists():
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        record = read_json(path)
        if ENDED in record:
            return number
        with run.reporter.stage(f"training {number + 1}"):
            _take_part(run, record, path)
    raise AssertionError  # The count does not end.


def _take_part(run: Run[Any], record: dict[str, Any], path: Path) -> None:
    """Do in the same order what `train` does in the first process, but keep nothing."""
    training = Training.from_json(record["training"])
    model = keras.saving.deserialize_keras_object(record["net"])
    Checkpoint(weights_beside(path)).restore(own_variables(model))
    task = task_of(run, _answering(model))
    keras.utils.set_random_seed(run.recipe.seed)
    with on_devices(run.recipe.distribution, model) as net:
        batches = compile_for_batches(run, net, run.training_split, training=training, task=task)
        state = Checkpoint(state_beside(path)).restore(state_of(net))
        history = [] if state is None else state["history"]
        keep = [AfterEachEpoch(None, history)]
        fit(run, net, batches, training=training, history=history, keep=keep, best=None)


def _answering(model: keras.Model) -> keras.Model:
    """Return the functional model whose outputs a training model has."""
    if isinstance(model, te.ElasticModel):
        return model.base
    return model.net if isinstance(model, te.Student) else model
