"""Any object with two splits is a data set."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tfelastic as te
from tfelastic import data

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 5, 2)), np.arange(12) % 3
PIXELS = RNG.integers(0, 256, (12, 4, 4, 1)).astype("uint8")


class Recorded:
    """A data set of a user's own."""

    name = "walks"
    classes = ("a", "b", "c")

    def __init__(self, train: Any, test: Any) -> None:
        self.train, self.test = train, test


@pytest.mark.parametrize(
    "split",
    [
        (X, Y),
        {"x": X, "y": Y},
        {"inputs": X.tolist(), "targets": Y.tolist()},
        SimpleNamespace(inputs=X, targets=Y),
        SimpleNamespace(images=X, labels=Y),
        data.Split(X, Y),
    ],
)
def test_a_split_may_name_its_sides_in_any_usual_way(split: Any) -> None:
    for source in (Recorded(split, split), vars(Recorded(split, split))):
        found = data.load(source)
        np.testing.assert_array_equal(found.train.inputs, X.astype("float32"))
        np.testing.assert_array_equal(found.test.targets, Y)
    assert data.load(Recorded(split, split)).name == "walks"
    assert data.load(Recorded(split, split)).classes == ("a", "b", "c")


def test_options_apply_as_to_any_source() -> None:
    found = data.load(Recorded((PIXELS, Y), (PIXELS, Y)), limit=6, name="marks")
    assert (len(found.train), found.name, found.image_shape) == (6, "marks", (4, 4, 1))
    again = data.load(found)
    assert again.sha256 == found.sha256
    with pytest.raises(te.errors.DataError, match="image_size does not apply to a Recorded"):
        data.load(Recorded((PIXELS, Y), (PIXELS, Y)), image_size=8)


def test_several_inputs_and_outputs_come_as_dicts() -> None:
    split = ({"window": X, "facts": X[:, 0]}, {"kind": Y, "size": X[:, 0, 0]})
    found = data.load({"train": split, "test": split, "classes": {"kind": "abc"}})
    assert found.classes_of("kind") == ("a", "b", "c")
    assert found.train.targets["size"].dtype == np.float32


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (42, "data of type int need a 'train' split"),
        (Recorded((X, Y), None), "Recorded need a 'test' split"),
        ({"train": X}, "split 'train' of dict must be a pair"),
        (Recorded((X, Y[:3]), (X, Y)), "one row per example"),
        (Recorded((X, Y + 1), (X, Y)), "labels of the train split run from 1 to 3"),
        (Recorded((X[:, :4], Y), (X, Y)), "training inputs are"),
    ],
)
def test_what_is_no_data_set_is_refused_by_name(source: Any, said: str) -> None:
    with pytest.raises(te.errors.DataError, match=said):
        data.load(source)
