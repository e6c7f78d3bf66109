import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfelastic.data import Dataset, Split, limited, stratified_order
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
    with pytest.raises(DataError, match=f"between 1 and 10 training examples, got {limit}"):
        limited(split(range(10)), limit, seed=0)


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.zeros(3, np.float32), [0, 1, 1], r"at least two axes, got \[3\]"),
        (np.array([["a"], ["b"]]), [0, 1], "input must be numbers, got <U1"),
        (np.zeros((2, 4)), ["a", "b"], "target must be numbers"),
        (np.zeros((2, 4), complex), [0, 1], "must be real numbers"),
        (np.zeros((2, 4, 4, 1), np.uint8), [0, 1, 1], "2 inputs, 3 targets"),
        (
            {"a": np.zeros((2, 4)), "b": np.zeros((3, 4))},
            [0, 1],
            "2 inputs a, 2 targets, 3 inputs b",
        ),
        (np.zeros((0, 4, 4, 1), np.uint8), np.zeros(0, int), "at least one example"),
        ({}, [0], "at least one input"),
        (np.array([[1.0], [np.nan]]), [0, 1], "at example 1 that is not a finite"),
        (np.array([[1.0], [1e300]]), [0, 1], "at example 1 that is not a finite"),
        ({"x": np.zeros((2, 1))}, {"y": [0.0, np.inf]}, "target 'y' holds a value at example 1"),
    ],
)
def test_a_malformed_split_is_refused(inputs, targets, message):
    with pytest.raises(DataError, match=message):
        Split(inputs, targets if isinstance(targets, dict) else np.asarray(targets))


def test_types_are_kept_apart():
    split = Split(
        {
            "pixels": np.zeros((2, 3, 3, 1), np.uint8),
            "values": np.zeros((2, 4)),
            "words": [[1], [2]],
        },
        {"class": np.array([0, 1], np.uint8), "value": np.array([0.5, 1.0])},
    )
    assert {name: str(array.dtype) for name, array in split.inputs.items()} == {
        "pixels": "uint8",
        "values": "float32",
        "words": "int64",
    }
    assert {name: str(array.dtype) for name, array in split.targets.items()} == {
        "class": "int64",
        "value": "float32",
    }
    assert split.take(np.array([1])).inputs["words"].tolist() == [[2]]


def test_images_and_labels_are_asked_for_where_there_are_any():
    assert split([0, 1]).images.shape == (2, 4, 4, 1)
    assert split([0, 1]).labels.tolist() == [0, 1]
    windows = Split(np.zeros((2, 8, 3)), np.zeros((2, 1)))
    with pytest.raises(DataError, match=r"uint8 images .* got float32 \[2, 8, 3\]"):
        _ = windows.images
    with pytest.raises(DataError, match=r"one class per example.* got float32 \[2, 1\]"):
        _ = windows.labels


def test_a_limit_without_classes_is_drawn_by_the_seed():
    values = Split(np.arange(50.0).reshape(-1, 1), np.arange(50.0))
    kept = limited(values, 20, seed=1).inputs.ravel().tolist()
    assert kept == sorted(kept)
    assert set(kept) < set(limited(values, 30, seed=1).inputs.ravel().tolist())
    assert kept != limited(values, 20, seed=2).inputs.ravel().tolist()


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_without_a_class_is_refused(label):
    with pytest.raises(DataError, match=r"test split run from .* 2 classes allow 0 to 1"):
        Dataset("name", ("a", "b"), split([0, 1]), split([0, label, 1]))


def test_splits_of_different_shapes_are_refused():
    with pytest.raises(DataError, match="give images an image_size"):
        Dataset("name", ("a",), split([0]), split([0], size=5))


def test_description():
    dataset = Dataset("name", ("a", "b"), split([0, 1, 1]), split([0]))
    assert dataset.describe() == {
        "name": "name",
        "train": 3,
        "test": 1,
        "inputs": {"": {"shape": [4, 4, 1], "dtype": "uint8"}},
        "targets": {"": {"shape": [], "dtype": "int64"}},
        "classes": ["a", "b"],
    }


def test_every_value_of_both_splits_is_in_the_digest():
    def made(**changed):
        parts = {"x": 1, "y": 0, "x_test": 1, "y_test": 0} | changed
        train, test = (
            Split(
                np.full((2, 3, 3, 1), parts[f"x{end}"], np.uint8), np.array([0, parts[f"y{end}"]])
            )
            for end in ("", "_test")
        )
        return Dataset("name", ("a", "b"), train, test).sha256

    digests = [made(), made(x=2), made(y=1), made(x_test=2), made(y_test=1)]
    assert len(set(digests)) == 5
    assert made() == digests[0]
