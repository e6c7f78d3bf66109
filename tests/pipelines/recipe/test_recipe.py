import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines import recipes
from pipelines.errors import RecipeError
from pipelines.experiments import (
    EXPERIMENTS,
    experiment,
    load_recipe,
    parse_recipe,
    stages_of,
)
from pipelines.recipe import built_in


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize("name", built_in())
def test_every_built_in_recipe_reads_and_is_named_after_its_file(name):
    assert load_recipe(name).name.replace("-", "_") == name


def test_the_demo_is_among_the_built_in_recipes():
    assert "demo" in built_in()


@pytest.mark.parametrize("name", built_in())
def test_json_and_back_is_the_same_recipe(name):
    recipe = load_recipe(name)
    assert parse_recipe(json.loads(json.dumps(recipe.to_json()))) == recipe


@given(
    seed=st.integers(0, 2**31),
    epochs=st.integers(1, 1000),
    rate=st.floats(1e-6, 10.0),
    budgets=st.one_of(st.just("auto"), st.lists(st.floats(1.0, 1e6), min_size=1)),
)
def test_json_and_back_is_the_same_recipe_whatever_it_holds(seed, epochs, rate, budgets):
    tree = {
        "name": "any",
        "seed": seed,
        "elastic": {"epochs": epochs, "learning_rate": rate},
        "selector": {"budgets": budgets},
    }
    recipe = parse_recipe(tree)
    again = parse_recipe(recipe.to_json())
    assert again == recipe
    assert again.fingerprint == recipe.fingerprint


