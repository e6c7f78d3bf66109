"""Law 7: growing a level leaves the outputs and weights of every level below as they were, to the last bit."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import pytest

import tfelastic as te
from tests.support.inference import random_inputs
from tests.support.random_models import NAMED, ModelSpec, build
from tfelastic.elastic import weight_source
from tfelastic.elastic.growing_rung import GrowingRung
from tfelastic.elastic.weight_source import PartlyFrozenWeight

OPTIMIZERS = {
    # Momentum with coupled decay, and decoupled decay: both move a weight whose gradient is zero.
    "momentum_and_coupled_decay": lambda: keras.optimizers.SGD(
        0.05, momentum=0.9, weight_decay=0.05
    ),
    "decoupled_decay": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
}


pytestmark = pytest.mark.filterwarnings("ignore:Even though the .tf.config:UserWarning")


@pytest.fixture(autouse=True)
def eager(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run these tiny trainings step by step, unless a test says otherwise: tracing would take longer than they do."""
    tf = pytest.importorskip("tensorflow")
    tf.config.run_functions_eagerly("compiled" not in request.fixturenames)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def compiled() -> None:
    """Let a test train in compiled steps."""


@pytest.fixture
def mixed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a test compute in half precision."""
    monkeypatch.setattr(
        keras.utils, "clear_session", lambda **_: None
    )  # It would reset the policy.
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


class Watch(keras.callbacks.Callback):
    """Keeps what the levels below give before a level is trained, and compares at the end."""

    def __init__(self, images: np.ndarray) -> None:
        super().__init__()
        self.images = images
        self.before: dict[str, dict[str, list[np.ndarray]]] = {}

    def on_train_begin(self, logs: object = None) -> None:
        names = self.model.net.names
        below = names[names.index(self.model.name) + 1 :]
        self.before[self.model.name] = {
            name: snapshot(self.model.net, name, self.images) for name in below
        }

    def differences(self, net: te.ElasticModel) -> list[tuple[str, str]]:
        return [
            (level, name)
            for level, below in self.before.items()
            for name, then in below.items()
            for one, other in zip(then, snapshot(net, name, self.images), strict=True)
            if not np.array_equal(one, other)
        ]


def snapshot(net: te.ElasticModel, name: str, images: np.ndarray) -> list[np.ndarray]:
    """Return a rung's outputs, and the weights of the rung cut out."""
    cut = net.cut(name)
    return [np.asarray(net.rung(name)(images)), *cut.get_weights()]


def grown(
    spec: ModelSpec, optimizer: str, *, jit: bool = False, widths: Sequence[float] = (1.0, 0.6, 0.3)
) -> tuple[te.ElasticModel, Watch, keras.Model]:
    model = build(spec)
    (images,) = random_inputs(model, count=8)
    labels = np.arange(8) % 3
    model.compile(
        OPTIMIZERS[optimizer](),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit,
    )
    ladder = te.ladder(model, widths=widths, round_to=1, iterative=True)
    watch = Watch(images)
    net = te.prune_and_grow(
        model,
        (images, labels),
        ladder=ladder,
        training=te.LevelTraining(epochs=2, callbacks=[watch]),
    )
    return net, watch, model


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("plain", "momentum_and_coupled_decay"),
        ("residual", "decoupled_decay"),
        ("dense_after_flatten", "decoupled_decay"),
    ],
)
def test_lower_levels_stay_to_the_last_bit(name: str, optimizer: str) -> None:
    net, watch, model = grown(NAMED[name], optimizer)
    assert [len(below) for below in watch.before.values()] == [0, 1, 2]
    assert watch.differences(net) == []
    # The unpruned network itself was trained: it is not the original any more.
    moved = [
        not np.array_equal(old, new)
        for old, new in zip(
            te.prune(model, net_plan(model)).get_weights(),
            net.cut("w100").get_weights(),
            strict=True,
        )
    ]
    assert all(moved)


@pytest.mark.usefixtures("compiled")
def test_lower_levels_stay_where_xla_compiles_the_training() -> None:
    net, watch, _ = grown(NAMED["plain"], "momentum_and_coupled_decay", jit=True, widths=(1.0, 0.5))
    assert [len(below) for below in watch.before.values()] == [0, 1]
    assert watch.differences(net) == []


@pytest.mark.usefixtures("mixed")
def test_lower_levels_stay_in_mixed_precision() -> None:
    net, watch, model = grown(NAMED["plain"], "decoupled_decay", widths=(1.0, 0.5))
    assert watch.differences(net) == []
    assert net.rung("w050")(watch.images).dtype == "float16"
    assert model.layers[1].compute_dtype == "float16"
    kernels = [weight for weight in net.base.weights if weight.name == "kernel"]
    assert all(each.dtype == "float32" and np.isfinite(each.numpy()).all() for each in kernels)


def net_plan(model: keras.Model) -> te.KeepPlan:
    return te.ladder(model, widths=(1.0, 0.6, 0.3), round_to=1, iterative=True).rungs[0].plan


def test_one_trained_weight_of_the_block_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutation: the frozen blocks of kernels are given to the optimizer."""

    def leaky(*given: object, ending: str = "", **options: object) -> keras.Variable:
        if ending == "_block":
            options["trainable"] = True
        return variable(*given, ending=ending, **options)

    variable = weight_source.add_variable
    monkeypatch.setattr(weight_source, "add_variable", leaky)
    net, watch, _ = grown(NAMED["residual"], "decoupled_decay")
    assert set(watch.differences(net)) >= {("w060", "w030"), ("w100", "w060")}


def test_one_channel_out_of_place_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutation: a kernel is written back one channel too far along its last axis."""

    def shifted(self: PartlyFrozenWeight) -> object:
        return np.roll(np.asarray(value(self)), 1, axis=-1)

    value = PartlyFrozenWeight.value
    write = GrowingRung.write

    def wrong(self: GrowingRung) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(PartlyFrozenWeight, "value", shifted)
            write(self)

    monkeypatch.setattr(GrowingRung, "write", wrong)
    net, watch, _ = grown(NAMED["plain"], "decoupled_decay")
    assert watch.differences(net)
