"""What a finished net is compared by: its costs, and its score on the test examples in Keras and after conversion."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.records import Record
from pipelines.stages.answers import Answers, answers_of
from pipelines.stages.run import Run
from pipelines.stages.task import TASK_KEYS, task_of

if TYPE_CHECKING:
    import keras

    from tfelastic import Metric
    from tfelastic.data import Arrays, Split

#: The recipe's keys that `evaluate` reads.
KEYS = ("seed", "export", "validation_images", *TASK_KEYS)


@dataclass(frozen=True, kw_only=True)
class NetFigures(Record):
    """A net's costs, and its scores on the test examples."""

    params: int
    macs: int
    peak_bytes: int
    tflite_bytes: int
    score_keras: float
    score_tflite: float


@dataclass(frozen=True)
class Evaluation:
    """What evaluating a net gave: figures, its answers to the test examples, its file."""

    figures: NetFigures
    answers: Answers
    tflite: bytes


def evaluate(run: Run[Any], net: "keras.Model") -> Evaluation:
    """Count, convert and test a net."""
    import tfelastic as te
    import tflite_export as tx

    spec, test, seed = run.recipe.export, run.dataset.test, run.recipe.seed
    samples = some_examples(run.training_split, spec.calibration, seed=seed)
    tflite = tx.convert(net, scheme=spec.scheme, samples=samples, seed=seed)
    metric = task_of(run, net).metric
    answers, cost = answers_of(net, test, metric), te.cost(net)
    figures = NetFigures(
        params=cost.params,
        macs=cost.macs,
        peak_bytes=cost.peak_bytes,
        tflite_bytes=len(tflite),
        score_keras=answers.score,
        score_tflite=_tflite_score(net, tflite, test, metric),
    )
    return Evaluation(figures, answers, tflite)


def some_examples(split: "Split", count: int, *, seed: int) -> "Arrays":
    """Return the inputs of up to `count` examples, drawn at random by the seed."""
    order = np.random.default_rng(seed).permutation(len(split))
    return split.take(order[:count]).inputs


def score(model: Any, split: "Split", metric: "Metric") -> float:
    """Return a model's score on a split's examples."""
    return answers_of(model, split, metric).score


def _tflite_score(net: "keras.Model", tflite: bytes, test: "Split", metric: "Metric") -> float:
    import tfelastic as te
    import tflite_export as tx

    arrays = te.data.arrays_of(test.inputs)
    names = [tensor.name for tensor in net.inputs] if "" not in arrays else [""]
    outputs = tx.predict(tflite, [arrays[name] for name in names])
    return Answers.of(metric, test.targets, outputs).score
