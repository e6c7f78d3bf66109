"""The library on Keras' JAX backend, where no tensorflow can be imported. Run as a script."""

import sys


class Refuse:
    """Makes importing tensorflow fail."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == "tensorflow":
            raise ImportError("the library must not import tensorflow")


sys.meta_path.insert(0, Refuse())

import keras  # noqa: E402
import numpy as np  # noqa: E402

import tfelastic as te  # noqa: E402
from tests.support.inference import random_inputs, run  # noqa: E402
from tests.support.oracles import difference, masked  # noqa: E402
from tests.support.random_models import NAMED, ModelSpec, build, random_plan  # noqa: E402

PARTS = ("depthwise", "squeeze_excite", "nested", "operators", "split_at")
RECIPES = [NAMED["residual"], ModelSpec(PARTS)]


def check_pruning(spec: ModelSpec) -> None:
    """Law 2, and law 4's parameters."""
    model = build(spec)
    graph, inputs = te.trace(model), random_inputs(model)
    plan = random_plan(graph, 1)
    pruned = te.prune(model, plan)
    assert te.cost(graph, plan).params == pruned.count_params()
    assert difference(masked(graph, plan, inputs), run(pruned, inputs)) < 1e-4


def tiny() -> keras.Model:
    """Return a small net with all that is shared or a rung's own; on JAX every new shape costs time."""
    keras.utils.set_random_seed(0)
    parts = [keras.layers.Conv2D(8, 3), keras.layers.BatchNormalization(), keras.layers.ReLU()]
    ending = [keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((4, 4, 1)), *parts, *ending])


IMAGES = np.random.default_rng(0).normal(size=(8, 4, 4, 1)).astype("float32")
TARGETS = np.ones((8, 3), "float32")


def predicted(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return model.predict(images, verbose=0)


def check_elastic() -> None:
    """Training moves shared and own variables, drawn rungs too; a width is added; rungs are their cuts."""
    model = tiny()
    ladder = te.ladder(model, widths=(1.0, 0.875, 0.75, 0.5, 0.25), round_to=1)
    net = te.ElasticModel(model, ladder)
    net.compile(keras.optimizers.SGD(0.01), "mse")
    # All but biases before a BatchNorm, which takes them out again.
    moving = [weight for weight in net.weights if not weight.name.endswith("bias")]
    before = [weight.numpy() for weight in moving]
    looking = te.RungMetrics((IMAGES, TARGETS), metrics=["mae"])
    # Six steps, each of which draws two of the three middle rungs; this seed leaves none out.
    history = net.fit(IMAGES, TARGETS, epochs=6, verbose=0, callbacks=[looking]).history
    for weight, old in zip(moving, before, strict=True):
        assert not np.array_equal(weight.numpy(), old), weight.path
    error = np.abs(predicted(net.rung("w025"), IMAGES) - TARGETS).mean()
    np.testing.assert_allclose(history["w025_mae"][-1], error, rtol=1e-5)
    finer = net.with_widths([0.625], IMAGES, round_to=1)
    for name in ("w062", "w025"):
        one, other = (predicted(m, IMAGES) for m in (finer.rung(name), finer.cut(name)))
        assert np.array_equal(one, other), name


def check_growing() -> None:
    """Law 7: the core is the same to the last bit after the level around it has been trained."""
    model = tiny()
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), "mse")
    cores: dict[str, list[np.ndarray]] = {}

    def keep(level: keras.Model) -> None:
        level.compile_from_config(model.get_compile_config())
        cores[level.name] = level.net.cut("w050").get_weights()

    ladder = te.ladder(model, widths=(1.0, 0.5), round_to=1)
    net = te.prune_and_grow(
        model, (IMAGES, TARGETS), ladder=ladder, training=te.LevelTraining(epochs=1, compile=keep)
    )
    after = net.cut("w050").get_weights()
    assert all(map(np.array_equal, cores["w100"], after))
    assert not all(map(np.array_equal, cores["w050"], after))
    whole = te.prune(model, ladder.rungs[0].plan).get_weights()
    assert not any(map(np.array_equal, whole, net.cut("w100").get_weights()))


def check_blocks() -> None:
    """Direct removal drops the block that hurts least."""
    x = inputs = keras.Input((3,))
    for name, scale in (("large", 3.0), ("small", 0.1)):
        bias = keras.initializers.Constant(scale)
        branch = keras.layers.Dense(3, kernel_initializer="zeros", bias_initializer=bias)
        x = keras.layers.Add(name=name)([x, branch(x)])
    model = keras.Model(inputs, x)
    report = te.remove_blocks(
        model, evaluate=lambda net: float(net(np.zeros((1, 3)))[0, 0]), budget=1
    )
    assert report.plan.removed == ("small",)
    assert report.model.count_params() == model.count_params() // 2


def check_calibration() -> None:
    norm = keras.layers.BatchNormalization()
    images = np.random.default_rng(0).normal(2.0, 3.0, (8, 4, 4, 3)).astype("float32")
    te.recalibrate(keras.Sequential([keras.Input((4, 4, 3)), norm]), images, batch_size=4)
    batches = images.reshape(2, 64, 3)
    np.testing.assert_allclose(norm.moving_variance, batches.var(axis=1).mean(axis=0), rtol=1e-4)


if __name__ == "__main__":
    assert keras.backend.backend() == "jax"
    for spec in RECIPES:
        check_pruning(spec)
    check_elastic()
    check_growing()
    check_blocks()
    check_calibration()
    assert "tensorflow" not in sys.modules
    print("holds on jax")  # noqa: T201