def test_an_unknown_key_is_named_with_its_place_the_closest_and_the_fix(write):
    path = write("name: x\nbaseline: {epoch: 3}\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    text = str(caught.value)
    for part in (path, "'epoch'", "baseline", "did you mean 'epochs'", "rename or remove"):
        assert part in text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sead: 3", ["'sead'", "the top level", "'seed'"]),
        ("baseline: 3", ["baseline: expected keys and values", "3"]),
        ("baseline: {epochs: soon}", ["baseline.epochs: expected a whole number", "'soon'"]),
        ("baseline: {epochs: 2.5}", ["baseline.epochs: expected a whole number", "2.5"]),
        ("baseline: {epochs: true}", ["baseline.epochs: expected a whole number", "True"]),
        ("baseline: {epochs: 0}", ["baseline.epochs: expected at least 1", "0"]),
        ("baseline: {learning_rate: .nan}", ["baseline.learning_rate: expected a number"]),
        ("baseline: {learning_rate: -1}", ["baseline.learning_rate", "more than 0", "-1"]),
        ("baseline: {optimizer: adam}", ["'sgd' or 'adamw'", "'adam'"]),
        ("ladder: {widths: [0.5, 1]}", ["ladder.widths", "fall from 1"]),
        ("ladder: {strategy: local}", ["ladder.strategy", "'uniform' or 'global'", "'local'"]),
        ("ladder: {widths: [1, half]}", ["ladder.widths[1]: expected a number", "'half'"]),
        ("selector: {budgets: some}", ["'auto' or a list of numbers", "'some'"]),
        ("elastic: {distillation: 1}", ["elastic.distillation: expected true or false"]),
        ("data: {image_size: big}", ["a whole number or a list of numbers or null", "'big'"]),
        ("name: ../up", ["name: expected letters", "'../up'"]),
        ("task: guessing", ["task: expected", "'segmentation'", "'guessing'"]),
        ("task: {kind: guessing}", ["task", "'guessing'"]),
        ("metric: {size: {name: mae, weight: 0}}", ["weight: expected more than 0"]),
        ("export: {strays: pack}", ["export.strays: expected 'leave out' or 'keep' or 'stop'"]),
        ("export: {input_type: int4}", ["export.input_type: expected", "'uint8'", "'int4'"]),
        ("data: {validation_images: 0}", ["data.validation_images: expected at least 1", "0"]),
        ("baseline: {patience: 0}", ["baseline.patience: expected at least 1", "0"]),
        ("baseline: {patience: 3}", ["baseline.patience", "data.validation_images beside it", "3"]),
        ("elastic: {patience: 3}", ["elastic.patience", "data.validation_images beside it", "3"]),
        (
            "data: {validation_images: 9}\nelastic: {patience: 3}\ncomparison: {}",
            ["elastic.patience: expected none beside a comparison", "equally long", "3"],
        ),
        ("seed: 1\nseed: 2", ["line 2", "'seed'", "twice"]),
        ("seed: [", ["not valid YAML"]),
        ("- 1", ["expected a mapping"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(write, text, parts):
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(text))
    for part in parts:
        assert part in str(caught.value)


def test_a_recipe_that_is_not_there_is_answered_with_those_there_are():
    with pytest.raises(RecipeError, match="did you mean 'demo'"):
        load_recipe("dem")
    with pytest.raises(RecipeError, match=r"nowhere\.yaml: No such file"):
        load_recipe("nowhere.yaml")


def test_overrides_are_read_as_yaml_and_the_last_one_counts():
    recipe = load_recipe(
        "demo",
        overrides=[
            "baseline.epochs=3",
            "baseline.epochs=4",
            "baseline.learning_rate=1e-3",
            "baseline.augment=null",
            "ladder.budgets.shares=[0.5]",
            "data.source=a=b",
        ],
    )
    assert recipe.baseline.epochs == 4
    assert recipe.baseline.learning_rate == 0.001
    assert recipe.baseline.augment is None
    assert recipe.ladder.budgets.shares == (0.5,)
    assert recipe.data.source == "a=b"


@pytest.mark.parametrize("override", ["seed", "=1", "baseline..epochs=1", "seed.x=1"])
def test_a_malformed_override_is_named(override):
    with pytest.raises(RecipeError, match="--set"):
        load_recipe("demo", overrides=[override])


def test_the_fingerprint_changes_with_all_but_the_place_of_the_data():
    recipe = load_recipe("demo")
    moved = load_recipe("demo", overrides=["data.data_dir=/elsewhere"])
    other = load_recipe("demo", overrides=["baseline.epochs=99"])
    assert moved.fingerprint == recipe.fingerprint
    assert other.fingerprint != recipe.fingerprint


SCHEDULES = """
name: mine
baseline: {epochs: 2, learning_rate: 0.5}
schedules:
  long:
    baseline: {epochs: 200}
"""


def test_a_schedule_changes_its_keys_and_the_name_and_leaves_the_rest(write):
    path = write(SCHEDULES)
    plain, long = load_recipe(path), load_recipe(path, schedule="long")
    assert (plain.name, plain.baseline.epochs) == ("mine", 2)
    assert (long.name, long.baseline.epochs, long.baseline.learning_rate) == ("mine-long", 200, 0.5)
    assert load_recipe(path, schedule="long", overrides=["baseline.epochs=3"]).baseline.epochs == 3


def test_an_unknown_schedule_is_answered_with_those_there_are(write):
    with pytest.raises(RecipeError, match=r"no schedule 'lonk' \(did you mean 'long'\?\).*: long"):
        load_recipe(write(SCHEDULES), schedule="lonk")


@pytest.mark.parametrize("name", built_in())
def test_every_schedule_of_a_built_in_recipe_reads(name):
    text = (Path(recipes.__file__).parent / f"{name}.yaml").read_text(encoding="utf-8")
    for schedule in yaml.safe_load(text).get("schedules", {}):
        assert load_recipe(name, schedule=schedule) != load_recipe(name)


def test_tensorflows_strategy_of_several_workers_is_refused_with_what_serves(write):
    assert load_recipe(write("name: x\ndistribution: mirrored")).distribution == "mirrored"
    with pytest.raises(RecipeError, match=r"distribution: expected jax-data-parallel .*#20585"):
        load_recipe(write("name: x\ndistribution: multiworker"))


def test_a_comparison_is_asked_for_by_its_section(write):
    assert load_recipe(write("name: x")).comparison is None
    assert load_recipe(write("name: x\ncomparison: {}")).comparison.distillation
    with pytest.raises(RecipeError, match=r"unknown key 'dist' at comparison"):
        load_recipe(write("name: x\ncomparison: {dist: true}"))


_BLOCKS = {"name": "x", "block_removal": {"budget": {"params": 0.4}}}
_COMPARISON = {"budget": {"macs": 0.5}}


@pytest.mark.parametrize(
    ("tree", "name"),
    [
        ({"name": "x"}, "elastic"),
        ({"name": "x", "elastic": {"epochs": 2}}, "elastic"),
        (_BLOCKS, "block_removal"),
        ({"name": "x", "complexity": {"comparisons": [_COMPARISON]}}, "complexity"),
    ],
)
def test_a_section_asks_for_its_experiment(tree, name):
    recipe = parse_recipe(tree)
    assert type(recipe) is experiment(name).recipe
    assert parse_recipe(recipe.to_json()) == recipe
    others = set(EXPERIMENTS) - {name}
    assert not others & recipe.to_json().keys()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_stages_read_earlier_ones_alone_and_have_names_of_their_own(name):
    sections = {
        "elastic": {"comparison": {}},
        "block_removal": _BLOCKS,
        "complexity": {"complexity": {"comparisons": [_COMPARISON]}},
    }
    stages = stages_of(parse_recipe({"name": "x", **sections[name]}))
    names = [stage.name for stage in stages]
    assert len(set(names)) == len(names)
    for position, stage in enumerate(stages):
        assert {earlier.name for earlier in stage.stages} <= set(names[:position])


def test_the_stages_are_those_of_the_main_job():
    stages = [
        *("data", "baseline", "ladder", "layer_costs", "joint_training", "export", "timing"),
        *("bundle", "profile", "selector", "simulation", "report"),
    ]
    assert [stage.name for stage in stages_of(parse_recipe({"name": "tiny"}))] == stages
    masks = stages_of(parse_recipe({"name": "tiny", "task": "segmentation"}))
    assert [stage.name for stage in masks] == [*stages[:-1], "mask_examples", "report"]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({**_BLOCKS, "ladder": {"round_to": 4}}, "unknown key 'ladder' at the top level"),
        (
            {**_BLOCKS, "complexity": {"comparisons": [_COMPARISON]}},
            "block_removal and complexity: each asks for an experiment",
        ),
        ({"name": "x", "block_removal": {}}, "missing key budget at block_removal"),
        (
            {"name": "x", "block_removal": {"budget": {}}},
            "block_removal.budget.*at least one limit",
        ),
        (
            {"name": "x", "block_removal": {"budget": {"macs": 0}}},
            "block_removal.budget.macs: expected more",
        ),
        (
            {"name": "x", "complexity": {"comparisons": []}},
            "complexity.comparisons: expected at least",
        ),
        ({"name": "x", "complexity": {"comparisons": [_COMPARISON] * 2}}, "each budget once"),
        (
            {"name": "x", "complexity": {"comparisons": [{**_COMPARISON, "modes": ["flop"]}]}},
            r"complexity.comparisons\[0\].modes\[0\]: expected .*'flops'",
        ),
        (
            {
                "name": "x",
                "data": {"validation_images": 9},
                "baseline": {"patience": 3},
                "complexity": {"comparisons": [_COMPARISON]},
            },
            "baseline.patience: expected none, since all nets .* train equally long, received 3",
        ),
        (
            {
                "name": "x",
                "block_removal": {"budget": {"macs": 0.5}, "final_training": {"patience": 3}},
            },
            "final_training.patience: expected none, since .* train equally long, received 3",
        ),
    ],
)
def test_what_is_wrong_with_pruning_is_said_with_its_place(tree, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe(tree)


def test_a_model_file_is_found_beside_the_recipe(write, tmp_path):
    path = write("name: x\nmodel: mine.keras\n")
    assert load_recipe(path).model.name == str(tmp_path / "mine.keras")
    long = write("name: x\nmodel: {name: mine.keras, weights: mine.npz}\n")
    assert load_recipe(long).model.weights == str(tmp_path / "mine.npz")
    assert load_recipe(path, overrides=["model=other.keras"]).model.name == "other.keras"
    assert load_recipe(write("name: x\nmodel: resnet20\n")).model.name == "resnet20"


def test_a_trained_model_may_do_without_a_baseline_training(write):
    assert load_recipe(write("name: x\nmodel: a.keras\nbaseline: none")).baseline == "none"
    with pytest.raises(RecipeError, match="baseline: expected a training, since the model"):
        load_recipe(write("name: x\nbaseline: none"))
    with pytest.raises(RecipeError, match="baseline: expected keys and values"):
        load_recipe(
            write(
                "name: x\nmodel: a.keras\nbaseline: none\n"
                "complexity: {comparisons: [{budget: {macs: 0.5}}]}"
            )
        )


@pytest.mark.parametrize(
    ("tree", "idle"),
    [
        ({"name": "x"}, ()),
        ({"name": "x", "export": {"tolerance": 2.0}}, ()),
        (
            {"name": "x", "model": {"name": "a.keras", "options": {"classes": 3}}},
            ("model.options",),
        ),
        ({**_BLOCKS, "export": {"tolerance": 2.0}}, ("export.tolerance",)),
        ({**_BLOCKS, "profile": {"warmup": 1}}, ("profile.warmup",)),
        ({**_BLOCKS, "data": {"validation_images": 9}}, ("data.validation_images",)),
        ({**_BLOCKS, "baseline": {"patience": 3}}, ()),
        ({**_BLOCKS, "export": {"strays": "stop"}}, ("export.strays",)),
        (
            {"name": "x", "data": {"source": "a.npz", "features": ["image", "mask"]}},
            ("data.features",),
        ),
    ],
)
def test_keys_without_effect_are_known(tree, idle):
    assert parse_recipe(tree).idle_keys == idle


@pytest.mark.parametrize("limit", [1.5, 2.25, 1e6 + 0.5])
def test_a_budget_is_a_share_or_a_whole_amount(limit):
    with pytest.raises(RecipeError, match="a share up to 1, or a whole amount"):
        parse_recipe({"name": "x", "block_removal": {"budget": {"macs": limit}}})


@pytest.mark.parametrize(
    ("model", "optimizer", "rate"),
    [
        ("resnet8", "sgd", 0.1),
        ("resnet8", "adamw", 0.001),
        ("mine.keras", "sgd", 0.01),
        ("mine.keras", "adamw", 0.0001),
    ],
)
def test_a_training_without_a_rate_gets_one_for_its_optimizer_and_net(model, optimizer, rate):
    tree = {"name": "x", "model": {"name": model}, "elastic": {"optimizer": optimizer}}
    recipe = parse_recipe(tree)
    assert recipe.elastic.learning_rate == rate
    assert recipe.baseline.learning_rate == (0.01 if model == "mine.keras" else 0.1)
    assert parse_recipe(recipe.to_json()) == recipe
    given = parse_recipe({**tree, "elastic": {"optimizer": optimizer, "learning_rate": 0.5}})
    assert given.elastic.learning_rate == 0.5


def test_a_net_with_pretrained_weights_gets_low_rates_in_nested_sections_too():
    block_removal = {"budget": {"params": 0.5}, "final_training": {"epochs": 2}}
    tree = {"name": "x", "model": {"name": "resnet20", "weights": "w.npz"}}
    recipe = parse_recipe({**tree, "block_removal": block_removal})
    assert recipe.block_removal.final_training.learning_rate == 0.01
    assert recipe.baseline.learning_rate == 0.01
