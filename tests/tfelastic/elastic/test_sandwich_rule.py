"""The sandwich: which rungs a step trains, on ladders of any length, and what their losses are made of."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers, ops

import tfelastic as te

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(32, 6, 6, 1)).astype("float32")
LABELS = (IMAGES.mean(axis=(1, 2, 3)) > 0).astype("int32")
WIDTHS = (1.0, 0.75, 0.625, 0.5, 0.375, 0.25)


def features(inputs: keras.KerasTensor, **options: object) -> keras.KerasTensor:
    x = layers.Conv2D(16, 3, use_bias=False, **options)(inputs)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.5)(x))
    return layers.GlobalAveragePooling2D()(x)


def classifier(**options: object) -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    return keras.Model(inputs, layers.Dense(2)(features(inputs, **options)))


def elastic(
    model: keras.Model, widths: tuple[float, ...] = (1.0, 0.5), **options: object
) -> te.ElasticModel:
    return te.ElasticModel(model, te.ladder(model, widths=widths, round_to=2), **options)


def scores() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def moved(net: te.ElasticModel, step: Callable[[], object]) -> list[str]:
    """Return the narrower rungs whose statistics a step moves."""
    before = [view.statistics[0].numpy() for view in net.narrow]
    step()
    pairs = zip(net.narrow, before, strict=True)
    return [view.name for view, old in pairs if not np.array_equal(view.statistics[0], old)]


@pytest.mark.parametrize("jit", [False, True])
def test_a_step_trains_the_narrowest_and_two_others_drawn_anew(jit: bool) -> None:
    net = elastic(classifier(), WIDTHS, seed=1)
    net.compile(keras.optimizers.SGD(0.1), scores(), jit_compile=jit)
    drawn = [
        moved(net, lambda: net.train_on_batch(IMAGES, LABELS)) for _ in range(4 if jit else 12)
    ]
    for names in drawn:
        assert len(names) == 3
        assert names[-1] == "w025"
    if not jit:
        assert {name for names in drawn for name in names} == set(net.names[1:])
        assert len(set(map(tuple, drawn))) > 3


def test_the_draws_follow_from_the_seed() -> None:
    def drawn(seed: int) -> list[list[str]]:
        net = elastic(classifier(), WIDTHS, seed=seed)
        net.compile("sgd", scores())
        outputs = net(IMAGES, training=True)
        return [moved(net, lambda: net.compute_loss(IMAGES, LABELS, outputs)) for _ in range(4)]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


def test_a_drawn_rung_gets_the_same_loss_and_statistics_as_a_called_one() -> None:
    model = classifier()
    nets = [elastic(model, WIDTHS), elastic(model, WIDTHS)]
    for net in nets:
        net.compile("sgd", scores())
    drawing, calling = nets
    outputs = drawing(IMAGES, training=True)
    taught = te.Distillation()
    whole = float(scores()(LABELS, outputs))
    expected = whole
    names = []

    def step() -> None:
        nonlocal found
        found = float(drawing.compute_loss(IMAGES, LABELS, outputs, training=True))

    found = 0.0
    names = moved(drawing, step)
    for name in names:
        narrow = calling.rung(name)(IMAGES, training=True)
        expected += float(taught.loss(outputs, narrow, ending="logits"))
        pairs = zip(drawing.rung(name).statistics, calling.rung(name).statistics, strict=True)
        assert all(np.allclose(one, other) for one, other in pairs)
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_ladder_of_four_trains_every_rung_at_every_step() -> None:
    net = elastic(classifier(), (1.0, 0.75, 0.5, 0.25))
    net.compile("sgd", scores(), run_eagerly=True)
    assert moved(net, lambda: net.train_on_batch(IMAGES, LABELS)) == list(net.names[1:])


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_regularizers_count_once(weight: float) -> None:
    model = classifier(kernel_regularizer=keras.regularizers.L2(0.1))
    net = elastic(model, distillation=te.Distillation(weight=weight))
    net.compile("sgd", scores())
    wide, narrow = (net.rung(name)(IMAGES, training=True) for name in net.names)
    decay = 0.1 * float(ops.sum(ops.square(model.layers[1].kernel)))
    taught = float(te.Distillation().loss(wide, narrow, ending="logits"))
    labels = [float(scores()(LABELS, outputs)) for outputs in (wide, narrow)]
    assert float(net.compute_loss(IMAGES, LABELS, wide, training=True)) == pytest.approx(
        labels[0] + weight * taught + (1 - weight) * labels[1] + decay, rel=1e-5
    )


def two_headed() -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    x = features(inputs)
    kind = layers.Dense(2, activation="softmax", name="kind")(x)
    return keras.Model(inputs, [kind, layers.Dense(3, name="place")(x)])


def test_several_outputs_are_compared_each_as_what_it_is() -> None:
    net = elastic(two_headed(), distillation=te.Distillation(weight=0.5))
    losses = {"kind": "sparse_categorical_crossentropy", "place": "mse"}
    net.compile("sgd", loss=losses, loss_weights={"kind": 1.0, "place": 3.0}, jit_compile=False)
    places = np.ones((32, 3), "float32")
    found = net.fit(IMAGES, {"kind": LABELS, "place": places}, verbose=0).history
    assert {"loss", "kind_loss", "place_loss"} == set(found)
    wide, narrow = (net.rung(name)(IMAGES, training=True) for name in net.names)
    distil, expected = te.Distillation(), []
    for outputs in (wide, narrow):
        kind = ops.mean(keras.losses.sparse_categorical_crossentropy(LABELS, outputs[0]))
        expected.append(float(kind) + 3 * float(ops.mean(ops.square(places - outputs[1]))))
    taught = float(distil.loss(wide[0], narrow[0], ending="probabilities")) + 3 * float(
        distil.loss(wide[1], narrow[1], ending="values")
    )
    target = {"kind": LABELS, "place": places}
    assert float(net.compute_loss(IMAGES, target, wide, training=True)) == pytest.approx(
        expected[0] + 0.5 * taught + 0.5 * expected[1], rel=1e-4
    )


def test_regression_compares_values() -> None:
    net = elastic(classifier())
    net.compile("sgd", "mse")
    wide, narrow = (net.rung(name)(IMAGES, training=True) for name in net.names)
    target = np.zeros((32, 2), "float32")
    expected = ops.mean(ops.square(wide)) + ops.mean(ops.square(wide - narrow))
    assert float(net.compute_loss(IMAGES, target, wide, training=True)) == pytest.approx(
        float(expected), rel=1e-5
    )


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("by", ["sample", "class"])
def test_samples_of_weight_zero_train_no_rung(weight: float, by: str) -> None:
    net = elastic(classifier(), distillation=te.Distillation(weight=weight))
    net.compile(keras.optimizers.SGD(0.1), scores(), jit_compile=False)
    before = [variable.numpy() for variable in net.trainable_variables]
    given = (
        {"sample_weight": np.zeros(32)} if by == "sample" else {"class_weight": {0: 0.0, 1: 0.0}}
    )
    net.fit(IMAGES, LABELS, verbose=0, **given)
    assert all(map(np.array_equal, before, net.trainable_variables))


def test_sample_weights_weigh_the_teachers_part_for_each_output() -> None:
    net = elastic(two_headed())
    net.compile("sgd", loss=["sparse_categorical_crossentropy", "mse"], jit_compile=False)
    wide, narrow = (net.rung(name)(IMAGES, training=True) for name in net.names)
    weights = [np.arange(32) % 3, np.arange(32) % 5]
    labels = net.compute_loss(
        IMAGES, [LABELS, np.ones((32, 3))], wide, sample_weight=weights, training=False
    )
    taught = [
        float(te.Distillation().loss(one, other, ending=ending, sample_weight=weight))
        for one, other, ending, weight in zip(
            wide, narrow, ("probabilities", "values"), weights, strict=True
        )
    ]
    found = net.compute_loss(IMAGES, [LABELS, np.ones((32, 3))], wide, sample_weight=weights)
    assert float(found) == pytest.approx(float(labels) + sum(taught), rel=1e-4)


def test_trains_in_mixed_precision() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        net = elastic(classifier(), WIDTHS)
        net.compile(keras.optimizers.SGD(0.01), scores(), jit_compile=False)
        kernel = net.base.layers[1].kernel
        before = kernel.numpy()
        net.fit(IMAGES, LABELS, epochs=2, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert type(net.optimizer).__name__ == "LossScaleOptimizer"
    assert kernel.dtype == "float32"
    assert np.isfinite(kernel).all()
    assert not np.array_equal(kernel, before)
    assert net.rung("w050")(IMAGES).dtype == "float16"


def test_with_one_middle_rung_a_step_of_four_rungs_trains_three() -> None:
    net = elastic(classifier(), (1.0, 0.75, 0.5, 0.25), middle_rungs=1)
    net.compile("sgd", scores())
    drawn = [moved(net, lambda: net.train_on_batch(IMAGES, LABELS)) for _ in range(8)]
    assert {len(names) for names in drawn} == {2}
    assert {names[0] for names in drawn} == {"w075", "w050"}
    assert te.ElasticModel.from_config(net.get_config()).get_config()["middle_rungs"] == 1


def test_a_step_without_middle_rungs_is_refused() -> None:
    with pytest.raises(te.errors.TrainingError, match="received middle_rungs=0"):
        elastic(classifier(), middle_rungs=0)
