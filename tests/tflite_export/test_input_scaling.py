"""A net that was trained on images scaled outside of it is noticed; one that scales them itself is not."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
import tflite_export as tx
from tests.support.corners import IMAGES, LABELS, SCALINGS, net


@pytest.mark.parametrize("name", SCALINGS)
def test_a_net_trained_on_scaled_images_is_noticed_and_the_layer_named(name):
    hint = tx.scaling_hint(net(name), IMAGES, LABELS)
    assert "accuracy is 25.0% with raw pixels" in hint
    assert "100.0% with images scaled as" in hint
    assert f"keras.layers.Rescaling({name})" in hint


@pytest.mark.parametrize("name", SCALINGS)
def test_floats_of_whole_numbers_are_pixels_too(name):
    assert tx.scaling_hint(net(name), IMAGES.astype("float32"), LABELS)


def test_a_net_that_scales_them_itself_gets_no_hint():
    inside = net("1 / 255", scaling=layers.Rescaling(1 / 255))
    assert tx.scaling_hint(inside, IMAGES, LABELS) == ""


def test_neither_do_nets_that_are_given_scaled_images_or_learned_nothing():
    assert tx.scaling_hint(net("1 / 255"), IMAGES / 255, LABELS) == ""
    unlearned = np.random.default_rng(1).permutation(LABELS)
    for name in SCALINGS:
        assert tx.scaling_hint(net(name), IMAGES, unlearned) == ""


class Test:
    inputs, targets = IMAGES, LABELS


def elastic(model: keras.Model) -> te.ElasticModel:
    whole = te.KeepPlan(te.trace(model).fingerprint)
    made = te.ElasticModel(model, te.Ladder((te.Rung("w100", 1.0, whole),)))
    made.compile(loss=model.loss)
    return made


def test_an_export_reports_it_in_its_table_and_its_data(tmp_path):
    path = tmp_path / "net.elastic"
    report = tx.export(elastic(net("1 / 255")), path, samples=IMAGES, test=Test, scheme="float32")
    hint = report.variants[0].verification.hint
    assert report.variants[0].verification.passed
    assert "keras.layers.Rescaling(1 / 255)" in hint
    assert hint in str(report)
    again = tx.ExportReport.from_json(json.loads(json.dumps(report.to_json())))
    assert again.variants[0].verification.hint == hint


def test_the_error_of_a_net_that_answers_all_raw_pixels_alike_has_it_too(tmp_path):
    saturated = elastic(net("1 / 255", activation="sigmoid"))
    with pytest.raises(tx.VerificationError, match=r"same output.*add this as its first layer"):
        tx.export(saturated, tmp_path / "net.elastic", samples=IMAGES, test=Test)
