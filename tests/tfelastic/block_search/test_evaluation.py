"""Evaluating all nets without one block together gives what evaluating one after the other gives."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
from tests.support.weights import randomize
from tfelastic.block_search import (
    EvaluationProgress,
    LeaveOneOutModel,
    evaluate_without_each,
    evaluation,
)


def conv(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.Conv2D(x.shape[-1], 3, padding="same", activation="relu")(x)
    return layers.BatchNormalization()(x)


def chain(x: keras.KerasTensor) -> keras.KerasTensor:
    for _ in range(3):
        x = layers.ReLU()(layers.Add()([x, conv(x)]))
    return x


def within(x: keras.KerasTensor) -> keras.KerasTensor:
    inner = layers.Add()([x, conv(x)])
    return conv(layers.Add()([conv(inner), x]))


def overlapping(x: keras.KerasTensor) -> keras.KerasTensor:
    first = layers.Add()([x, conv(x)])
    second = layers.Add()([conv(first), first])
    return layers.Concatenate()([layers.Add()([x, second]), first, x])


def gated(x: keras.KerasTensor) -> keras.KerasTensor:
    """Squeeze and excite, dropout, an operator, and a block inside a nested model."""
    y = conv(x)
    gate = layers.Dense(x.shape[-1], activation="sigmoid")(layers.GlobalAveragePooling2D()(y))
    y = layers.Multiply()([y, layers.Reshape((1, 1, x.shape[-1]))(gate)])
    x = x + layers.Dropout(0.5)(y)
    inputs = keras.Input(x.shape[1:])
    return keras.Model(inputs, layers.Add()([inputs, conv(inputs)]))(x)


PARTS = {"chain": chain, "within": within, "overlapping": overlapping, "gated": gated}


def graph_of(part: Callable[[keras.KerasTensor], keras.KerasTensor]) -> te.LayerGraph:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5, 5, 3))
    x = part(layers.Conv2D(4, 3, padding="same")(inputs))
    model = keras.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))
    return te.trace(randomize(model, seed=1))


def batch(count: int = 6) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1, (count, 5, 5, 3)).astype("float32")


def names(graph: te.LayerGraph) -> list[str]:
    return [block.name for block in graph.blocks]


def without(graph: te.LayerGraph, name: str) -> keras.Model:
    return te.prune(graph.model, te.KeepPlan(graph.fingerprint, removed=(name,)))


@pytest.mark.parametrize("part", PARTS)
def test_each_output_is_that_of_the_net_without_that_block(part: str) -> None:
    graph, images = graph_of(PARTS[part]), batch()
    outputs = LeaveOneOutModel(graph, names(graph)).predict(images, verbose=0)
    nets = [graph.model, *(without(graph, name) for name in names(graph))]
    expected = np.stack([net.predict(images, verbose=0) for net in nets], axis=1)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    apart = np.abs(expected[:, 1:] - expected[:, :1]).max(axis=(0, 2))
    assert apart.min() > 1e-2, "a block that changes nothing would prove nothing"


def test_some_blocks_in_another_order() -> None:
    graph, images = graph_of(chain), batch()
    third, first = names(graph)[2], names(graph)[0]
    outputs = LeaveOneOutModel(graph, [third, first]).predict(images, verbose=0)
    for number, name in enumerate([third, first], start=1):
        expected = without(graph, name).predict(images, verbose=0)
        np.testing.assert_allclose(outputs[:, number], expected, rtol=1e-4, atol=1e-5)


def labelled(graph: te.LayerGraph, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images with the net's own answers as labels, every third one wrong."""
    images = batch(count)
    labels = graph.model.predict(images, verbose=0).argmax(axis=-1)
    labels[::3] = (labels[::3] + 1) % 4
    return images, labels


def test_the_accuracies_of_all_nets_come_part_by_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluation, "PART_SIZE", 16)
    graph = graph_of(chain)
    accuracy = te.Accuracy(*labelled(graph, 40), batch_size=8)
    assert accuracy(graph.model) == 26 / 40
    metric = accuracy.metric_of(graph.model)
    parts = list(evaluate_without_each(accuracy, graph, names(graph)))
    assert [sorted(part.parts) for part in parts] == [[0], [0, 1], [0, 1, 2]]
    expected = {name: accuracy(without(graph, name)) for name in names(graph)}
    assert parts[-1].scores(metric) == expected
    assert len(set(expected.values())) > 1
    again = EvaluationProgress.from_json(parts[0].to_json())
    assert list(evaluate_without_each(accuracy, graph, names(graph), after=again)) == parts[1:]


