import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines import config
from pipelines.config import Recipe, RecipeError


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize("name", config.built_in())
def test_every_built_in_recipe_reads_and_is_named_after_its_file(name):
    assert config.load(name).name.replace("-", "_") == name


def test_the_demo_is_among_the_built_in_recipes():
    assert "demo" in config.built_in()


@pytest.mark.parametrize("name", config.built_in())
def test_json_and_back_is_the_same_recipe(name):
    recipe = config.load(name)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


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
    recipe = Recipe.from_json(tree)
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.fingerprint == recipe.fingerprint


def test_an_unknown_key_is_named_with_its_place_the_closest_and_the_fix(write):
    path = write("name: x\nbaseline: {epoch: 3}\n")
    with pytest.raises(RecipeError) as caught:
        config.load(path)
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
        ("data: {image_size: big}", ["a whole number or null", "'big'"]),
        ("name: ../up", ["name: expected letters", "'../up'"]),
        ("seed: 1\nseed: 2", ["line 2", "'seed'", "twice"]),
        ("seed: [", ["not valid YAML"]),
        ("- 1", ["expected a mapping"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(write, text, parts):
    with pytest.raises(RecipeError) as caught:
        config.load(write(text))
    for part in parts:
        assert part in str(caught.value)


def test_a_recipe_that_is_not_there_is_answered_with_those_there_are():
    with pytest.raises(RecipeError, match="did you mean 'demo'"):
        config.load("dem")
    with pytest.raises(RecipeError, match=r"nowhere\.yaml: No such file"):
        config.load("nowhere.yaml")


def test_overrides_are_read_as_yaml_and_the_last_one_counts():
    recipe = config.load(
        "demo",
        overrides=[
            "baseline.epochs=3",
            "baseline.epochs=4",
            "baseline.learning_rate=1e-3",
            "baseline.augment=null",
            "ladder.widths=[1, 0.5]",
            "data.source=a=b",
        ],
    )
    assert recipe.baseline.epochs == 4
    assert recipe.baseline.learning_rate == 0.001
    assert recipe.baseline.augment is None
    assert recipe.ladder.widths == (1.0, 0.5)
    assert recipe.data.source == "a=b"


@pytest.mark.parametrize("override", ["seed", "=1", "baseline..epochs=1", "seed.x=1"])
def test_a_malformed_override_is_named(override):
    with pytest.raises(RecipeError, match="--set"):
        config.load("demo", overrides=[override])


def test_the_fingerprint_changes_with_all_but_the_place_of_the_data():
    recipe = config.load("demo")
    moved = config.load("demo", overrides=["data.data_dir=/elsewhere"])
    other = config.load("demo", overrides=["baseline.epochs=99"])
    assert moved.fingerprint == recipe.fingerprint
    assert other.fingerprint != recipe.fingerprint
    changed = config.differences(recipe.to_json(), other.to_json())
    assert changed == {"baseline.epochs": (recipe.baseline.epochs, 99)}
    assert config.differences(recipe.to_json(), moved.to_json()) == {}


SCHEDULES = """
name: mine
baseline: {epochs: 2, learning_rate: 0.5}
schedules:
  long:
    baseline: {epochs: 200}
"""


def test_a_schedule_changes_its_keys_and_the_name_and_leaves_the_rest(write):
    path = write(SCHEDULES)
    plain, long = config.load(path), config.load(path, schedule="long")
    assert (plain.name, plain.baseline.epochs) == ("mine", 2)
    assert (long.name, long.baseline.epochs, long.baseline.learning_rate) == ("mine-long", 200, 0.5)
    assert config.load(path, schedule="long", overrides=["baseline.epochs=3"]).baseline.epochs == 3


def test_an_unknown_schedule_is_answered_with_those_there_are(write):
    with pytest.raises(RecipeError, match=r"no schedule 'lonk' \(did you mean 'long'\?\).*: long"):
        config.load(write(SCHEDULES), schedule="lonk")


@pytest.mark.parametrize("name", config.built_in())
def test_every_schedule_of_a_built_in_recipe_reads(name):
    text = (Path(config.__file__).parent / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")
    for schedule in yaml.safe_load(text).get("schedules", {}):
        assert config.load(name, schedule=schedule) != config.load(name)


def test_a_comparison_is_asked_for_by_its_section(write):
    assert config.load(write("name: x")).comparison is None
    assert config.load(write("name: x\ncomparison: {}")).comparison.distillation
    with pytest.raises(RecipeError, match=r"unknown key 'dist' at comparison"):
        config.load(write("name: x\ncomparison: {dist: true}"))


_BLOCKS = {"name": "x", "blocks": {"budget": {"params": 0.4}}}
_CONTEST = {"budget": {"macs": 0.5}}


@pytest.mark.parametrize(
    ("tree", "kind", "absent"),
    [
        ({"name": "x"}, "elastic", {"blocks", "complexity"}),
        (_BLOCKS, "blocks", {"ladder", "elastic", "comparison", "selector", "complexity"}),
        (
            {"name": "x", "complexity": {"contests": [_CONTEST]}},
            "complexity",
            {"ladder", "elastic", "comparison", "selector", "blocks"},
        ),
    ],
)
def test_the_sections_make_the_kind_and_others_are_left_out(tree, kind, absent):
    recipe = Recipe.from_json(tree)
    assert recipe.kind == kind
    assert not absent & recipe.to_json().keys()
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({**_BLOCKS, "ladder": {"round_to": 4}}, "ladder: a recipe with the section 'blocks'"),
        ({**_BLOCKS, "complexity": {"contests": [_CONTEST]}}, "complexity: a recipe with"),
        ({"name": "x", "blocks": {"budget": {}}}, "blocks.budget.*at least one limit"),
        ({"name": "x", "blocks": {"budget": {"macs": 0}}}, "blocks.budget.macs: expected more"),
        ({"name": "x", "complexity": {"contests": []}}, "complexity.contests: expected at least"),
        ({"name": "x", "complexity": {"contests": [_CONTEST] * 2}}, "each budget once"),
        (
            {"name": "x", "complexity": {"contests": [{**_CONTEST, "modes": ["flop"]}]}},
            r"complexity.contests\[0\].modes\[0\]: expected .*'flops'",
        ),
    ],
)
def test_what_is_wrong_with_pruning_is_said_with_its_place(tree, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.from_json(tree)
