import numpy as np
import pytest

from tfelastic.data import load
from tfelastic.errors import DataError

WINDOWS = np.arange(40.0).reshape(20, 2)
LABELS = np.repeat([0, 1], 10)


def saved(tmp_path, **arrays):
    path = tmp_path / "windows.npz"
    np.savez(path, **arrays)
    return path


def test_arrays_of_a_file_are_the_splits(tmp_path):
    path = saved(tmp_path, x=WINDOWS, y=LABELS, x_test=WINDOWS[:4], y_test=LABELS[:4])
    dataset = load(path)
    assert dataset.name == "windows"
    assert dataset.classes == ("0", "1")
    np.testing.assert_array_equal(dataset.train.inputs, WINDOWS)
    np.testing.assert_array_equal(dataset.test.targets, LABELS[:4])


def test_without_test_arrays_a_fifth_is_drawn_by_the_seed(tmp_path):
    path = saved(tmp_path, x=WINDOWS, y=LABELS, classes=["no", "yes"])
    dataset, other = load(path), load(path, seed=1)
    assert (len(dataset.train), len(dataset.test)) == (16, 4)
    assert np.bincount(dataset.test.targets).tolist() == [2, 2]
    held = np.concatenate([dataset.train.inputs, dataset.test.inputs])
    assert sorted(held.ravel()) == sorted(WINDOWS.ravel())
    assert not np.array_equal(dataset.test.inputs, other.test.inputs)
    assert dataset.classes == ("no", "yes")


def test_several_inputs_and_targets_have_names(tmp_path):
    arrays = {
        "x/motion": WINDOWS,
        "x/sound": -WINDOWS,
        "y/class": LABELS,
        "y/level": WINDOWS[:, :1],
    }
    dataset = load(saved(tmp_path, **arrays))
    assert set(dataset.train.inputs) == {"motion", "sound"}
    assert dataset.classes == {"class": ("0", "1"), "level": ()}
    np.testing.assert_array_equal(dataset.train.inputs["motion"], -dataset.train.inputs["sound"])


def test_rows_of_zeros_and_ones_have_a_class_per_column(tmp_path):
    assert load(saved(tmp_path, x=WINDOWS, y=np.eye(3, dtype=int)[LABELS])).classes == (
        "0",
        "1",
        "2",
    )


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": WINDOWS}, "lacks the array 'y'; it holds x"),
        ({"x": WINDOWS, "y": LABELS, "z": LABELS}, "holds the array 'z'; known are x, y"),
        ({"x": WINDOWS, "y": LABELS, "x_test": WINDOWS}, "both 'x_test' and 'y_test', or neither"),
        ({"x": WINDOWS, "x/a": WINDOWS, "y": LABELS}, "both 'x' and 'x/a'"),
        ({"x": WINDOWS[:1], "y": LABELS[:1]}, "too few for a training and a test split"),
        ({"x": WINDOWS, "y": np.array([None] * 20)}, "cannot read .*without Python objects"),
        ({"x": WINDOWS, "y": LABELS, "x_test": WINDOWS[:, :1], "y_test": LABELS}, "same shape"),
    ],
)
def test_a_file_that_holds_no_data_set_is_refused(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        load(saved(tmp_path, **arrays))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "damaged.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read .*damaged\.npz"):
        load(path)


def test_a_missing_file_is_not_mistaken_for_a_tfds_name():
    with pytest.raises(DataError, match=r"absent\.npz does not exist"):
        load("absent.npz")
