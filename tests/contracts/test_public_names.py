"""What the library offers: exactly these names, and what it needs: keras and numpy."""

import inspect
import subprocess
import sys

import tfelastic
from tfelastic import errors

PUBLIC = """
    Accuracy Block BlockReport BlockStep Budget Complexity Cost Distillation ElasticModel Evaluator
    FineTuning Greedy Group Growth KeepPlan Knapsack Ladder LatencyTable LayerCall LayerCost LayerGraph LevelTraining
    Metric NoRule PruningTrace Rung RungMetrics Score SearchObjective Sensitivity Spending StopAtNaN Strategy Student
    TraceStep activation_bytes avoid_onednn_crash cost criteria data errors ladder layer_params metric_of metrics plan
    prune prune_and_grow random_blocks recalibrate reinitialize remove_blocks rule score_of smallest_blocks
    spending trace zoo
"""


def test_the_public_names_are_exactly_these() -> None:
    assert sorted(tfelastic.__all__) == sorted(PUBLIC.split())
    subpackages = {name for name, value in vars(tfelastic).items() if inspect.ismodule(value)}
    found = {name for name in vars(tfelastic) if not name.startswith("_")}
    assert found - subpackages <= set(tfelastic.__all__)


def test_every_public_name_is_documented() -> None:
    for name in tfelastic.__all__:
        assert inspect.getdoc(getattr(tfelastic, name)), name


def test_every_error_is_drawn_in_the_tree_and_a_builtin() -> None:
    kinds = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}
    base = kinds.pop("TfelasticError")
    assert f"\n{base.__name__}\n" in str(errors.__doc__)
    for name, kind in kinds.items():
        assert issubclass(kind, base)
        assert issubclass(kind, ValueError)
        assert f"── {name} " in str(errors.__doc__)
        assert kind.__doc__


def test_importing_the_library_imports_keras_and_numpy_alone() -> None:
    code = (
        "import sys, keras, numpy; before = set(sys.modules); import tfelastic; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert set(ran.stdout.split()) <= {"tfelastic", "keras", *sys.stdlib_module_names}


def test_importing_the_exporter_imports_neither_keras_nor_tensorflow() -> None:
    code = "import sys, tflite_export; print(*{'keras', 'tensorflow', 'jax'} & set(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stdout.split() == []
