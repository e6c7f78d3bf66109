"""Rules of users, layers without rules, and what subclasses inherit."""

import re
from collections.abc import Iterator
from pathlib import Path

import keras
import pytest
from keras import layers

import tfelastic as te
from tests.support.pruning_checks import CHANNELS, assert_frozen, assert_law2, net
from tfelastic.errors import GraphError
from tfelastic.graph import rule_registry

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(autouse=True)
def own_rules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each test file rules of its own."""
    monkeypatch.setattr(rule_registry, "_RULES", dict(rule_registry._RULES))
    with keras.saving.custom_object_scope({}):
        yield


@keras.saving.register_keras_serializable("tests")
class Factor(layers.Layer):
    """One learned factor per channel."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), name="factor")

    def call(self, inputs):
        return inputs * self.factor


@keras.saving.register_keras_serializable("tests")
class SharperConv(layers.Conv2D):
    """A convolution with another constructor, but the same `call`."""


@keras.saving.register_keras_serializable("tests")
class Shifted(layers.Conv2D):
    """A convolution whose `call` does something else."""

    def call(self, inputs):
        return keras.ops.roll(super().call(inputs), 1, axis=-1)


def test_layer_without_rule_is_frozen_by_name_and_breaks_nothing() -> None:
    graph = assert_frozen(net(Factor(name="mine")), "maker", "mine is opaque: Factor has no rule")
    assert [step.path for step in graph.steps if step.opaque] == ["mine"]


def test_rule_of_a_user_frees_the_channels() -> None:
    @te.rule(Factor)
    def factor(call):
        labels = call.channels_of(call.inputs[0], -1)
        call.bind(call.layer.factor, 0, labels, role="scale")
        return call.inputs[0].labels

    graph = assert_law2(net(Factor(name="mine")))
    assert "mine" in {member.layer for member in graph.group("maker").members}


def test_rule_can_be_filed_by_module_and_class() -> None:
    @te.rule(f"{Factor.__module__.rpartition('.')[2]}.Factor")
    def factor(call):
        call.bind(call.layer.factor, 0, call.channels_of(call.inputs[0], -1))
        return call.inputs[0].labels

    assert_law2(net(Factor()))


def test_rule_may_decline() -> None:
    @te.rule(Factor)
    def factor(call):
        raise te.NoRule("today is Sunday")

    assert_frozen(net(Factor(name="mine")), "maker", "mine is opaque: today is Sunday")


@pytest.mark.parametrize("kind", ["Factor", 3, "a.b.Factor"])
def test_rule_for_nothing_is_refused(kind: object) -> None:
    with pytest.raises(GraphError, match=re.escape(repr(kind))):
        te.rule(kind)


def test_subclass_inherits_the_rule_with_the_call() -> None:
    assert_law2(net(SharperConv(6, 3, name="tested")), prunable=("maker", "tested"))


def test_subclass_with_a_call_of_its_own_is_opaque() -> None:
    assert_frozen(net(Shifted(6, 3, name="tested")), "maker", "Shifted has no rule")


class OwnHook(layers.Conv2D):
    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, keras.ops.softmax(kernel, axis=-1))


class OwnKernel(layers.Conv2D):
    @property
    def kernel(self):
        kernel = super().kernel
        return kernel - keras.ops.mean(kernel, axis=-1, keepdims=True)


class OwnBuild(layers.Conv2D):
    def build(self, shape):
        super().build(shape)
        self._kernel = self._kernel - keras.ops.mean(self._kernel)


class OwnShape(layers.Conv2D):
    def compute_output_shape(self, shape):
        return super().compute_output_shape(shape)


class OwnScale(layers.BatchNormalization):
    @property
    def gamma(self):
        return keras.ops.softmax(self._scale)

    @gamma.setter
    def gamma(self, value):
        self._scale = value


class OwnMerge(layers.Add):
    def _merge_function(self, inputs):
        return keras.ops.roll(inputs[0], 1, axis=-1) + inputs[1]


REDEFINED = {
    "hook": (lambda: OwnHook(6, 3), "redefines convolution_op of Conv2D"),
    "property": (lambda: OwnKernel(6, 3), "redefines kernel of Conv2D"),
    "build": (lambda: OwnBuild(6, 3), "redefines build of Conv2D"),
    "shape": (lambda: OwnShape(6, 3), "redefines compute_output_shape of Conv2D"),
    "attribute": (OwnScale, "redefines gamma of BatchNormalization"),
}


@pytest.mark.parametrize("name", REDEFINED)
def test_subclass_that_redefines_what_its_parent_computes_with_is_opaque(name: str) -> None:
    make, reason = REDEFINED[name]
    with keras.saving.custom_object_scope({kind.__name__: kind for kind in (OwnHook, OwnKernel)}):
        graph = te.trace(net(make()))
    assert any(reason in given for given in graph.group("maker").frozen)


def test_method_set_on_one_layer_makes_it_opaque() -> None:
    layer = layers.ReLU()
    layer.call = lambda inputs: keras.ops.flip(inputs, axis=-1)
    assert "redefines call of ReLU" in str(te.trace(net(layer)).group("maker").frozen)


def test_addition_of_a_kind_of_its_own_ends_no_block() -> None:
    def part(x):
        return OwnMerge(name="sum")([x, layers.Conv2D(CHANNELS, 1)(x)])

    graph = te.trace(net(part))
    assert not graph.blocks
    assert "redefines _merge_function of Add" in str(graph.group("maker").frozen)


def test_layer_of_a_user_whose_module_is_called_like_one_of_keras_has_no_rule() -> None:
    mine = type("Sigmoid", (Factor,), {"__module__": "somewhere.nn"})
    assert "Sigmoid has no rule" in str(te.trace(net(mine())).group("maker").frozen)


def test_layer_that_cannot_be_rebuilt_is_named() -> None:
    class Nameless(layers.Layer):
        def __init__(self, count, **kwargs):
            super().__init__(**kwargs)
            self.factor = self.add_weight(shape=(count,), name="factor")

        def call(self, inputs):
            return inputs * self.factor

        def get_config(self):
            raise NotImplementedError

    model = net(Nameless(CHANNELS, name="mine"))
    with pytest.raises(GraphError, match=r"'mine' \(Nameless\) cannot be made anew.*get_config"):
        te.prune(model, te.KeepPlan(te.trace(model).fingerprint))


def test_the_guide_runs() -> None:
    """Every Python block of the guide, in order, in one namespace."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "rules.md").read_text(), re.DOTALL)
    assert blocks
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(block, namespace)
