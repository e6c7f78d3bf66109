"""Law 9: a larger budget never gives a less accurate variant.

Over random tables, and for variants of a network whose answers are counted: there a wrong channel in a variant makes
it less accurate than its score says, and the law fails.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfelastic_runtime import Row, ScoreSpec, Slowdown, choose

import tfelastic as te
from tests.support.inference import random_inputs
from tests.support.random_models import LAWS, NAMED, build
from tests.support.tflite_files import with_swapped_channels
from tflite_export import convert
from tflite_export.runtimes import predict

LATENCIES = st.integers(1, 60)
ROWS = st.builds(
    lambda score, pair, switch_us: Row(score, min(pair), max(pair), switch_us),
    st.integers(0, 5),
    st.tuples(LATENCIES, LATENCIES),
    st.integers(0, 60),
)


@LAWS
@given(st.lists(ROWS, min_size=1, max_size=8), st.lists(st.tuples(LATENCIES, LATENCIES)))
def test_random_tables(table: list[Row], runs: list[tuple[int, int]]) -> None:
    slowdown = Slowdown()
    for index, observed_us in runs:
        slowdown.observe(table[index % len(table)], observed_us)
    chosen = [
        table[choose(table, budget_us=budget_us, slowdown=slowdown).index].score_order
        for budget_us in range(1, 200)
    ]
    assert chosen == sorted(chosen)


@dataclass(frozen=True)
class Variants:
    """Variants of one network: the files, how accurate each was found, and what each costs."""

    files: tuple[bytes, ...]
    scores: tuple[float, ...]
    macs: tuple[int, ...]
    inputs: np.ndarray
    labels: np.ndarray

    def accuracy(self, index: int) -> float:
        """Return the share of right answers, counted."""
        answers = predict(self.files[index], self.inputs).argmax(axis=-1)
        return float((answers == self.labels).mean())

    def accuracies(self) -> list[float]:
        """Return how accurate the variant is that is chosen, for larger and larger budgets."""
        table = [
            Row(ScoreSpec().order(score), macs, macs, 0)
            for score, macs in zip(self.scores, self.macs, strict=True)
        ]
        budgets = [1, *sorted(self.macs), 2 * max(self.macs)]
        return [self.accuracy(choose(table, budget_us=each).index) for each in budgets]


@pytest.fixture(scope="module")
def variants() -> Variants:
    """The widest net gives the labels, so that narrower ones are less accurate."""
    model = build(NAMED["dense_after_flatten"])
    (inputs,) = random_inputs(model, count=200)
    head = model.layers[-1]
    head.bias.assign(head.bias - model.predict(inputs, verbose=0).mean(axis=0))
    net = te.ElasticModel(model, te.ladder(model, widths=(1.0, 0.6, 0.3), round_to=1))
    cuts = [net.cut(name) for name in net.names]
    found = Variants(
        files=tuple(convert(cut, scheme="float32") for cut in cuts),
        scores=(),
        macs=tuple(te.cost(cut).macs for cut in cuts),
        inputs=inputs,
        labels=cuts[0].predict(inputs, verbose=0).argmax(axis=-1),
    )
    return replace(found, scores=tuple(map(found.accuracy, range(len(cuts)))))


def test_variants_of_a_network(variants: Variants) -> None:
    accuracies = variants.accuracies()
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] == 1.0 > accuracies[0]


@pytest.mark.parametrize("index", [0, 1])
def test_one_wrong_channel_is_seen(variants: Variants, index: int) -> None:
    """Under the score of the right file the wrong one is chosen, and answers worse than a narrower one."""
    ordered = []
    for wrong in with_swapped_channels(variants.files[index]):
        files = (*variants.files[:index], wrong, *variants.files[index + 1 :])
        changed = replace(variants, files=files)
        assert changed.accuracy(index) < variants.scores[index]
        accuracies = changed.accuracies()
        ordered.append(accuracies == sorted(accuracies))
    assert ordered.count(False) >= len(ordered) / 2