class Elsewhere:
    """Carries work out as another process would: on what was sent, last item first; dies before the item `dies_at`."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.counts: list[int] = []
        self._dies_at = dies_at

    def __call__(self, function: Callable, items: Iterable) -> Iterator[tuple[int, Any]]:
        sent, numbered = pickle.loads(pickle.dumps(function)), list(enumerate(items))
        self.counts.append(len(numbered))
        for number, item in reversed(numbered):
            if self._dies_at == item:
                raise KeyboardInterrupt
            yield number, sent(item)


def test_a_search_finds_the_same_wherever_its_parts_are_scored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(evaluation, "PART_SIZE", 16)
    graph = graph_of(chain)
    images, labels = labelled(graph, 40)
    accuracy = te.Accuracy(images, labels)
    slow = te.remove_blocks(graph.model, evaluate=lambda net: accuracy(net), budget=1)
    expected = te.remove_blocks(graph.model, evaluate=accuracy, budget=1)
    assert expected == replace(slow, metric="accuracy")
    for elsewhere, counts in ((Elsewhere(dies_at=0), [3]), (Elsewhere(), [1])):
        accuracy.spread = elsewhere
        with nullcontext() if elsewhere._dies_at is None else pytest.raises(KeyboardInterrupt):
            report = te.remove_blocks(graph.model, evaluate=accuracy, budget=1, checkpoint=tmp_path)
        assert elsewhere.counts == counts, "nothing is measured twice"
    assert report == expected


@pytest.mark.parametrize("metric", ["mae", "mean_iou", "r2"])
def test_a_search_goes_by_the_direction_of_any_metric(metric: str) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5, 5, 3))
    outputs = layers.Conv2D(2, 1)(chain(layers.Conv2D(4, 3, padding="same")(inputs)))
    model, images = keras.Model(inputs, outputs), batch(20)
    random, head = np.random.default_rng(2), model.layers[-1]
    for variable in model.weights:
        if variable.name not in ("moving_variance", "gamma"):
            variable.assign(random.normal(0, 0.4, variable.shape))
    # Both classes are then chosen about as often, so that every block moves some pixel from one to the other.
    head.bias.assign(head.bias - model.predict(images, verbose=0).mean(axis=(0, 1, 2)))
    graph, values = te.trace(model), model.predict(images, verbose=0)
    labels = values.argmax(axis=-1) if metric == "mean_iou" else values
    evaluator = te.Evaluator(images, labels, metric=metric)
    report = te.remove_blocks(model, evaluate=evaluator, budget=1)
    scores = {name: evaluator.score(without(graph, name)) for name in names(graph)}
    assert report.steps[0].scores == pytest.approx({n: s.value for n, s in scores.items()}, 1e-4)
    assert report.plan.removed == (max(scores, key=lambda name: scores[name].signed),)
    assert (report.metric, report.higher_is_better) == (metric, metric != "mae")
    assert report.score != report.steps[0].score
    between = (report.score + report.steps[0].score) / 2
    stopped = te.remove_blocks(model, evaluate=evaluator, floor=between)
    assert stopped.plan.removed == ()
    assert stopped.refused is not None


def test_a_memory_mapped_array_is_read_slice_by_slice(tmp_path: Path) -> None:
    graph = graph_of(chain)
    images, labels = labelled(graph, 12)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert te.Accuracy(mapped, labels)(graph.model) == te.Accuracy(images, labels)(graph.model)


def test_malformed_data_are_refused() -> None:
    images = batch(4)
    for labels in (np.zeros(3, int), np.zeros((0, 2), int)):
        with pytest.raises(te.errors.DataError):
            te.Accuracy(images, labels)
    with pytest.raises(te.errors.DataError):
        te.Accuracy(images[:0], np.zeros(0, int))
    with pytest.raises(te.errors.DataError, match="batch_size"):
        te.Accuracy(images, np.zeros(4, int), batch_size=0)
    inputs = keras.Input((5, 5, 3))
    maps = keras.Model(inputs, layers.Add()([inputs, conv(inputs)]))
    accuracy = te.Accuracy(images, np.zeros(4, int))
    with pytest.raises(te.errors.DataError, match=r"need labels of shape \[4, 5, 5\]"):
        accuracy(maps)
    with pytest.raises(te.errors.DataError, match=r"need labels of shape \[4, 5, 5\]"):
        next(evaluate_without_each(accuracy, te.trace(maps), names(te.trace(maps))))
