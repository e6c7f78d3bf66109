import keras
import numpy as np
import pytest

import tfelastic as te
from tfelastic import zoo
from tfelastic.errors import GraphError

RANDOM = np.random.default_rng(0)


def cifar(name, **options):
    return zoo.build(name, input_shape=(32, 32, 3), classes=10, **options)


def pixels(size, count=2, channels=3):
    return RANDOM.integers(0, 256, (count, size, size, channels)).astype("float32")


def trainable(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.fixture
def blank(monkeypatch):
    """Counting needs no random numbers, and 138 million of them take a while."""
    for name in ("HeNormal", "GlorotUniform"):
        monkeypatch.setattr(keras.initializers, name, lambda seed: "zeros")


@pytest.mark.parametrize(
    ("name", "shortcut", "count"),
    [
        ("resnet8", "A", 75_290),
        ("resnet20", "A", 269_722),
        ("resnet20", "B", 272_474),
        ("resnet32", "A", 464_154),
        ("resnet44", "A", 658_586),
        ("resnet56", "A", 853_018),
        ("resnet110", "A", 1_727_962),
    ],
)
def test_cifar_resnets_have_the_published_trainable_parameters(name, shortcut, count, blank):
    assert trainable(cifar(name, shortcut=shortcut)) == count


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet50", 25_636_712),
        ("mobilenet_v2", 3_538_984),
        ("vgg16", 138_357_544),
        ("alexnet", 61_100_840),
    ],
)
def test_imagenet_networks_have_the_published_parameters(name, count, blank):
    assert zoo.build(name, input_shape=(224, 224, 3), classes=1000).count_params() == count


@pytest.mark.parametrize(
    ("name", "count"),
    [("vgg16_cifar", 14_987_722), ("alexnet_cifar", 7_507_914), ("mobilenet_v2_cifar", 2_236_682)],
)
def test_cifar_networks_have_the_parameters_that_their_pages_state(name, count, blank):
    assert trainable(cifar(name)) == count


def randomize(model):
    """Give a network weights and statistics behind which no wrong connection can hide."""
    for variable in model.weights:
        noise = RANDOM.normal(size=variable.shape)
        if variable.path.endswith(("variance", "gamma")):
            variable.assign(1 + 0.3 * np.tanh(noise))
        elif len(variable.shape) > 1:
            variable.assign(noise / np.sqrt(np.prod(variable.shape[:-1])))
        else:
            variable.assign(0.3 * noise)


def assert_close(actual, expected):
    assert np.std(expected) > 0
    assert np.abs(actual - expected).max() < 1e-3 * np.abs(expected).max()


def test_vgg16_is_the_function_of_keras_applications(blank):
    theirs = keras.applications.VGG16(
        weights=None, input_shape=(32, 32, 3), classes=10, classifier_activation=None
    )
    ours = zoo.build("vgg16", input_shape=(32, 32, 3), classes=10, mean=0.0, std=1.0)
    randomize(theirs)
    ours.set_weights(theirs.get_weights())
    images = pixels(32)
    assert_close(ours.predict(images, verbose=0), theirs.predict(images / 255, verbose=0))


def test_resnet50_is_the_function_of_keras_applications(blank):
    theirs = keras.applications.ResNet50(
        weights=None, input_shape=(64, 64, 3), classes=10, classifier_activation=None
    )
    ours = zoo.build("resnet50", input_shape=(64, 64, 3), classes=10, mean=0.5, std=0.25)
    randomize(theirs)
    names = {"stem": "conv1_conv", "stem_bn": "conv1_bn", "logits": "predictions"}
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(1, blocks + 1):
            for mine, its in (("conv1", 1), ("conv2", 2), ("conv3", 3), ("shortcut", 0)):
                names[f"stage{stage}_block{block}_{mine}"] = (
                    f"conv{stage + 1}_block{block}_{its}_conv"
                )
                names[f"stage{stage}_block{block}_{mine}_bn"] = (
                    f"conv{stage + 1}_block{block}_{its}_bn"
                )
    for layer in ours.layers:
        if layer.weights:
            layer.set_weights(theirs.get_layer(names[layer.name]).get_weights())
    images = pixels(64)
    expected = theirs.predict((images / 255 - 0.5) / 0.25, verbose=0)
    assert_close(ours.predict(images, verbose=0), expected)


def until(model, name):
    return keras.Model(model.input, model.get_layer(name).output)


def test_shortcut_a_subsamples_and_pads_with_zero_channels():
    model = cifar("resnet8")
    for stage, before in ((2, "stage1_block1_relu"), (3, "stage2_block1_relu")):
        images = pixels(32)
        x = until(model, before).predict(images, verbose=0)
        quarter = x.shape[-1] // 2
        expected = np.pad(x[:, ::2, ::2], [(0, 0)] * 3 + [(quarter, quarter)])
        shortcut = until(model, f"stage{stage}_block1_shortcut").predict(images, verbose=0)
        np.testing.assert_array_equal(shortcut, expected)


def test_a_convolution_of_stride_two_pads_every_side():
    model = cifar("resnet8")
    images = pixels(32)
    x = until(model, "stage1_block1_relu").predict(images, verbose=0)
    kernel = keras.ops.convert_to_numpy(model.get_layer("stage2_block1_conv1").kernel)
    y = until(model, "stage2_block1_conv1").predict(images, verbose=0)
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    assert y.shape[1:3] == (16, 16)
    for row, column in ((0, 0), (3, 15), (15, 15)):
        window = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        expected = np.einsum("bhwc,hwco->bo", window, kernel)
        np.testing.assert_allclose(y[:, row, column], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("channels", "mean", "std"),
    [(3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), (1, 0.5, 0.5), (4, 0.5, 0.5)],
)
def test_raw_pixels_are_normalised_inside_without_weights(channels, mean, std):
    model = zoo.build("resnet8", input_shape=(16, 16, channels), classes=2)
    images = pixels(16, channels=channels)
    inside = until(model, "preprocess")
    expected = (images / 255 - np.array(mean)) / np.array(std)
    np.testing.assert_allclose(inside.predict(images, verbose=0), expected, atol=1e-5)
    assert inside.count_params() == 0


