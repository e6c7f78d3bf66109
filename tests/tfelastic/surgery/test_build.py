"""What a pruned model keeps of its original besides its function (which the laws test)."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te


def classifier(**options: object) -> keras.Model:
    inputs = keras.Input((6, 6, 3), name="pixels")
    x = layers.Conv2D(8, 3, name="stem", kernel_regularizer=keras.regularizers.L2(0.01), **options)(
        inputs
    )
    y = layers.Conv2D(8, 3, padding="same", name="branch")(layers.ReLU()(x))
    x = layers.GlobalAveragePooling2D()(layers.Add(name="sum")([x, y]))
    return keras.Model(inputs, layers.Dense(3, name="logits")(x), name="classifier")


def narrow(model: keras.Model) -> keras.Model:
    return te.prune(model, te.ladder(model, widths=(1, 0.5)).rungs[-1].plan)


def test_names_kinds_and_regularizers_are_kept() -> None:
    model = classifier()
    pruned = narrow(model)
    assert pruned.name == "classifier"
    assert [layer.name for layer in pruned.layers] == [layer.name for layer in model.layers]
    assert pruned.input.name == "pixels"
    assert (
        pruned.get_layer("stem").kernel_regularizer.l2
        == model.get_layer("stem").kernel_regularizer.l2
    )
    assert pruned.get_layer("stem").filters == pruned.get_layer("branch").filters == 4


def test_initializers_are_kept_and_not_shared() -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, kernel_initializer=keras.initializers.HeNormal(seed=5))(inputs)
    x = layers.BatchNormalization(gamma_initializer=keras.initializers.Constant(2.0))(x)
    x = layers.DepthwiseConv2D(3, depthwise_initializer="orthogonal")(x)
    x = layers.Reshape((-1, 16))(x)
    x = layers.MultiHeadAttention(2, 8, kernel_initializer="he_uniform")(x, x)
    x = layers.Embedding(4, 8, embeddings_initializer="ones")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Flatten()(x))
    pruned = te.prune(model, te.KeepPlan(te.trace(model).fingerprint))
    for before, after in zip(model.layers, pruned.layers, strict=True):
        kept, config = after.get_config(), before.get_config()
        names = [name for name in config if name.endswith("_initializer")]
        assert {name: kept[name] for name in names} == {name: config[name] for name in names}
        for name, value in vars(after).items():
            if isinstance(value, keras.initializers.Initializer):
                assert value is not vars(before)[name]


def test_a_sequential_model_stays_sequential() -> None:
    body = [layers.Conv2D(8, 3), layers.ReLU()]
    inner = keras.Sequential(
        [keras.Input((4, 4, 8)), layers.Conv2D(8, 3, name="inside")], name="inner"
    )
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), *body, inner, layers.Flatten(), layers.Dense(2)]
    )
    pruned = narrow(model)
    assert isinstance(pruned, keras.Sequential)
    assert isinstance(pruned.get_layer("inner"), keras.Sequential)
    assert pruned.get_layer("inner").get_layer("inside").kernel.shape == (3, 3, 4, 4)


def test_compile_state_is_kept() -> None:
    keras.utils.set_random_seed(0)
    model = classifier()
    assert not narrow(model).compiled
    model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"])
    pruned = narrow(model)
    assert pruned.optimizer.learning_rate == np.float32(0.02)
    images, wanted = np.ones((4, 6, 6, 3), "float32"), np.zeros((4, 3), "float32")
    before = pruned.evaluate(images, wanted, verbose=0)
    pruned.fit(images, wanted, epochs=30, verbose=0)
    assert pruned.evaluate(images, wanted, verbose=0)[0] < before[0]


def test_data_type_policies_are_kept() -> None:
    pruned = narrow(classifier(dtype="mixed_float16"))
    assert pruned.get_layer("stem").dtype_policy.name == "mixed_float16"
    assert pruned.get_layer("branch").dtype_policy.name == "float32"


def test_what_does_not_train_still_does_not() -> None:
    model = classifier()
    model.get_layer("stem").trainable = False
    pruned = narrow(model)
    assert [layer.trainable for layer in pruned.layers] == [
        layer.trainable for layer in model.layers
    ]
    assert len(pruned.trainable_variables) == len(model.trainable_variables)


def test_saves_and_loads(tmp_path: Path) -> None:
    pruned = narrow(classifier())
    pruned.save(tmp_path / "pruned.keras")
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
    loaded = keras.saving.load_model(tmp_path / "pruned.keras")
    assert np.array_equal(pruned(images), loaded(images))


def test_inputs_and_outputs_keep_their_nesting() -> None:
    inputs = {"left": keras.Input((4,), name="left"), "right": keras.Input((4,), name="right")}
    x = layers.Add()([layers.Dense(8)(inputs["left"]), layers.Dense(8)(inputs["right"])])
    pruned = narrow(keras.Model(inputs, {"out": layers.Dense(2)(x), "other": [layers.Dense(3)(x)]}))
    outputs = pruned({"left": np.zeros((1, 4)), "right": np.zeros((1, 4))})
    assert outputs["out"].shape == (1, 2)
    assert outputs["other"][0].shape == (1, 3)


@keras.saving.register_keras_serializable("tests")
class Offset(layers.Layer):
    """Adds a number that is neither a weight nor in the config, and says itself how it is saved."""

    offset = 0.0

    def call(self, inputs):
        return inputs + self.offset

    def save_own_variables(self, store):
        store["offset"] = np.asarray(self.offset)

    def load_own_variables(self, store):
        self.offset = float(store["offset"])


def test_state_that_is_neither_weight_nor_config_is_carried_over() -> None:
    bins = layers.Discretization(num_bins=4)
    bins.adapt(np.random.default_rng(0).normal(3, 5, (50, 6)))
    offset = Offset()
    offset.offset = 2.5
    x = inputs = keras.Input((6,))
    x = layers.Dense(3)(offset(layers.Rescaling(0.5)(bins(x))))
    model = keras.Model(inputs, x)
    batch = np.random.default_rng(1).normal(3, 5, (8, 6))
    kept = te.prune(model, te.KeepPlan(te.trace(model).fingerprint))
    np.testing.assert_allclose(kept(batch), model(batch), rtol=1e-6)


class OwnStep(keras.Model):
    def train_step(self, data):
        return {"mine": keras.ops.zeros(())}


@pytest.mark.parametrize("mode", ["one_hot", "int"])
def test_the_vocabulary_of_an_adapted_lookup_is_carried_over(mode: str, tmp_path: Path) -> None:
    lookup = layers.IntegerLookup(output_mode=mode)
    lookup.adapt(np.array([7, 8, 9, 9]))
    inputs = keras.Input((1,), dtype="int64")
    x = lookup(inputs)
    x = layers.Flatten()(layers.Embedding(5, 4)(x)) if mode == "int" else x
    model = keras.Model(inputs, layers.Dense(3)(layers.Dense(8)(x)))
    numbers = np.array([[7], [8], [9], [1]])
    same = te.prune(model, te.KeepPlan(te.trace(model).fingerprint))
    np.testing.assert_array_equal(same(numbers), model(numbers))
    net = te.ElasticModel(model, te.ladder(model, widths=(1, 0.5), round_to=1))
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    outputs = net.rung("w050")(numbers)
    assert len(np.unique(outputs, axis=0)) == 4
    for other in (net.cut("w050"), loaded.rung("w050"), loaded.cut("w050")):
        np.testing.assert_array_equal(other(numbers), outputs)


def test_class_of_the_model_is_kept_where_it_is_made_from_inputs_and_outputs() -> None:
    plain = classifier()
    model = OwnStep(plain.inputs, plain.outputs)
    pruned = te.prune(model, te.plan(model, budget=te.Budget(macs=0.5), round_to=2))
    assert type(pruned) is OwnStep
    pruned.compile("sgd", "mse", jit_compile=False)
    assert "mine" in pruned.fit(np.zeros((2, 6, 6, 3)), np.zeros((2, 3)), verbose=0).history
