import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfelastic.data import Dataset, Split
from tfelastic.data.base import limited, stratified_order
from tfelastic.errors import DataError


def split(labels, size=4):
    labels = np.asarray(labels)
    return Split(np.zeros((len(labels), size, size, 1), np.uint8), labels)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 5))
def test_every_prefix_of_a_stratified_order_holds_the_classes_in_proportion(labels, seed):
    labels = np.array(labels)
    order = stratified_order(labels, seed=seed)
    assert sorted(order) == list(range(len(labels)))
    classes, counts = np.unique(labels, return_counts=True)
    for length in range(len(labels) + 1):
        for label, count in zip(classes, counts, strict=True):
            share = count / len(labels)
            held = np.sum(labels[order[:length]] == label)
            # Half an image of rounding, the others' rounding by its share, and one tie.
            assert abs(held - share * length) <= 1.5 + len(classes) * share / 2


def test_a_smaller_limit_keeps_a_subset_and_the_old_order():
    whole = Split(np.arange(100, dtype=np.uint8).reshape(-1, 1, 1, 1), np.repeat(np.arange(5), 20))
    small, large = (limited(whole, n, seed=3) for n in (25, 60))
    kept_small, kept_large = (s.images.ravel().tolist() for s in (small, large))
    assert set(kept_small) < set(kept_large)
    assert kept_small == sorted(kept_small)
    assert np.bincount(small.labels).tolist() == [5] * 5
    assert kept_small != limited(whole, 25, seed=4).images.ravel().tolist()


@pytest.mark.parametrize("limit", [0, 11])
def test_a_limit_outside_the_split_names_the_bounds(limit):
    with pytest.raises(DataError, match=f"between 1 and 10 training images, got {limit}"):
        limited(split(range(10)), limit, seed=0)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 4, 4, 1), np.float32), [0, 1], "must be uint8"),
        (np.zeros((2, 4, 4), np.uint8), [0, 1], r"\[2, 4, 4\]"),
        (np.zeros((2, 4, 4, 1), np.uint8), [0.5, 1], "labels must be integers"),
        (np.zeros((2, 4, 4, 1), np.uint8), [0, 1, 1], "2 images but 3 labels"),
        (np.zeros((0, 4, 4, 1), np.uint8), np.zeros(0, int), "at least one image"),
    ],
)
def test_a_malformed_split_is_refused(images, labels, message):
    with pytest.raises(DataError, match=message):
        Split(images, np.asarray(labels))


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_without_a_class_is_refused(label):
    with pytest.raises(DataError, match=r"test split run from .* 2 classes allow 0 to 1"):
        Dataset("name", ("a", "b"), split([0, 1]), split([0, label, 1]))


def test_splits_of_different_shapes_are_refused():
    with pytest.raises(DataError, match="give an image_size"):
        Dataset("name", ("a",), split([0]), split([0], size=5))


def test_description():
    dataset = Dataset("name", ("a", "b"), split([0, 1, 1]), split([0]))
    assert dataset.describe() == {
        "name": "name",
        "train": 3,
        "test": 1,
        "image_shape": [4, 4, 1],
        "classes": ["a", "b"],
    }
