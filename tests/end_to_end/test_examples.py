"""The recipes of other tasks than image classes: trained, exported for both kinds of input, and run on every reader."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfelastic_runtime import Bundle, Selector

from pipelines.experiments import carry_out, load_recipe, read_metrics
from pipelines.progress import Reporter
from pipelines.stages import Run, baseline
from pipelines.stages.task import task_of
from pipelines.workspace import Workspace
from tests.support.cpp_driver import asking
from tests.support.cpp_selector import KERNELS, Interpreters
from tests.support.questions import BUNDLE, Ask, answer_of_python, comparable
from tfelastic.data import Dataset


@dataclass(frozen=True)
class Example:
    """A recipe, what scores its nets, and the least that the narrowest variant must reach, far above chance.

    Attributes:
        input_types: The types of inputs to export with, one after the other; between them the recipes have all kinds.
    """

    recipe: str
    metric: str
    least: float
    input_types: tuple[str, ...] = ("int8", "float32")


EXAMPLES = (
    Example("keywords", "accuracy", 0.8),  # Four classes.
    Example("gestures", "accuracy", 0.8, ("float32",)),  # Three classes.
    Example("shapes", "mean_iou", 0.4, ("int8",)),  # Only background has 0.2.
    Example("gestures_and_sound", "accuracy", 0.8, ("float32",)),  # Four classes.
    Example("gestures_and_strength", "weighted_sum", 0.6, ("int8",)),  # Chance has -0.1 at best.
)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Ask the C++ reader."""
    return asking(tmp_path_factory.mktemp("cpp"))


@pytest.fixture(scope="module")
def interpreters(tmp_path_factory: pytest.TempPathFactory) -> Interpreters:
    """The C++ runtime on LiteRT."""
    return Interpreters(tmp_path_factory.mktemp("cpp"))


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.recipe)
def test_a_recipe_ends_in_a_bundle_that_every_reader_runs(
    example: Example, ask: Ask, interpreters: Interpreters, tmp_path: Path
) -> None:
    trained = []
    for input_type in example.input_types:
        run, dataset = carried_out(example.recipe, tmp_path, input_type)
        trained.append(hashlib.sha256((tmp_path / "elastic.keras").read_bytes()).digest())
        check_scores(example, tmp_path)
        check_verification(run)
        check_bundle(tmp_path, input_type, ask)
        check_interpreters(tmp_path / "model.elastic", dataset, interpreters)
        check_selector(run, tmp_path, dataset, example)
    assert len(set(trained)) == 1, "another type of inputs trains nothing again"


def carried_out(recipe: str, folder: Path, input_type: str) -> tuple[Run[Any], Dataset]:
    """Carry the recipe out in the folder."""
    changes = [f"export.input_type={input_type}", "export.keep_all=true", "profile.runs=50"]
    loaded = load_recipe(recipe, overrides=changes)
    with Workspace.open(folder, loaded.name) as workspace:
        run = Run(loaded, workspace, Reporter(quiet=True), command="tfelastic run")
        carry_out(run)
        return run, run.dataset


def check_scores(example: Example, folder: Path) -> None:
    """The nets have learned, and the report says by which metric."""
    metrics: Any = read_metrics(folder)
    assert metrics.metric.name == example.metric
    assert [each.name for each in metrics.variants] == ["w100", "w050"]
    assert metrics.left_out == ()
    for each in metrics.variants:
        assert each.score_tflite > example.least
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert metrics.metric.title in page
    assert "synthetic" in page


def check_verification(run: Run[Any]) -> None:
    """LiteRT agrees with Keras, and TFLM with LiteRT."""
    entry = run.workspace.entry("export")
    assert entry is not None
    for report in entry.result["reports"]:
        assert report["verification"]["passed"]
        assert report["verification"]["tflm"]["count"] > 0
        assert report["verification"]["tflm"]["failure"] == ""
        assert report["arena_bytes"] > 0


def check_bundle(folder: Path, input_type: str, ask: Ask) -> None:
    """Python and C++ read the very files that were verified."""
    data = (folder / "model.elastic").read_bytes()
    bundle = Bundle.from_bytes(data)
    for variant in bundle.variants:
        file = folder / "variants" / f"{variant.name}.tflite"
        assert bundle.model(variant.name) == file.read_bytes()
        assert {tensor.dtype for tensor in variant.inputs} == {input_type}
    (answer,) = ask([(BUNDLE, data, b"")])
    assert comparable(answer) == answer_of_python(data) is not None


def check_interpreters(path: Path, dataset: Dataset, interpreters: Interpreters) -> None:
    """C++ runs every variant on LiteRT as Python does, bit by bit, in either set of kernels."""
    bundle = Bundle.open(path)
    sets = []
    for index in range(10):
        given = one(dataset, index, bundle)
        (first,) = bundle.manifest.inputs[:1]
        sets.append(given if isinstance(given, dict) else {first.name: given})
    for kernels in KERNELS:
        interpreters.check(path, kernels, sets)


def check_selector(run: Run[Any], folder: Path, dataset: Dataset, example: Example) -> None:
    """The selector runs either variant as its budget allows, with the outputs and the score that were promised."""
    bundle = Bundle.open(folder / "model.elastic")
    task = task_of(run, baseline.load(run))
    for budget_us, expected in ((10**9, bundle.variants[0]), (1, None)):
        outputs = []
        with Selector.open(
            bundle, budget_us=budget_us, profile=folder / "profile.json"
        ) as selector:
            for index in range(20):
                result = selector.run(one(dataset, index, bundle))
                assert expected is None or result.variant == expected.name
                assert result.feasible == (budget_us > 1)
                outputs.append(result.outputs)
        joined = {name: np.stack([each[name] for each in outputs]) for name in outputs[0]}
        targets = dataset.test.take(np.arange(20)).targets
        found = joined if len(joined) > 1 else next(iter(joined.values()))
        assert task.metric.value(targets, found) > example.least - 0.25


def one(dataset: Dataset, index: int, bundle: Bundle) -> Any:
    """Return a test example's inputs, without the batch."""
    inputs = dataset.test.inputs
    if isinstance(inputs, dict):
        assert set(inputs) == {spec.name for spec in bundle.manifest.inputs}
        return {name: array[index] for name, array in inputs.items()}
    return inputs[index]
