"""Plans as data: what they refuse, and that they read back as they were written."""

import json

import keras
import pytest
from keras import layers

import tfelastic as te
from tfelastic.errors import PlanError


def model_of(width: int = 8, *, name: str = "hidden") -> keras.Model:
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(width, name=name), layers.Dense(2, name="logits")]
    )


def test_json_round_trip() -> None:
    plan = te.KeepPlan("0f", {"conv": (2, 0), "conv#2": (1,)}, ("add",))
    data = json.loads(json.dumps(plan.to_json()))
    assert data == {"model": "0f", "keep": {"conv": [2, 0], "conv#2": [1]}, "removed": ["add"]}
    assert te.KeepPlan.from_json(data) == plan


def test_a_plan_is_replayed_on_the_same_structure_with_other_weights() -> None:
    one, other = model_of(), model_of()
    plan = te.KeepPlan.from_json(te.ladder(one).rungs[-1].plan.to_json())
    assert te.prune(other, plan).get_layer("hidden").units == 2


@pytest.mark.parametrize(
    "data", [{}, {"model": "0f", "keep": [1]}, {"model": "0f", "keep": {"a": 3}}, None, []]
)
def test_what_is_no_plan_is_refused(data: object) -> None:
    with pytest.raises(PlanError, match="not a plan: expected an object with 'model', 'keep'"):
        te.KeepPlan.from_json(data)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keep", "reason"),
    [
        ({"a": ()}, "keeps nothing of group 'a'; keep at least one unit"),
        ({"a": (1, 1)}, "must be distinct and not negative"),
        ({"a": (-1, 0)}, "must be distinct and not negative"),
    ],
)
def test_impossible_units_are_refused(keep: dict[str, tuple[int, ...]], reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        te.KeepPlan("0f", keep)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (model_of(6), "its group 'hidden' has 6 units and the plan keeps number 7"),
        (model_of(name="elsewhere"), "it has no group 'hidden'"),
    ],
)
def test_another_models_plan_is_refused_with_the_reason(other: keras.Model, reason: str) -> None:
    plan = te.KeepPlan(te.trace(model_of()).fingerprint, {"hidden": (7, 0)})
    with pytest.raises(PlanError, match=reason):
        te.prune(other, plan)


def test_unknown_groups_units_and_blocks_are_refused() -> None:
    model = model_of()
    graph = te.trace(model)
    for keep, removed, reason in [
        ({"nowhere": (0,)}, (), "names a group 'nowhere'.*has hidden"),
        ({"hidden": (8,)}, (), "keeps unit 8 of group 'hidden', which has 8"),
        ({}, ("add",), "removes blocks .'add'."),
    ]:
        with pytest.raises(PlanError, match=reason):
            te.prune(model, te.KeepPlan(graph.fingerprint, keep, removed))


def test_frozen_groups_stay_whole() -> None:
    model = model_of()
    graph = te.trace(model)
    outputs = graph.groups[-1]
    assert outputs.frozen == ("an output of the model",)
    te.prune(model, te.KeepPlan(graph.fingerprint, {outputs.name: (0, 1)}))
    with pytest.raises(PlanError, match="is frozen: an output of the model"):
        te.prune(model, te.KeepPlan(graph.fingerprint, {outputs.name: (0,)}))


def test_channels_taken_by_position_keep_their_order() -> None:
    inputs = keras.Input((4, 4, 3))
    x = layers.Permute((1, 2, 4, 3))(
        layers.Reshape((4, 4, 2, 3))(layers.Conv2D(6, 1, name="conv")(inputs))
    )
    x = layers.Reshape((4, 4, 6))(x)
    model = keras.Model(inputs, layers.Conv2D(2, 1)(layers.Concatenate()([x, x[:, :, :, ::-1]])))
    graph = te.trace(model)
    for group in graph.groups:
        if not group.permutable and not group.frozen:
            backwards = tuple(reversed(range(group.size)))
            with pytest.raises(PlanError, match="keep them in ascending order"):
                te.KeepPlan(graph.fingerprint, {group.name: backwards}).check(graph)
            break
    else:
        assert all(group.frozen or group.permutable for group in graph.groups)
