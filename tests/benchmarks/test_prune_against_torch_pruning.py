"""Both sides' figures become one line, and results that are kept are not computed again."""

import numpy as np
import pytest

import tfelastic as te
from benchmarks.prune_against_torch_pruning import digits, kept, row

MODEL = te.zoo.build("resnet8", input_shape=(32, 32, 3), classes=10)


def result(baseline: float, right: list[int]) -> dict:
    return {"baseline": baseline, "tuned": float(np.mean(right)), "right": right}


def test_the_difference_is_paired_over_the_test_images():
    found = row(MODEL, 2.1, result(0.9, [1, 1, 1, 0]), result(0.9, [1, 1, 0, 0]))
    assert found["difference"]["difference"] == 0.25
    assert found["difference"]["examples"] == 4
    assert found["ours"] == {"baseline": 0.9, "tuned": 0.75}


def test_without_torch_there_is_no_difference():
    assert row(MODEL, 2.1, result(0.9, [1, 0]), None)["difference"] is None


def test_weights_that_were_not_carried_over_right_are_noticed():
    with pytest.raises(RuntimeError, match=r"90\.00% right here and 80\.00% in PyTorch"):
        row(MODEL, 2.1, result(0.9, [1, 0]), result(0.8, [1, 0]))


def test_what_is_kept_is_not_computed_again(tmp_path):
    values = iter([None, {"tuned": 1}])
    found = [kept(tmp_path / "a.json", lambda: next(values)) for _ in range(3)]
    assert found == [None, {"tuned": 1}, {"tuned": 1}]


def test_digits_have_the_shape_of_cifar_images():
    dataset = digits()
    assert dataset.train.inputs.shape[1:] == (32, 32, 3)
    assert dataset.train.inputs.dtype == np.uint8
