from pathlib import Path

import numpy as np
import pytest

from tests.support.stand_ins import random_state_dict
from tfelastic import data, zoo
from tfelastic.errors import DataError
from tfelastic.zoo.pretrained import pytorch_state

SHARED = Path(__file__).parents[4] / "shared"


def build(name="resnet8", **options):
    return zoo.build(name, input_shape=(32, 32, 3), classes=10, **options)


@pytest.fixture
def arrays():
    return random_state_dict(blocks=1)


def save(tmp_path, arrays):
    np.savez(tmp_path / "weights.npz", **arrays)
    return tmp_path / "weights.npz"


def test_weights_reach_their_layers_in_keras_order(tmp_path, arrays):
    model = build()
    zoo.load_resnet_cifar(model, save(tmp_path, arrays))
    kernel = np.asarray(model.get_layer("stage3_block1_conv1").kernel)
    assert kernel[2, 0, 5, 7] == arrays["layer3.0.conv1.weight"][7, 5, 2, 0]
    bn = model.get_layer("stage2_block1_conv2_bn")
    for name, key in (
        ("gamma", "weight"),
        ("beta", "bias"),
        ("moving_mean", "running_mean"),
        ("moving_variance", "running_var"),
    ):
        np.testing.assert_array_equal(getattr(bn, name), arrays[f"layer2.0.bn2.{key}"])
    np.testing.assert_array_equal(model.get_layer("logits").kernel, arrays["linear.weight"].T)


def test_weights_are_given_back_as_they_were_read(tmp_path, arrays):
    model = build()
    zoo.load_resnet_cifar(model, save(tmp_path, arrays))
    found = pytorch_state(model)
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)


def _drop(arrays):
    del arrays["layer3.0.conv2.weight"]


def _add(arrays):
    arrays["layer3.1.conv1.weight"] = np.zeros((64, 64, 3, 3), np.float32)


def _reshape(arrays):
    arrays["linear.weight"] = np.zeros((100, 64), np.float32)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_drop, "lacks 'layer3.0.conv2.weight'"),
        (_add, "'resnet8' has no place for 'layer3.1.conv1.weight'"),
        (_reshape, r"'linear.weight' .*shape \(64, 100\).*logits/kernel' has \(64, 10\)"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_nothing_is_loaded(
    tmp_path, arrays, damage, message
):
    damage(arrays)
    model = build()
    before = model.get_weights()
    with pytest.raises(DataError, match=message):
        zoo.load_resnet_cifar(model, save(tmp_path, arrays))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_another_networks_weights_are_refused(tmp_path, arrays):
    with pytest.raises(DataError, match=r"lacks 'layer1.1.conv1.weight'"):
        zoo.load_resnet_cifar(build("resnet20"), save(tmp_path, arrays))
    with pytest.raises(DataError, match="is no CIFAR ResNet with shortcut 'A'"):
        zoo.load_resnet_cifar(build(shortcut="B"), save(tmp_path, arrays))
    with pytest.raises(DataError, match="is no CIFAR ResNet"):
        zoo.load_resnet_cifar(build("vgg16_cifar"), save(tmp_path, arrays))


def test_a_missing_or_damaged_file_is_named(tmp_path, arrays):
    (tmp_path / "text.npz").write_text("no weights")
    (tmp_path / "torn.npz").write_bytes(save(tmp_path, arrays).read_bytes()[:-100])
    np.save(tmp_path / "array.npy", arrays["conv1.weight"])
    for name in ("absent.npz", "text.npz", "torn.npz", "array.npy"):
        with pytest.raises(DataError, match=f"cannot read weights from .*{name}"):
            zoo.load_resnet_cifar(build(), tmp_path / name)


# On these 1,000 images of CIFAR-10 (JPEG q75); on all 10,000: 81.2 % and 83.1 %.
@pytest.mark.parametrize(("name", "accuracy"), [("resnet20", 0.809), ("resnet56", 0.832)])
def test_pretrained_networks_reach_their_accuracy(name, accuracy, cifar10_test):
    path = SHARED / "models" / f"{name}_cifar10.npz"
    if not path.is_file():
        pytest.skip(f"the shared models are not here: {path}")
    model = build(name)
    zoo.load_resnet_cifar(model, path)
    logits = model.predict(cifar10_test.images.astype("float32"), batch_size=250, verbose=0)
    reached = np.mean(logits.argmax(axis=1) == cifar10_test.labels)
    assert reached == pytest.approx(accuracy, abs=0.004)


@pytest.fixture(scope="module")
def cifar10_test():
    path = SHARED / "data" / "tfds" / "cifar10_jpeg75" / "1.0.0"
    if not path.is_dir():
        pytest.skip(f"the shared data are not here: {path}")
    dataset = data.load(path)
    assert dataset.name == "CIFAR-10 (JPEG q75)"
    return dataset.test.take(np.arange(1000))
