import keras
import numpy as np
import pytest

import tfelastic as te
from pipelines.errors import StageError
from pipelines.experiments.elastic.ladder import plan_ladder
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.progress import Reporter
from pipelines.recipe import Recipe
from pipelines.stages import Run, baseline, data, run_stages
from pipelines.stages.baseline import build
from pipelines.workspace import Workspace
from tests.support import corners


def built(tmp_path, **model) -> keras.Model:
    recipe = Recipe.from_json({"name": "tiny", "data": {"limit": 20}, "model": model})
    with Workspace.open(tmp_path / "w", recipe.name) as workspace:
        return build(Run(recipe, workspace, Reporter(quiet=True), command="again"))


def saved(tmp_path, *layers: keras.Layer) -> str:
    path = tmp_path / "mine.keras"
    keras.Sequential(list(layers)).save(path)
    return str(path)


def test_a_model_of_the_zoo_gets_as_many_outputs_as_there_are_classes(tmp_path):
    assert built(tmp_path, name="resnet8").output_shape == (None, 10)


def test_the_seed_makes_the_weights(tmp_path):
    first, second = (built(tmp_path, name="resnet8").get_weights() for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_a_model_file_of_the_users_own_is_taken(tmp_path):
    path = saved(tmp_path, keras.Input((32, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(10))
    assert built(tmp_path, name=path).count_params() == 10250


def test_outputs_that_do_not_match_the_labels_are_named(tmp_path):
    with pytest.raises(StageError, match=r"\(7,\).*10 classes.*\(10,\)"):
        built(tmp_path, name="resnet8", options={"classes": 7})


def test_images_of_another_shape_are_named(tmp_path):
    path = saved(tmp_path, keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10))
    with pytest.raises(StageError, match=r"\(28, 28, 1\).*\(32, 32, 1\).*data.image_size"):
        built(tmp_path, name=path)


def test_a_model_that_ends_in_a_softmax_is_taken(tmp_path):
    path = saved(
        tmp_path,
        keras.Input((32, 32, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    )
    assert built(tmp_path, name=path).output_shape == (None, 10)


def test_a_model_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StageError, match=r"nowhere\.keras"):
        built(tmp_path, name="nowhere.keras")


@pytest.mark.parametrize(
    "ladder",
    [
        {"widths": [1, 0.5], "strategy": "global", "round_to": 2},
        {"widths": [1, 1, 0.5], "depths": [1, 0.5, 0.5], "criterion": "l1"},
    ],
)
def test_a_recipes_ladder_is_the_librarys(ladder):
    model = te.zoo.build("resnet8", input_shape=(32, 32, 1), classes=10)
    recipe = ElasticRecipe.from_json({"name": "tiny", "ladder": ladder})
    planned = plan_ladder(recipe.ladder, model)
    assert planned == te.ladder(model, **ladder)
    assert planned != te.ladder(model, widths=ladder["widths"][::2])


def test_a_ladder_out_of_reach_is_told_in_the_words_of_recipe_and_command():
    model = te.zoo.build("resnet8", input_shape=(32, 32, 1), classes=10)
    budgets = {"resource": "macs", "shares": [0.5, 1e-6]}
    recipe = ElasticRecipe.from_json({"name": "tiny", "ladder": {"budgets": budgets}})
    with pytest.raises(StageError, match=r"still spends macs.*--ladder macs=0\.9") as refused:
        plan_ladder(recipe.ladder, model)
    assert "`floor`" not in str(refused.value)


def test_a_trained_model_is_taken_as_it_stands(tmp_path, capsys):
    keras.utils.set_random_seed(0)
    path = saved(tmp_path, keras.Input((32, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(10))
    tree = {"name": "tiny", "data": {"limit": 20}, "model": {"name": path}, "baseline": "none"}
    recipe = Recipe.from_json(tree)
    with Workspace.open(tmp_path / "w", recipe.name) as workspace:
        run = Run(recipe, workspace, Reporter(), command="again")
        run_stages(run, [data.STAGE, baseline.STAGE])
        found, left = run.result(baseline.STAGE), baseline.load(run)
    assert found.history == ()
    for one, two in zip(
        keras.saving.load_model(path).get_weights(), left.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)
    assert "warning: the baseline's accuracy is" in capsys.readouterr().err.replace("\n", " ")


def test_a_model_that_was_trained_on_scaled_images_is_noticed(tmp_path, capsys):
    corners.net("1 / 255").save(tmp_path / "net.keras")
    split = {"x": corners.IMAGES, "y": corners.LABELS}
    np.savez(tmp_path / "data.npz", **split, x_test=corners.IMAGES, y_test=corners.LABELS)
    tree = {
        "name": "tiny",
        "data": {"source": str(tmp_path / "data.npz")},
        "model": {"name": str(tmp_path / "net.keras")},
        "baseline": "none",
    }
    recipe = Recipe.from_json(tree)
    with Workspace.open(tmp_path / "w", recipe.name) as workspace:
        run_stages(
            Run(recipe, workspace, Reporter(), command="again"), [data.STAGE, baseline.STAGE]
        )
    told = " ".join(capsys.readouterr().err.split())
    assert "accuracy is 25.0% with raw pixels" in told
    assert "keras.layers.Rescaling(1 / 255)" in told


def test_a_changed_model_file_is_noticed(tmp_path):
    path = saved(tmp_path, keras.Input((32, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(10))
    recipe = Recipe.from_json({"name": "tiny", "model": {"name": path}})
    before = baseline.STAGE.own_inputs(recipe)
    saved(tmp_path, keras.Input((32, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(10))
    after = baseline.STAGE.own_inputs(recipe)
    assert before.pop("file model.name") != after.pop("file model.name")
    assert before == after
