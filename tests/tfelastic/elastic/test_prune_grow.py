"""Prune-and-grow: what each level starts from, learns, owns and reports, and that a kill costs one epoch at most."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
from tfelastic.elastic.growing_rung import GrowingRung
from tfelastic.errors import CheckpointError, TrainingError

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(64, 6, 6, 1)).astype("float32")
LABELS = (IMAGES.mean(axis=(1, 2, 3)) > 0).astype("int32")
DATA = (IMAGES, LABELS)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


pytestmark = pytest.mark.filterwarnings("ignore:Even though the .tf.config:UserWarning")


@pytest.fixture(autouse=True)
def eager() -> Iterator[None]:
    """Run these tiny trainings step by step: tracing would take longer than they do."""
    tf = pytest.importorskip("tensorflow")
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def original(**options: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 1), name="image")
    x = layers.Conv2D(8, 3, name="stem", use_bias=False, **options)(inputs)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    x = layers.Add(name="sum")([x, layers.Conv2D(8, 3, padding="same", name="branch")(x)])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, layers.Dense(2, name="logits")(x))
    model.get_layer("norm").gamma.assign([1, -1, 0.5, 2, -0.5, 1, 1, -2])
    model.compile(keras.optimizers.Adam(0.01), LOSS, metrics=["accuracy"], jit_compile=False)
    return model


def ladder(model: keras.Model, **options: object) -> te.Ladder:
    return te.ladder(model, widths=(1.0, 0.75, 0.5), round_to=2, **options)


def frozen(model: keras.Model) -> keras.Model:
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.trainable = False
    return copy


def rung_of(net: te.ElasticModel, model: keras.Model, name: str) -> GrowingRung:
    rung = GrowingRung(net, name, teacher=frozen(model), distillation=None)
    rung.compile("sgd", LOSS)
    return rung


def test_every_level_learns_and_is_reported() -> None:
    model = original()
    before = [weight.numpy() for weight in model.weights]
    net = te.prune_and_grow(
        model, DATA, DATA, ladder=ladder(model), training=te.LevelTraining(epochs=5)
    )
    assert [level.name for level in net.growth.levels] == ["w050", "w075", "w100"]
    for level in net.growth.levels:
        cut = net.cut(level.name)
        assert level.params == cut.count_params()
        assert level.history[-1]["loss"] < level.history[0]["loss"]
        cut.compile(loss=LOSS, metrics=["accuracy"])
        found = cut.evaluate(*DATA, verbose=0, return_dict=True)
        assert found["accuracy"] == pytest.approx(level.validation["accuracy"], abs=0.02)
    assert all(map(np.array_equal, before, model.get_weights()))
    assert te.Growth.from_json(net.growth.to_json()) == net.growth
    lines = str(net.growth).splitlines()
    assert [line.split()[0] for line in lines] == ["level", "w050", "w075", "w100"]


def test_a_grown_network_is_an_elastic_model_that_saves_loads_and_trains_on(tmp_path: Path) -> None:
    model = original()
    net = te.prune_and_grow(model, DATA, ladder=ladder(model), training=te.LevelTraining(epochs=1))
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    assert loaded.growth == net.growth
    for name in net.names:
        assert np.array_equal(net.rung(name)(IMAGES), loaded.rung(name)(IMAGES))
        assert np.array_equal(net.rung(name)(IMAGES), loaded.cut(name)(IMAGES))
    loaded.compile("sgd", LOSS)
    loaded.fit(*DATA, verbose=0)


def test_every_level_packs_with_the_others() -> None:
    model = original()
    net = te.prune_and_grow(model, DATA, ladder=ladder(model), training=te.LevelTraining(epochs=2))
    wide = net.cut("w100")
    for name in net.names[1:]:
        cut = net.cut(name)
        for layer in ("stem", "branch", "logits"):
            narrow = cut.get_layer(layer).kernel.numpy()
            place = tuple(slice(length) for length in narrow.shape)
            assert np.array_equal(wide.get_layer(layer).kernel.numpy()[place], narrow)
        gammas = [each.get_layer("norm").gamma.numpy() for each in (wide, cut)]
        factor = gammas[1] / gammas[0][: len(gammas[1])]
        assert np.all(factor > 0)
        assert not np.allclose(factor, 1)


def test_a_level_starts_from_the_one_below_and_the_original() -> None:
    model = original()
    net = te.ElasticModel(model, ladder(model), scales="own")
    core = rung_of(net, model, "w050")
    core.fit(*DATA, verbose=0)
    core.write()
    whole = te.prune(model, te.ladder(model, widths=(1.0, 0.75, 0.5), round_to=2).rungs[0].plan)
    rung = rung_of(net, model, "w075")
    rung.write()
    grown, small = net.cut("w075"), net.cut("w050")
    kernel = grown.get_layer("branch").kernel.numpy()
    restored = whole.get_layer("branch").kernel.numpy()[:, :, :6, :6]
    assert np.array_equal(kernel[:, :, :4, :4], small.get_layer("branch").kernel.numpy())
    assert not np.array_equal(kernel[:, :, :4, :4], restored[:, :, :4, :4])
    for cross in (np.s_[:, :, 4:, :], np.s_[:, :, :4, 4:]):
        assert np.array_equal(kernel[cross], restored[cross])
    beta, below = (each.get_layer("norm").beta.numpy() for each in (grown, small))
    assert np.array_equal(beta[:4], below)
    assert np.any(below != 0)


def test_the_optimizer_sees_the_regrown_slices_alone() -> None:
    model = original()
    net = te.ElasticModel(model, ladder(model), scales="own")
    rung = rung_of(net, model, "w075")
    shapes = {v.name: tuple(v.shape) for v in rung.trainable_variables}
    assert {n: s for n, s in shapes.items() if "kernel" in n} == {
        "stem_kernel_new3": (3, 3, 1, 2),
        "branch_kernel_new2": (3, 3, 2, 6),
        "branch_kernel_new3": (3, 3, 4, 2),
        "logits_kernel_new0": (2, 2),
    }
    assert {n for n in shapes if "kernel" not in n} == {
        "norm_gamma",
        "norm_beta",
        "branch_bias",
        "logits_bias",
    }


def test_without_distillation_a_level_learns_from_the_labels_and_regularizers_count_once() -> None:
    model = original(kernel_regularizer=keras.regularizers.L2(0.1))
    net = te.ElasticModel(model, ladder(model), scales="own")
    for distillation in (None, te.Distillation(weight=0.5)):
        rung = GrowingRung(net, "w100", teacher=frozen(model), distillation=distillation)
        rung.compile("sgd", LOSS)
        outputs = rung(IMAGES, training=True)
        decay = 0.1 * float(np.sum(np.square(model.get_layer("stem").kernel.numpy())))
        wanted = float(LOSS(LABELS, outputs))
        if distillation:
            taught = distillation.loss(model(IMAGES), outputs, ending="logits")
            wanted = 0.5 * wanted + 0.5 * float(taught)
        assert float(rung.compute_loss(IMAGES, LABELS, outputs)) == pytest.approx(
            wanted + decay, rel=1e-5
        )


class Kill(keras.callbacks.Callback):
    """Stops the run when a level's epoch begins."""

    def __init__(self, level: str, epoch: int) -> None:
        super().__init__()
        self.at = (level, epoch)
        self.begun: list[tuple[str, int]] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        if (self.model.name, epoch) == self.at:
            raise KeyboardInterrupt
        self.begun.append((self.model.name, epoch))


