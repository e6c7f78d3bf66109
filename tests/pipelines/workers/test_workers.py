"""Work spread over real Ray processes: one process' results, each computed once, a lost worker's share included."""

import functools
import os
from collections import Counter

import keras
import numpy as np
import pytest
import ray

import tfelastic as te
from pipelines.errors import WorkersError
from pipelines.workers import InProcess, workers_of
from tests.support.pieces import noted, refuse


@pytest.fixture(scope="module")
def workers():
    """Two workers on this machine, for all tests here: each start costs seconds."""
    yield workers_of("local:2")
    ray.shutdown()


def test_a_lost_workers_share_is_taken_over_and_nothing_is_computed_twice(workers, tmp_path):
    found = dict(workers.map(functools.partial(noted, tmp_path), range(8)))
    assert found == {number: number * number for number in range(8)}
    assert (tmp_path / "killed").exists()
    rows = [line.split() for line in (tmp_path / "computed").read_text().splitlines()]
    assert Counter(int(item) for item, _ in rows) == Counter(range(8))
    assert str(os.getpid()) not in {process for _, process in rows}


def test_an_error_of_a_piece_is_raised_as_it_was(workers):
    with pytest.raises(LookupError, match="item 1 is nowhere"):
        list(workers.map(refuse, [1]))


@pytest.fixture
def searched():
    """A net of three blocks, and examples in two parts of a search."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((4,))
    for number in range(3):
        branch = keras.layers.Dense(4, activation="relu", name=f"part{number}")(x)
        x = keras.layers.Add(name=f"block{number}")([x, branch])
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    random = np.random.default_rng(0)
    return model, random.normal(size=(300, 4)).astype("float32"), random.normal(size=(300, 3))


def test_a_block_search_finds_the_same_to_the_last_bit(workers, searched):
    model, inputs, values = searched

    def report(place) -> te.BlockReport:
        evaluator = te.Evaluator(inputs, values, metric="mae", spread=place.map)
        return te.remove_blocks(model, evaluate=evaluator, budget=2)

    found, expected = report(workers), report(InProcess())
    assert found.to_json() == expected.to_json()
    assert len(set(expected.steps[0].scores.values())) == 3


@pytest.mark.parametrize(
    "text", ["local:0", "local:", "2", "ray:10001", "ray://host", "dask://h:1"]
)
def test_other_workers_are_refused(text):
    with pytest.raises(WorkersError, match=r"expected local:N, .* received"):
        workers_of(text)