def test_layer_names_tell_the_place():
    names = {layer.name for layer in cifar("resnet20", shortcut="B").layers}
    expected = "stem stage2_block1_conv1 stage2_block1_conv1_bn stage2_block1_conv2 logits"
    assert set(expected.split()) < names
    assert "stage2_block1_shortcut_bn" in names


def test_the_seed_fixes_the_weights_and_no_two_layers_share_them():
    first, again, other = (cifar("resnet8", seed=seed).get_weights() for seed in (0, 0, 1))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    kernels = [w for w in first if w.shape == (3, 3, 16, 16)]
    assert len(kernels) == 2
    assert not np.array_equal(*kernels)


@pytest.mark.parametrize("options", [{"shortcut": "A"}, {"shortcut": "B"}])
def test_a_saved_network_loads_as_it_was(tmp_path, options):
    model = cifar("resnet8", **options)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = pixels(32)
    expected = model.predict(images, verbose=0)
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), expected)
    assert trainable(loaded) == trainable(model)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("resnet21", {}, r"unknown zoo model 'resnet21'.*known: alexnet, .*vgg16"),
        ("resnet20", {"depth": 3}, "'resnet20' has no option 'depth'; it takes shortcut"),
        ("resnet20", {"shortcut": "C"}, "shortcut must be 'A' .* or 'B' .*got 'C'"),
        ("resnet20", {"input_shape": (32, 32)}, "three positive integers"),
        ("resnet20", {"classes": 0}, "classes must be a positive integer, got 0"),
        ("resnet20", {"mean": (1, 2)}, "one for each of the 3 channels, got 2 numbers"),
        ("resnet20", {"std": 0.0}, "std must be positive"),
        (
            "vgg16",
            {"input_shape": (16, 16, 3)},
            r"'vgg16' cannot be built for inputs \(16, 16, 3\)",
        ),
        ("vgg16", {"dropout": 2.0}, r"cannot be built .* with \{'dropout': 2.0\}"),
    ],
)
def test_a_wrong_argument_is_named(name, changes, message):
    arguments = {"input_shape": (32, 32, 3), "classes": 10} | changes
    with pytest.raises(GraphError, match=message):
        zoo.build(name, **arguments)


def shapes(model, input_shape):
    """Return the shapes of the outputs for two examples, without the batch."""
    shaped = input_shape if isinstance(input_shape, dict) else {"": input_shape}
    inputs = {name: np.zeros((2, *shape), "float32") for name, shape in shaped.items()}
    outputs = model(inputs if isinstance(input_shape, dict) else inputs[""])
    if isinstance(outputs, dict):
        return {name: tuple(output.shape[1:]) for name, output in outputs.items()}
    return tuple(outputs.shape[1:])


def values(name, **options):
    arguments = {"input_shape": (49, 10, 1), "classes": 12} | options
    return zoo.build(name, **arguments)


def test_ds_cnn_has_the_published_parameters(blank):
    # MLPerf Tiny's reference trains 23,756 (as NXP's eIQ Model Zoo lists it), with biases in its nine convolutions of
    # 64 channels, which BatchNorm makes superfluous; our input has a BatchNorm of its own, of one channel.
    assert trainable(values("ds_cnn")) == 23_756 - 9 * 64 + 2


@pytest.mark.parametrize(
    ("name", "input_shape", "classes", "output_shape"),
    [
        ("ds_cnn", (49, 10, 1), 4, (4,)),
        ("cnn1d", (128, 3), 3, (3,)),
        (
            "cnn1d",
            (128, 3),
            {"gesture": 3, "strength": 1},
            {"gesture": (3,), "strength": (1,)},
        ),
        ("two_branches", {"motion": (128, 3), "sound": (49, 10, 1)}, 4, (4,)),
        ("unet", (48, 32, 3), 4, (48, 32, 4)),
    ],
)
def test_every_pruned_half_of_an_example_network_runs(name, input_shape, classes, output_shape):
    model = zoo.build(name, input_shape=input_shape, classes=classes)
    assert shapes(model, input_shape) == output_shape
    graph = te.trace(model)
    half = te.prune(graph, te.plan(graph, budget=te.Budget(params=0.5)))
    assert shapes(half, input_shape) == output_shape
    assert half.count_params() < 0.55 * model.count_params()


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("cnn1d", {}, r"'cnn1d' takes one input_shape \(steps, channels\)"),
        ("ds_cnn", {"input_shape": {"a": (4, 4, 1)}}, r"'ds_cnn' takes one input_shape \(frames"),
        ("ds_cnn", {"input_shape": (49,)}, r"windows \(steps, channels\) or spectra"),
        ("ds_cnn", {"mean": 0.5}, "leave out mean and std"),
        ("ds_cnn", {"classes": {}}, "classes must be a positive integer"),
        ("two_branches", {}, "takes a dict of inputs"),
        ("unet", {"input_shape": (50, 48, 3)}, r"multiples of 4, got \(50, 48\)"),
        ("resnet8", {"input_shape": {"a": (8, 8, 3)}}, "three positive integers"),
    ],
)
def test_what_an_example_network_cannot_take_is_refused(name, changes, message):
    with pytest.raises(GraphError, match=message):
        values(name, **changes)