class Batches(keras.utils.PyDataset):
    """Four batches whose order is settled by the epoch's number."""

    def start_at(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(16 * ((index + self.epoch) % 4), 16 * ((index + self.epoch) % 4) + 16)
        return IMAGES[part], LABELS[part]


def grow(
    folder: Path | None, *callbacks: keras.callbacks.Callback, epochs: int = 2
) -> te.ElasticModel:
    model = original()
    return te.prune_and_grow(
        model,
        Batches(),
        DATA,
        ladder=ladder(model),
        checkpoint_dir=folder,
        training=te.LevelTraining(epochs=epochs, callbacks=callbacks),
    )


def test_a_killed_growing_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        grow(tmp_path, Kill("w075", 1))
    watch = Kill("", 0)
    net = grow(tmp_path, watch)
    assert watch.begun == [("w075", 1), ("w100", 0), ("w100", 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w050.npz", "w075.npz", "w100.npz"]
    straight = grow(None)
    for one, other in zip(net.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert [len(level.history) for level in net.growth.levels] == [2, 2, 2]
    again = Kill("", 0)
    finished = grow(tmp_path, again)
    assert again.begun == []
    assert all(map(np.array_equal, finished.get_weights(), net.get_weights()))
    with pytest.raises(CheckpointError, match=r"w050\.npz was begun with another epochs"):
        grow(tmp_path, epochs=3)


def test_a_model_that_is_not_compiled_is_refused() -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(4), layers.Dense(2)])
    with pytest.raises(TrainingError, match=r"is not compiled.*call model\.compile"):
        te.prune_and_grow(model, DATA)


def test_depth_grows_too() -> None:
    model = original()
    deep = te.ladder(model, widths=(1.0, 0.5), depths=(1.0, 0.0), round_to=2)
    net = te.prune_and_grow(
        model, DATA, ladder=deep, training=te.LevelTraining(epochs=1, distillation=None)
    )
    assert net.names == ("w100d100", "w050d000")
    assert "branch" not in [layer.name for layer in net.cut("w050d000").layers]
    core, whole = net.growth.levels
    assert core.params < whole.params


def test_several_outputs_grow_each_under_its_own_loss_and_weight() -> None:
    backbone = original()
    features = backbone.get_layer("pool").output
    size = layers.Dense(1, name="size")(features)
    model = keras.Model(backbone.input, {"kind": backbone.output, "size": size})
    losses = {"kind": LOSS, "size": keras.losses.MeanSquaredError()}
    weights = {"kind": 1.0, "size": 0.25}
    model.compile("sgd", losses, loss_weights=weights, jit_compile=False)
    targets = {"kind": LABELS, "size": IMAGES.std(axis=(1, 2, 3))[:, None]}

    net = te.prune_and_grow(
        model,
        (IMAGES, targets),
        (IMAGES, targets),
        ladder=ladder(model),
        training=te.LevelTraining(epochs=1),
    )
    outputs = net.cut("w050")(IMAGES)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "kind": (64, 2),
        "size": (64, 1),
    }
    parts = {name: float(losses[name](targets[name], outputs[name])) for name in losses}
    wanted = sum(weights[name] * parts[name] for name in parts)
    assert net.growth.levels[0].validation["loss"] == pytest.approx(wanted, rel=1e-4)
