"""The library on Keras' JAX backend, where no tensorflow can be imported. Run as a script."""

import sys
from pathlib import Path


class Refuse:
    """Makes importing tensorflow fail."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == "tensorflow":
            raise ImportError("the library must not import tensorflow")


sys.meta_path.insert(0, Refuse())
sys.path.insert(0, str(Path(__file__).parents[1] / "laws"))

import keras  # noqa: E402
import numpy as np  # noqa: E402
from generated import NAMED, ModelSpec, build, random_inputs, random_plan, run  # noqa: E402
from oracles import difference, masked  # noqa: E402

import tfelastic as te  # noqa: E402

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


def check_elastic() -> None:
    """One step of training moves shared and own variables; rungs and cuts agree to the last bit."""
    model = build(NAMED["residual"])
    net = te.ElasticModel(model, te.ladder(model, widths=(1.0, 0.5), round_to=1))
    net.compile(keras.optimizers.SGD(0.01), "mse")
    (images,) = random_inputs(model, count=8)
    # All but biases before a BatchNorm, which takes them out again.
    moving = [weight for weight in net.weights if not weight.name.endswith("bias")]
    before = [weight.numpy() for weight in moving]
    net.fit(images, np.zeros((8, 3), "float32"), batch_size=8, epochs=1, verbose=0)
    for weight, old in zip(moving, before, strict=True):
        assert not np.array_equal(weight.numpy(), old), weight.path
    net.recalibrate(images, batch_size=4)
    for name in net.names:
        one, other = (m.predict(images, verbose=0) for m in (net.rung(name), net.cut(name)))
        assert np.array_equal(one, other), name


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
    check_calibration()
    assert "tensorflow" not in sys.modules
    print("holds on jax")  # noqa: T201
